"""The pictures that a request gave, read once more to compare a clip with them."""

from __future__ import annotations

from time import monotonic
from typing import Protocol

from urllib3.exceptions import HTTPError

from stillmotion.errors import StorageFailed
from stillmotion.outbound.guarded_client import FetchFailed, ForbiddenAddress, GuardedClient, UnresolvedHost
from stillmotion.ports import ObjectStore
from stillmotion.requests.probe import MAX_MEDIA_BYTES

FETCH_SECONDS = 20.0
_CHUNK_BYTES = 256 * 2**10
_TOO_LARGE = f"it has more than {MAX_MEDIA_BYTES:,} bytes"


class PictureGone(Exception):
    """A given picture cannot be had any more; the text says why, without its address."""


class _Body(Protocol):
    def read(self, amt: int) -> bytes: ...


class GivenPictures:
    """Reads `s3://` pictures with this function's role and `https://` ones through the guarded client.

    Args:
        objects: the buckets that pictures may lie in.
        guarded: fetches the callers' addresses.
    """

    def __init__(self, objects: ObjectStore, guarded: GuardedClient) -> None:
        self._objects = objects
        self._guarded = guarded

    def read(self, url: str) -> bytes:
        """A picture's bytes, at most 30 MiB of them.

        Raises:
            PictureGone: it cannot be had; trying again is of no use.
            StorageFailed: S3 did not answer; try again.
        """
        return self._from_s3(url) if url[:5].lower() == "s3://" else self._from_web(url)

    def _from_s3(self, url: str) -> bytes:
        bucket, _, key = url[len("s3://") :].partition("/")
        try:
            content = self._objects.read(bucket, key, MAX_MEDIA_BYTES + 1)
        except StorageFailed as error:
            if not error.refused:
                raise
            raise PictureGone(f"it cannot be read from S3 ({error.aws_code})") from None
        if content is None:
            raise PictureGone("there is no such object in S3")
        if len(content) > MAX_MEDIA_BYTES:
            raise PictureGone(_TOO_LARGE)
        return content

    def _from_web(self, url: str) -> bytes:
        try:
            with self._guarded.get(url) as answer:
                if answer.status != 200:
                    raise PictureGone(f"its address answers HTTP {answer.status}")
                return _bounded(answer)
        except (ForbiddenAddress, UnresolvedHost, FetchFailed, HTTPError, OSError) as error:
            raise PictureGone(f"its address does not answer ({type(error).__name__})") from None


def _bounded(body: _Body) -> bytes:
    """All of a body, in bounded time and memory."""
    content, deadline = bytearray(), monotonic() + FETCH_SECONDS
    while chunk := body.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_MEDIA_BYTES:
            raise PictureGone(_TOO_LARGE)
        if monotonic() > deadline:
            raise PictureGone(f"it did not arrive within {FETCH_SECONDS:.0f} s")
    return bytes(content)
