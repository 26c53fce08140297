"""What the use cases need of the world, as types: a Lambda passes the real adapters, a test passes fakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What S3 says of an object: its ETag without quotes, its version where the bucket keeps versions, its stored media
    type in lower case, its whole size in bytes, and its user metadata."""

    etag: str
    version: str | None
    content_type: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)


class ObjectStore(Protocol):
    """Objects of any bucket that the function's role may use.

    Every method raises :class:`~stillmotion.errors.StorageFailed`. Where the same call would be refused again
    (``NoSuchKey``, ``AccessDenied``, ``InvalidName``), the error's ``refused`` is true; ``aws_code`` says why.
    """

    def head(self, bucket: str, key: str) -> ObjectFacts | None:
        """An object's facts, ``None`` when there is none."""

    def read(self, bucket: str, key: str, limit: int | None = None) -> bytes | None:
        """An object's bytes, of a larger one the first ``limit``; ``None`` when there is none."""

    def first_bytes(self, bucket: str, key: str, count: int) -> tuple[ObjectFacts, bytes]:
        """An object's facts and at most ``count`` bytes of its beginning; nothing more is transferred."""

    def chunks(self, bucket: str, key: str, etag: str, size: int) -> Iterator[bytes]:
        """The bytes of an object that still has this ETag, in pieces of at most ``size``."""

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Store an object."""

    def link(self, bucket: str, key: str, seconds: int, content_type: str | None = None) -> str:
        """A presigned URL that gives the object for so many seconds, as this media type where one is given."""
