"""Uploading local pictures to the input bucket: a presigned form from the API, then one multipart POST to S3."""

import hashlib
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import urllib3

from stillmotion_cli.client import ApiClient
from stillmotion_cli.errors import BadInput, CommandError, Unreachable
from stillmotion_cli.shown import one_line
from stillmotion_cli.transport import new_pool, repeat
from stillmotion_cli.trust import require_link
from stillmotion_cli.units import size

ATTEMPTS = 3
# Less than the 7 days for which a stack keeps uploads by default.
REMEMBERED_SECONDS = 6 * 86400
_TIMEOUT = urllib3.Timeout(connect=5, read=120)
_S3_MESSAGE = re.compile(rb"<Message>(.*?)</Message>", re.DOTALL)


def upload(client: ApiClient, path: Path, content_type: str, key: str | None = None) -> str:
    """Store a picture under uploads/ of the input bucket. Returns its s3:// address.

    With an idempotency key the same picture keeps its address, because the request that names it must stay the same
    when it is sent again.
    """
    content = path.read_bytes()
    memory = _memory(client.stack.api_url, key, content) if key else None
    if memory and (known := _recall(memory)):
        return known
    address = store(client, path, content, content_type)
    return _remember(memory, address) if memory else address


def store(client: ApiClient, path: Path, content: bytes, content_type: str) -> str:
    """Store bytes under uploads/ of the input bucket. Returns their s3:// address."""
    place = client.upload_place(content_type)
    if len(content) > place["max_bytes"]:
        what = "a picture" if content_type.startswith("image/") else "a manifest"
        raise BadInput(
            f"{path} has {size(len(content))} ({len(content):,} bytes), {what} may have "
            f"{size(place['max_bytes'])} ({place['max_bytes']:,} bytes). "
            f"{'Scale it down' if content_type.startswith('image/') else 'Split it'} first."
        )
    repeat(
        lambda: _post(require_link(place["url"], client.stack.api_url), place["fields"], path, content, content_type),
        attempts=ATTEMPTS,
        on_pause=lambda _reason, _seconds: None,
        sleep=client.sleep,
    )
    return str(place["s3_uri"])


def _post(url: str, given: dict[str, Any], path: Path, content: bytes, content_type: str) -> None:
    """Send the form; the same object is stored however often this is repeated."""
    # S3 ignores every field that follows the file.
    fields: list[tuple[str, Any]] = list(given.items())
    fields.append(("file", (path.name.encode("ascii", "replace").decode(), content, content_type)))
    try:
        answer = new_pool(url).request("POST", url, fields=fields, timeout=_TIMEOUT, retries=False, redirect=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(f"{path} could not be uploaded, S3 gave no answer: {error}. Try again.") from error
    if 200 <= answer.status < 300:
        return
    message = f"{path} could not be uploaded, S3 answered {answer.status}: {s3_message(answer.data)}"
    raise Unreachable(f"{message}. Try again.") if answer.status >= 500 else UploadRefused(message)


def s3_message(body: bytes) -> str:
    """The message of S3's error document, or the beginning of whatever came instead."""
    found = _S3_MESSAGE.search(body)
    return one_line((found[1] if found else body[:300]).decode(errors="replace"))


class UploadRefused(CommandError):
    """S3 refuses this picture, and would refuse it again."""

    exit_code = 3


def _memory(api_url: str, key: str, content: bytes) -> Path:
    """The file that holds where this picture went for this key."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stillmotion" / "uploads"
    digest = hashlib.sha256("\0".join([api_url, key, hashlib.sha256(content).hexdigest()]).encode())
    return folder / digest.hexdigest()[:40]


def _recall(memory: Path) -> str | None:
    with suppress(OSError):
        if time.time() - memory.stat().st_mtime < REMEMBERED_SECONDS:
            return memory.read_text().strip() or None
    return None


def _remember(memory: Path, s3_uri: str) -> str:
    """Keep the address, and forget the old ones. Where nothing can be kept, a repeated command uploads again.

    Returns the address that counts: of two equal pictures that are uploaded side by side, the one kept first.
    """
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=memory.parent) as whole:
            whole.write(s3_uri + "\n")
            whole.flush()
            try:
                os.link(whole.name, memory)
            except FileExistsError:
                if _recall(memory) is None:  # too old
                    memory.write_text(s3_uri + "\n")
        s3_uri = _recall(memory) or s3_uri
        for old in memory.parent.iterdir():
            if time.time() - old.stat().st_mtime > REMEMBERED_SECONDS:
                old.unlink(missing_ok=True)
    return s3_uri
