"""Frames of a clip as planes of YUV 4:2:0, made one at a time.

The pictures are turned into planes once; every frame is then cut and scaled from those, which costs half of what
working in RGB does and leaves the colours to one exact, written-down conversion (BT.709, limited range).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

FPS = 24
MOVE_ZOOM = 0.08
DISSOLVE_ZOOM = 0.04

type Array = np.ndarray[Any, np.dtype[Any]]
type Planes = tuple[Image.Image, Image.Image, Image.Image]


@dataclass(frozen=True, slots=True)
class Move:
    """A slow camera move: how far it zooms (share of the picture) and towards which point (x and y, each 0..1)."""

    zoom: float
    x: float
    y: float


STRETCHED = 0.02


def fit(image: Image.Image, width: int, height: int) -> Image.Image:
    """Scale a picture to cover a frame and crop it around its centre; one of nearly the frame's shape is stretched.

    EXIF orientation is applied and transparency is laid over black.
    Returns an RGB picture of exactly `width` × `height` pixels.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        coloured = upright.convert("RGBA")
        backdrop = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(backdrop, coloured)
    likeness = upright.width * height / (upright.height * width)
    if min(likeness, 1 / likeness) >= 1 - STRETCHED:
        return upright.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    return ImageOps.fit(upright.convert("RGB"), (width, height), Image.Resampling.LANCZOS, centering=(0.5, 0.5))


def to_planes(rgb: Image.Image) -> Planes:
    """Convert an RGB picture of even dimensions to 8-bit BT.709 limited-range planes: Y, and Cb and Cr at half size."""
    pixels = np.asarray(rgb, dtype=np.float32)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    cb = (_halve(blue) - _halve(luma)) / 1.8556
    cr = (_halve(red) - _halve(luma)) / 1.5748
    return (
        _plane(16 + luma * (219 / 255)),
        _plane(128 + cb * (224 / 255)),
        _plane(128 + cr * (224 / 255)),
    )


def _halve(plane: Array) -> Array:
    return (plane[0::2, 0::2] + plane[1::2, 0::2] + plane[0::2, 1::2] + plane[1::2, 1::2]) / 4


def _plane(values: Array) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def move_for(theme: str) -> Move:
    """Choose the camera move of a clip from its theme (prompt, seed, ...), always the same one for the same theme."""
    digest = hashlib.sha256(theme.encode()).digest()
    return Move(MOVE_ZOOM, 0.3 + 0.4 * digest[0] / 255, 0.3 + 0.4 * digest[1] / 255)


def clip_frames(first: Planes | None, last: Planes | None, move: Move, count: int) -> Iterator[Array]:
    """Yield `count` frames that start exactly at `first` and end exactly at `last`, where those are given.

    Each frame is a uint8 array of (height × 3/2, width), the layout PyAV calls yuv420p. At least one of the two
    pictures must be there.
    """
    for number in range(count):
        progress = number / max(count - 1, 1)
        if first and last:
            yield _pack(_dissolve(first, last, move, progress))
        elif first:
            yield _pack(_look(first, move, move.zoom * progress))
        elif last:
            yield _pack(_look(last, move, move.zoom * (1 - progress)))
        else:
            raise ValueError("a clip of pictures needs at least one picture")


def _dissolve(first: Planes, last: Planes, move: Move, progress: float) -> Planes:
    leaving = _look(first, move, DISSOLVE_ZOOM * progress)
    coming = _look(last, move, DISSOLVE_ZOOM * (1 - progress))
    weight = progress * progress * (3 - 2 * progress)
    y, u, v = (Image.blend(a, b, weight) for a, b in zip(leaving, coming, strict=True))
    return y, u, v


def _look(planes: Planes, move: Move, zoom: float) -> Planes:
    """Cut the window that a zoom shows; a zoom of 0 gives the planes themselves, bit for bit."""
    if zoom <= 0:
        return planes
    y, u, v = (_window(plane, move, zoom) for plane in planes)
    return y, u, v


def _window(plane: Image.Image, move: Move, zoom: float) -> Image.Image:
    width, height = plane.size
    share = 1 / (1 + zoom)
    left, top = move.x * width * (1 - share), move.y * height * (1 - share)
    box = (left, top, left + width * share, top + height * share)
    return plane.resize(plane.size, Image.Resampling.BILINEAR, box=box)


def _pack(planes: Planes) -> Array:
    width, height = planes[0].size
    return np.concatenate([np.asarray(plane).ravel() for plane in planes]).reshape(height * 3 // 2, width)


def gradient_frames(theme: str, width: int, height: int, count: int) -> Iterator[Array]:
    """Yield `count` frames of a moving gradient whose colours and drift come from the theme of the clip."""
    digest = hashlib.sha256(theme.encode()).digest()
    rows = np.linspace(0, 1, 36, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, 64, dtype=np.float32)[None, :]
    for number in range(count):
        turn = 2 * np.pi * number / count
        small = [
            _plane(middle + reach * np.sin(turn + digest[i] / 40 + rows * (1 + digest[i + 3] / 90) + columns * 2))
            for i, (middle, reach) in enumerate(((126, 70), (128, 60), (128, 60)))
        ]
        sizes = ((width, height), (width // 2, height // 2), (width // 2, height // 2))
        y, u, v = (part.resize(size, Image.Resampling.BILINEAR) for part, size in zip(small, sizes, strict=True))
        yield _pack((y, u, v))
