"""Turning what a user gives as a picture into an address that the API takes."""

import base64
import os
import re
import stat
from pathlib import Path

from stillmotion_cli import uploads
from stillmotion_cli.client import ApiClient
from stillmotion_cli.errors import BadInput
from stillmotion_cli.image_types import HEAD_BYTES, KINDS, describe, image_type, is_cut_off
from stillmotion_cli.picture_header import PictureHeader, read_header
from stillmotion_cli.stack import Stack
from stillmotion_cli.units import size

# A Lambda function takes 6 MB; base64 adds a third, and the rest of the request needs room too.
MAX_INLINE_BYTES = 4_200_000
TAIL_BYTES = 64 * 1024
SHAPE_BYTES = 256 * 1024
_ADDRESS = re.compile(r"data:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_address(picture: str) -> bool:
    """Whether this is an address, which the API checks, and not a file of this machine."""
    return bool(_ADDRESS.match(picture))


def content_type(path: Path) -> str:
    """The image type that a file's bytes show. Raises BadInput where it is no whole picture that we can send."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadInput(f"{path} is not a file. Give the path of a {KINDS} file.")
        with path.open("rb") as file:
            head, length = file.read(HEAD_BYTES), file.seek(0, os.SEEK_END)
            file.seek(max(length - TAIL_BYTES, 0))
            tail = file.read()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(
            f"There is no picture at {path}. Give the path of a {KINDS} file, or an https:// address."
        ) from error
    except (OSError, ValueError) as error:
        # ValueError: a manifest may name a path with a null character.
        name, why = str(path), error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{name[:120]}{'…' if name[120:] else ''} cannot be read: {why}.") from error
    kind = image_type(head)
    if kind is None:
        other = describe(head)
        advice = f"Give the path of a {KINDS} file." if other.is_text else f"To be taken as {KINDS}: {other.advice}."
        raise BadInput(f"{path} is {other.name}, not a picture that is taken. {advice}")
    if is_cut_off(kind, head, tail, length):
        raise BadInput(f"{path} is cut off: the end of this {kind} is missing. Get it again, whole.")
    return kind


def has_transparency(path: Path) -> bool:
    """Whether parts of a picture may be transparent."""
    header = _header(path)
    return header is not None and header.transparent


def shape(picture: str) -> dict[str, int]:
    """A picture's `width` and `height` as shown, in pixels; empty where its header cannot be read here."""
    header = None if is_address(picture) else _header(Path(picture))
    return {} if header is None else {"width": header.width, "height": header.height}


def _header(path: Path) -> PictureHeader | None:
    with path.open("rb") as file:
        return read_header(file.read(SHAPE_BYTES))


def flatten(path: Path, colour: str, folder: Path) -> Path:
    """A copy of a picture in `folder`, as PNG, laid over a colour. Raises BadInput where that cannot be done."""
    try:
        from PIL import Image, ImageColor, ImageOps
    except ImportError as error:
        raise BadInput("--flatten needs Pillow. Install it: pip install pillow") from error
    try:
        backdrop = ImageColor.getrgb(colour)[:3]
    except ValueError as error:
        raise BadInput(f"--flatten {colour} is no colour. For example: --flatten white, --flatten '#202020'") from error
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path} cannot be flattened: {error}. Save it as PNG first.") from error
    target = folder / f"{path.stem}.png"
    Image.alpha_composite(Image.new("RGBA", picture.size, (*backdrop, 255)), picture).convert("RGB").save(target)
    return target


def upload(stack: Stack, path: Path) -> str:
    """Bring a local picture into the input bucket through the API. Returns its s3:// address."""
    return uploads.upload(ApiClient(stack), path, content_type(path))


def data_url(path: Path) -> str:
    """A local picture as a data: URL, for a model that cannot reach this machine."""
    kind = content_type(path)
    if (count := path.stat().st_size) > MAX_INLINE_BYTES:
        raise BadInput(
            f"{path} has {size(count)} ({count:,} bytes); inside a request a picture may have {MAX_INLINE_BYTES:,}. "
            "Scale it down or save it as JPEG."
        )
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def to_address(stack: Stack, picture: str, *, inline: bool = False) -> str:
    """The request's address for `picture`: an address unchanged, a local file uploaded or inlined."""
    if is_address(picture):
        return picture
    return data_url(Path(picture)) if inline else upload(stack, Path(picture))
