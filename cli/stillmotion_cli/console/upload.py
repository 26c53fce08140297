"""/upload: a picture from the page into the stack's input bucket, streamed; no more than a few chunks are in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any

import urllib3
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from stillmotion_cli.client import ApiClient
from stillmotion_cli.console.problems import failure, problem
from stillmotion_cli.console.threads import each_from_loop, in_thread
from stillmotion_cli.errors import CommandError, Unreachable
from stillmotion_cli.image_types import HEAD_BYTES, KINDS, describe, image_type
from stillmotion_cli.transport import new_pool
from stillmotion_cli.trust import require_link
from stillmotion_cli.units import size
from stillmotion_cli.uploads import UploadRefused, s3_message

_TIMEOUT = urllib3.Timeout(connect=5, read=120)


async def upload(request: Request) -> Response:
    """Store the body, a picture, under uploads/. Answers 201 with its `s3_uri` and `content_type`."""
    declared = request.headers.get("content-length", "")
    if not (declared.isascii() and declared.isdigit()):
        return problem(411, "LengthRequired", "An upload needs the header Content-Length.")
    stream = request.stream()
    try:
        answer = await _store(request.app.state.client, int(declared), stream)
        # A browser reads the answer only once it has sent everything.
        async for _ in stream:
            pass
    except ClientDisconnect:
        return Response(status_code=499)
    return answer


async def _store(client: ApiClient, length: int, stream: AsyncIterator[bytes]) -> Response:
    """Check the type and the length, then send the picture on. A refused picture is not read to its end."""
    head = await _head(stream)
    kind = image_type(head)
    if kind is None:
        return problem(422, "ImageNotUsable", _not_a_picture(head, length))
    try:
        place = await in_thread(client.upload_place, kind)
        if length > place["max_bytes"]:
            limit = f"{size(place['max_bytes'])} ({place['max_bytes']:,} bytes)"
            words = f"The picture has {size(length)} ({length:,} bytes), it may have {limit}. Scale it down first."
            return problem(422, "ImageNotUsable", words)
        require_link(place["url"], client.stack.api_url)
        await in_thread(_post, place, kind, length, chain([head], each_from_loop(stream, asyncio.get_running_loop())))
    except UploadRefused as error:
        return problem(502, "UploadRefused", str(error))
    except CommandError as error:
        return failure(error)
    return JSONResponse({"s3_uri": place["s3_uri"], "content_type": kind}, 201)


async def _head(stream: AsyncIterator[bytes]) -> bytes:
    """The first bytes, enough to know a picture's type, and the rest of the last chunk."""
    head = b""
    while len(head) < HEAD_BYTES:
        chunk = await anext(stream, None)
        if chunk is None:
            break
        head += chunk
    return head


def _post(place: dict[str, Any], kind: str, length: int, chunks: Iterator[bytes]) -> None:
    """Send the presigned form with the picture as its last field; the length is known beforehand, so the picture is not
    buffered.
    """
    boundary = secrets.token_hex(16)
    before, after = _form(boundary, place["fields"], kind), f"\r\n--{boundary}--\r\n".encode()

    def body() -> Iterator[bytes]:
        yield before
        yield from chunks
        yield after

    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(before) + length + len(after)),
    }
    url = place["url"]
    try:
        answer = new_pool(url).request(
            "POST", url, body=body(), headers=headers, timeout=_TIMEOUT, retries=False, redirect=False
        )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(f"The picture could not be uploaded, S3 gave no answer: {error}. Try again.") from error
    if not 200 <= answer.status < 300:
        raise UploadRefused(f"S3 answered {answer.status}: {s3_message(answer.data)}. Choose the picture again.")


def _form(boundary: str, fields: dict[str, str], kind: str) -> bytes:
    """Everything before the picture's bytes."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="picture"\r\nContent-Type: {kind}'
    return f"{''.join(parts)}{file}\r\n\r\n".encode()


def _not_a_picture(head: bytes, length: int) -> str:
    if length == 0:
        return f"The file is empty. Choose a {KINDS} file."
    return f"This is {describe(head).name}, neither {KINDS}. Choose a picture, or convert it first."
