"""From what a user calls a picture to an address that the API takes."""

import base64
import re
from pathlib import Path

from stillmotion_cli import uploads
from stillmotion_cli.client import ApiClient
from stillmotion_cli.errors import BadInput
from stillmotion_cli.stack import Stack
from stillmotion_cli.units import size

# A Lambda function takes 6 MB; base64 adds a third, and the rest of the request needs room too.
MAX_INLINE_BYTES = 4_200_000
KINDS = "JPEG, PNG, WebP, GIF, BMP, AVIF or HEIC"
_ADDRESS = re.compile(r"data:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SIGNATURES = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (8, b"WEBP", "image/webp"),
    (0, b"GIF8", "image/gif"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (0, b"BM", "image/bmp"),
)


def is_address(picture: str) -> bool:
    """Whether this names a picture elsewhere, which the API judges, and not a file of this machine."""
    return bool(_ADDRESS.match(picture))


def content_type(path: Path) -> str:
    """The image type that a file's first bytes show. Raises BadInput where it is no picture we can send."""
    if not path.exists():
        raise BadInput(f"There is no picture at {path}. Give the path of a {KINDS} file, or an https:// address.")
    if not path.is_file():
        raise BadInput(f"{path} is not a file. Give the path of a {KINDS} file.")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    if not head:
        raise BadInput(f"{path} is empty. Give the path of a {KINDS} file.")
    for offset, signature, kind in _SIGNATURES:
        if head[offset:].startswith(signature):
            return kind
    raise BadInput(f"{path} is neither {KINDS} (it starts with {head[:8]!r}). Convert it first.")


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
