"""The picture that a request gave, laid into a clip's frame the way a model is expected to do it."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

MAX_PIXELS = 100_000_000
WHOLE_LOSS = 0.02
"""A picture that would lose no more than this may also be shown as a whole, a little squeezed."""

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({5, 6, 7, 8})


class NotAPicture(Exception):
    """The picture cannot be opened; the text says why."""


@dataclass(frozen=True, slots=True)
class Framed:
    """A picture as RGB of the frame's size. `framing` is `whole` or `centre_crop`."""

    framing: str
    image: Image.Image


def lay_into_frame(content: bytes, width: int, height: int) -> tuple[float, list[Framed]]:
    """A picture at the frame's size: turned as its EXIF says, transparency over black.

    Returns the share of it that the centre crop loses (0 to 1), and the ways to lay it into the frame: its centre crop,
    and the whole of it where that share is at most 2 %.

    Raises:
        NotAPicture: it cannot be opened, or has more than 100 million pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as picture:
                return _lay(picture, width, height)
    except NotAPicture:
        raise
    # Pillow's readers raise many kinds of errors for damaged bytes.
    except Exception as error:
        raise NotAPicture(f"The picture cannot be opened ({type(error).__name__}).") from error


def _lay(picture: Image.Image, width: int, height: int) -> tuple[float, list[Framed]]:
    if picture.width * picture.height > MAX_PIXELS:
        raise NotAPicture(f"The picture has {picture.width}x{picture.height} pixels, too many to compare it.")
    orientation = picture.getexif().get(_ORIENTATION, 1)
    # Everything happens before it is turned: it is smaller afterwards.
    size = (height, width) if orientation in _SIDEWAYS else (width, height)
    scale = max(size[0] / picture.width, size[1] / picture.height)
    # A JPEG is opened at an eighth, a quarter or half of its size, and still at twice what is needed.
    picture.draft("RGB", (round(2 * scale * picture.width), round(2 * scale * picture.height)))
    given, asked = picture.width / picture.height, size[0] / size[1]
    lost = 1 - min(given / asked, asked / given)
    coloured = _coloured(picture)
    ways = {"centre_crop": ImageOps.fit(coloured, size, Image.Resampling.LANCZOS)}
    if lost <= WHOLE_LOSS:
        ways["whole"] = coloured.resize(size, Image.Resampling.LANCZOS)
    return lost, [Framed(framing, _upright(_opaque(image), orientation)) for framing, image in ways.items()]


def _coloured(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel
        picture = picture.point(lambda value: value * (1 / 256)).convert("L")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
