"""Clips and pictures for the tests of the inspection, made by the simulator's encoder."""

from __future__ import annotations

import io
from functools import cache
from threading import Event

from PIL import Image

from local.simulator.pictures import landscape
from local.simulator.studio import Recipe, render

ROOMY_SECONDS = 60.0


def picture(
    name: str = "lake", width: int = 640, height: int = 360, kind: str = "PNG", *, exif: int | None = None
) -> bytes:
    """A landscape as a file; with `exif`, stored turned so that this orientation shows it upright."""
    image = landscape(name, width, height)
    options = {}
    if exif is not None:
        data = Image.Exif()
        data[0x0112] = exif
        image, options = _stored_for(image, exif), {"exif": data, "quality": 95}
    return encoded(image, kind, **options)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _stored_for(image: Image.Image, orientation: int) -> Image.Image:
    """The inverse of what EXIF 2.32 asks a viewer to do (tag 0x0112)."""
    turn = Image.Transpose
    undo = {
        1: None,
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }[orientation]
    return image if undo is None else image.transpose(undo)


@cache
def clip(
    first: bytes | None = None,
    last: bytes | None = None,
    width: int = 320,
    height: int = 180,
    seconds: int = 1,
    audio: bool = False,
) -> bytes:
    """A clip by the simulator: H.264 in MP4, its index in front."""
    return render(Recipe(width, height, seconds, audio, "inspection", first=first, last=last), Event())
