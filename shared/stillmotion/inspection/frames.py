"""Decoded frames as pictures, as a player shows them: turned, with square pixels, in RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from PIL import Image

if TYPE_CHECKING:
    from av.video.stream import VideoStream

_UNSPECIFIED = 2
_HD_WIDTH, _HD_HEIGHT = 1280, 577
_RGB = 0


def shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height in pixels as shown."""
    width, height = _square(frame, stream)
    return (height, width) if _turned(frame) else (width, height)


def shown(frame: VideoFrame, stream: VideoStream, longest_side: int | None = None) -> Image.Image:
    """A frame as an RGB picture; made smaller where its longest side would be longer than that."""
    width, height = _square(frame, stream)
    if longest_side is not None and max(width, height) > longest_side:
        scale = longest_side / max(width, height)
        width, height = (max(1, round(side * scale)) for side in (width, height))
    image: Image.Image = frame.to_image(width=width, height=height, src_colorspace=_matrix(frame))  # type: ignore[no-untyped-call]
    rotation = round(frame.rotation / 90) * 90 % 360
    return image if rotation == 0 else image.rotate(rotation, expand=True)


def _square(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """The frame's size with square pixels: the width changes, as players do it."""
    ratio = stream.sample_aspect_ratio
    if not ratio or not 0.1 < float(ratio) < 10:
        return frame.width, frame.height
    return max(1, round(frame.width * ratio)), frame.height


def _turned(frame: VideoFrame) -> bool:
    return round(frame.rotation / 90) % 2 == 1


def _matrix(frame: VideoFrame) -> int:
    """The frame's own colour matrix; where it states none, BT.709 from HD on and BT.601 below, as players do."""
    stated = int(frame.colorspace)
    if stated not in (_RGB, _UNSPECIFIED):
        return stated
    high = frame.width >= _HD_WIDTH or frame.height >= _HD_HEIGHT
    return int(Colorspace.ITU709 if high else Colorspace.ITU601)
