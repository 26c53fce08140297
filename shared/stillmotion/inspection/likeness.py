"""How close a frame is to the picture it was made from: PSNR, and SSIM by ffmpeg's own filter."""

from __future__ import annotations

import math
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame
from PIL import Image, ImageChops

from stillmotion.inspection.given import NotAPicture, lay_into_frame
from stillmotion.inspection.report import Likeness

MAX_PSNR = 100.0
"""Shown for equal pictures, whose PSNR is infinite."""

_LEAST_SIDE = 8
"""ffmpeg's filter compares blocks of 8 x 8 pixels."""


def compare(name: str, frame: Image.Image, picture: bytes) -> Likeness:
    """A frame as shown against a picture's bytes; of two ways to lay the picture into the frame the closer one counts.

    A picture that cannot be opened gives a `Likeness` with its `problem`.
    """
    try:
        lost, ways = lay_into_frame(picture, frame.width, frame.height)
    except NotAPicture as error:
        return Likeness(name, problem=str(error))
    decibels, closest = max(((psnr(frame, way.image), way) for way in ways), key=lambda pair: pair[0])
    return Likeness(
        frame=name,
        psnr_db=round(decibels, 2),
        ssim=round(ssim(frame, closest.image), 4),
        framing=closest.framing,
        lost_share=round(lost, 4) if closest.framing == "centre_crop" else 0.0,
    )


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB of two RGB pictures of one size, at most 100."""
    counts = ImageChops.difference(one, other).histogram()
    squares = sum(count * (value % 256) ** 2 for value, count in enumerate(counts))
    if squares == 0:
        return MAX_PSNR
    return min(MAX_PSNR, 10 * math.log10(255**2 * sum(counts) / squares))


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Structural similarity of two RGB pictures of one size, from -1 to 1, the mean of the three colours."""
    if min(one.size) < _LEAST_SIDE:
        size = (max(one.width, _LEAST_SIDE), max(one.height, _LEAST_SIDE))
        one, other = (image.resize(size, Image.Resampling.NEAREST) for image in (one, other))
    graph = Graph()
    inputs = [
        graph.add_buffer(width=one.width, height=one.height, format="gbrp", time_base=Fraction(1, 24)) for _ in range(2)
    ]
    compared, sink = graph.add("ssim"), graph.add("buffersink")
    for at, source in enumerate(inputs):
        source.link_to(compared, 0, at)
    compared.link_to(sink)
    graph.configure()
    for source, image in zip(inputs, (one, other), strict=True):
        frame = _to_frame(image)
        frame.pts, frame.time_base = 0, Fraction(1, 24)
        source.push(frame)
        source.push(None)
    return float(sink.pull().metadata["lavfi.ssim.All"])


def _to_frame(image: Image.Image) -> VideoFrame:
    frame: VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
    return frame.reformat(format="gbrp")
