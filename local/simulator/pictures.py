"""Test pictures: a painted landscape, another one for every name, with the grain of a photo."""

import hashlib
import io
from functools import lru_cache
from threading import Lock

import numpy as np
from PIL import Image

from local.simulator.frames import Array

LARGEST_SIDE = 6000
MEDIA_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
}
FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}
# Upper sky, lower sky, far hills, near hills.
PALETTES = (
    ((38, 70, 130), (250, 190, 130), (120, 110, 150), (30, 42, 60)),
    ((70, 140, 210), (215, 235, 245), (110, 150, 150), (36, 74, 56)),
    ((20, 22, 58), (210, 96, 104), (84, 58, 104), (22, 20, 40)),
    ((120, 170, 200), (250, 235, 205), (160, 160, 130), (92, 82, 50)),
)
RIDGES = 4
GRAIN = 2.5
_PAINTING = Lock()


def picture(name: str, ending: str, width: int, height: int) -> bytes:
    """Return a picture as a file: the landscape of this name in the format of this ending, of this size in pixels."""
    # One at a time: a hundred requests for the same picture should paint it once, not fill the memory with it.
    with _PAINTING:
        return _painted(name, ending, width, height)


@lru_cache(maxsize=64)
def _painted(name: str, ending: str, width: int, height: int) -> bytes:
    file = io.BytesIO()
    options = {"quality": 90} if ending in ("jpg", "jpeg", "webp") else {}
    landscape(name, width, height).save(file, FORMATS[ending], **options)
    return file.getvalue()


def landscape(name: str, width: int, height: int) -> Image.Image:
    """Paint sky, sun, ridges in haze and a little grain; the same name always gives the same picture."""
    digest = hashlib.sha256(name.encode()).digest()
    random = np.random.default_rng(list(digest))
    sky_high, sky_low, far, near = (
        np.array(colour, dtype=np.float32) for colour in PALETTES[digest[0] % len(PALETTES)]
    )
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    canvas = _mix(sky_high, sky_low, np.broadcast_to(np.clip(rows / 0.65, 0, 1), (height, width)))
    _shine(canvas, rows, columns * width / height, random, width / height)
    for ridge in range(RIDGES):
        depth = ridge / (RIDGES - 1)
        line = _ridge_line(columns[0], 0.48 + 0.38 * depth, 0.12 - 0.04 * depth, random)
        # A soft edge over two pixels, as a lens would draw it.
        cover = np.clip((rows - line[None, :]) * height / 2, 0, 1)
        haze = np.clip(1 - (rows - line[None, :]) * 2.5, 0.6, 1)
        colour = (far * (1 - depth) + near * depth)[None, None, :] * haze[..., None]
        canvas += (colour - canvas) * cover[..., None]
    canvas += random.normal(0, GRAIN, (height, width, 1)).astype(np.float32)
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))


def _mix(first: Array, second: Array, share: Array) -> Array:
    mixed: Array = first + (second - first) * share[..., None]
    return mixed


def _shine(canvas: Array, rows: Array, across: Array, random: np.random.Generator, ratio: float) -> None:
    """Add a sun with its glow."""
    x, y = random.uniform(0.25, 0.75) * ratio, random.uniform(0.22, 0.42)
    distance = np.hypot(across - x, rows - y)
    glow = np.exp(-distance * 5) * 0.6 + 1 / (1 + np.exp(np.clip((distance - 0.055) * 260, -60, 60)))
    canvas += (np.array((255, 240, 205), dtype=np.float32) - canvas) * np.clip(glow, 0, 1)[..., None]


def _ridge_line(columns: Array, base: float, reach: float, random: np.random.Generator) -> Array:
    """Return where a ridge begins, from the top, for every column: waves of ever smaller size."""
    line = np.full(columns.shape, base, dtype=np.float32)
    for octave in range(1, 8):
        phase, frequency = random.uniform(0, 2 * np.pi), 1.7 * 2**octave * random.uniform(0.8, 1.2)
        line += reach / 1.9**octave * np.sin(columns * frequency + phase)
    return line
