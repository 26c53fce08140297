"""Whether a picture's shape fits the clip that is asked for. It is never refused for that, only told."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from io import BytesIO

import imagesize

from stillmotion.requests.video_request import VideoRequest

TOLERANCE = 0.02
"""Shapes that differ by less than 2 % look the same: 1366x768 is 16:9 to anybody."""


def dimensions(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from a picture's first bytes, ``None`` where they do not tell."""
    try:
        width, height = imagesize.get(BytesIO(head))
    except (ValueError, OSError, struct.error, IndexError):
        return None
    return (int(width), int(height)) if width > 0 and height > 0 else None


def shape_warnings(request: VideoRequest, frames: Iterable[tuple[str, tuple[int, int] | None]]) -> Iterator[str]:
    """One sentence for each frame image, given by its pointer and dimensions, that will be cropped or squashed."""
    asked = request.size or request.aspect_ratio
    if asked is None:
        return
    wide, high = (int(side) for side in asked.replace("x", ":").split(":"))
    for pointer, found in frames:
        if found is not None and abs(found[0] * high / (found[1] * wide) - 1) > TOLERANCE:
            yield (
                f"{pointer} is {found[0]}x{found[1]}, but the clip is {asked}: it will be cropped or squashed. "
                "Crop it yourself, or ask for another shape."
            )
