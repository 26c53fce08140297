"""Answers as values before they are sent, so that a fault can still change them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

CHUNK = 256 * 1024
BOX_HEADER = 16
JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes to send, followed by `zeros` zero bytes that are never held in memory."""

    data: bytes
    zeros: int = 0

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.data) + self.zeros

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` in chunks."""
        for offset in range(start, stop, CHUNK):
            end = min(offset + CHUNK, stop)
            real = self.data[offset:end]
            yield real + bytes(end - offset - len(real))


def padded(clip: bytes, size: int | None) -> Blob:
    """Make a clip at least `size` bytes large with a `free` box at its end, which players skip."""
    missing = (size or 0) - len(clip)
    if missing < BOX_HEADER:
        return Blob(clip)
    header = (1).to_bytes(4) + b"free" + missing.to_bytes(8)
    return Blob(clip + header, missing - BOX_HEADER)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, headers, and the part of a blob that is its body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    blob: Blob = Blob(b"")
    start: int = 0
    stop: int | None = None

    @property
    def length(self) -> int:
        """Length of the body in bytes."""
        return (self.blob.size if self.stop is None else self.stop) - self.start

    def chunks(self, length: int | None = None) -> Iterator[bytes]:
        """Yield the body, or only its first `length` bytes."""
        wanted = self.length if length is None else min(length, self.length)
        return self.blob.part(self.start, self.start + wanted)


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Make an answer of JSON."""
    return Answer(status, {"Content-Type": JSON_TYPE, **(headers or {})}, Blob(json.dumps(value).encode()))


def text_answer(status: int, text: str, content_type: str) -> Answer:
    """Make an answer of text, with its content type."""
    return Answer(status, {"Content-Type": content_type}, Blob(text.encode()))


def redirect_answer(status: int, location: str) -> Answer:
    """Make a redirect."""
    return Answer(status, {"Location": location})


def file_answer(request: web.Request, blob: Blob, content_type: str, etag: str, *, ranges: bool) -> Answer:
    """Answer with a file or, where ranges are on, with the one range of it that was asked for (206 or 416)."""
    headers = {"Content-Type": content_type, "ETag": etag}
    if not ranges:
        return Answer(200, headers, blob)
    headers["Accept-Ranges"] = "bytes"
    bounds = _range(request.headers.get("Range", ""), blob.size)
    if bounds is None or request.headers.get("If-Range", etag) != etag:
        return Answer(200, headers, blob)
    start, stop = bounds
    if start >= stop:
        return Answer(416, {**headers, "Content-Range": f"bytes */{blob.size}"})
    return Answer(206, {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{blob.size}"}, blob, start, stop)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Return start and stop of a single byte range, or None for what is to be answered in full (RFC 9110, 14.2)."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return max(size - int(match[2]), 0), size
    stop = min(int(match[2]) + 1, size) if match[2] else size
    start = int(match[1])
    return None if match[2] and int(match[2]) < start else (start, stop)


async def send(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send an answer, whole."""
    response = await begin(request, answer)
    if request.method != "HEAD":
        for chunk in answer.chunks():
            await response.write(chunk)
    await response.write_eof()
    return response


async def begin(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send the head of an answer with the full length of its body."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = answer.length
    await response.prepare(request)
    return response


def as_object(answer: Answer) -> dict[str, Any]:
    """Return the JSON object that an answer holds."""
    value: dict[str, Any] = json.loads(answer.blob.data)
    return value
