"""From what a user calls a picture to an address that the API takes."""

import base64
import uuid
from pathlib import Path

from stillmotion_cli.errors import BadInput
from stillmotion_cli.stack import Stack

# A Lambda function takes 6 MB; base64 adds a third, and the rest of the request needs room too.
MAX_INLINE_BYTES = 4_200_000
MAX_UPLOAD_BYTES = 50 * 1024 * 1024
_REMOTE = ("https://", "s3://", "data:")


def content_type(path: Path) -> str:
    """The image type that a file's first bytes show. Raises BadInput where it is no picture we can send."""
    if not path.exists():
        raise BadInput(f"There is no picture at {path}. Give the path of a JPEG, PNG or WebP file.")
    if not path.is_file():
        raise BadInput(f"{path} is not a file. Give the path of a JPEG, PNG or WebP file.")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    raise BadInput(f"{path} is neither JPEG, PNG nor WebP (it starts with {head[:8]!r}). Convert it first.")


def upload(stack: Stack, path: Path) -> str:
    """Store a local picture under uploads/ in the input bucket. Returns its s3:// address."""
    kind = content_type(path)
    if (size := path.stat().st_size) > MAX_UPLOAD_BYTES:
        raise BadInput(f"{path} has {size:,} bytes, a picture may have {MAX_UPLOAD_BYTES:,}. Scale it down first.")
    key = f"uploads/{uuid.uuid4()}.{kind.removeprefix('image/').replace('jpeg', 'jpg')}"
    with path.open("rb") as body:
        stack.client("s3").put_object(Bucket=stack.input_bucket, Key=key, Body=body, ContentType=kind)
    return f"s3://{stack.input_bucket}/{key}"


def data_url(path: Path) -> str:
    """A local picture as a data: URL, for a model that cannot reach this machine."""
    kind = content_type(path)
    if (size := path.stat().st_size) > MAX_INLINE_BYTES:
        raise BadInput(
            f"{path} has {size:,} bytes; inside a request a picture may have {MAX_INLINE_BYTES:,}. "
            "Scale it down or save it as JPEG."
        )
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def to_address(stack: Stack, picture: str, *, inline: bool = False) -> str:
    """What goes into the request for `picture`: an address as it stands, a local file uploaded or inlined."""
    if picture.startswith(_REMOTE):
        return picture
    return data_url(Path(picture)) if inline else upload(stack, Path(picture))
