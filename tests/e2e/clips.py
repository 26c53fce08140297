"""Reads a finished clip: its frames, and how close they are to a picture."""

import math
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from PIL import Image, ImageOps

from local.simulator import fit

TOLERANCE = 0.02

type Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Clip:
    """What a decoder finds in a clip. Frames are RGB arrays of (height, width, 3); `seconds` is the video's length."""

    width: int
    height: int
    seconds: float
    frames: int
    codec: str
    has_audio: bool
    first: Pixels
    last: Pixels


def read_clip(path: Path) -> Clip:
    """Decode a clip from beginning to end. Raises av.FFmpegError where it is none."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        first = last = None
        count = 0
        for frame in container.decode(video):
            first = first or frame
            last, count = frame, count + 1
        if first is None or last is None:
            raise ValueError(f"{path} has no frames.")
        return Clip(
            width=first.width,
            height=first.height,
            seconds=count / float(video.average_rate or 1),
            frames=count,
            codec=video.codec_context.name,
            has_audio=bool(container.streams.audio),
            first=_pixels(first),
            last=_pixels(last),
        )


def psnr(frame: Pixels, picture: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB between a frame and a picture scaled to its size: the whole picture where at
    most 2 % of it would be lost, else the centre that has the frame's shape."""
    height, width = frame.shape[:2]
    if share_lost(frame, picture) <= TOLERANCE:
        picture = ImageOps.exif_transpose(picture).resize((width, height), Image.Resampling.LANCZOS)
    wanted = np.asarray(fit(picture, width, height), dtype=np.float64)
    error = float(np.mean((frame.astype(np.float64) - wanted) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def share_lost(frame: Pixels, picture: Image.Image) -> float:
    """The part of a picture, 0 to 1, that is cut off where its centre fills the frame."""
    height, width = frame.shape[:2]
    across, down = ImageOps.exif_transpose(picture).size
    likeness = across * height / (down * width)
    return 1 - min(likeness, 1 / likeness)


def _pixels(frame: VideoFrame) -> Pixels:
    """The frame in RGB. Clips are BT.709, which decoders do not assume where the stream does not say so."""
    return np.asarray(frame.to_ndarray(format="rgb24", src_colorspace=Colorspace.ITU709), dtype=np.uint8)
