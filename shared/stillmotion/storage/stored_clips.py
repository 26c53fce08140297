"""Stored clips read by ranges, and the pictures that are put beside them."""

from __future__ import annotations

from dataclasses import dataclass

from stillmotion.jobs.record import StoredVideo
from stillmotion.ports import ObjectStore


class ClipGone(Exception):
    """The object is not there any more; the text names its key."""


@dataclass(frozen=True, slots=True)
class StoredClip:
    """One object, of the version it had when it was opened; `size` in bytes."""

    objects: ObjectStore
    bucket: str
    key: str
    etag: str
    size: int

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to, and without, `end`.

        Raises:
            StorageFailed: S3 did not give them, or the object was overwritten since it was opened.
        """
        return self.objects.read_range(self.bucket, self.key, self.etag, start, end)


class StoredClips:
    """The clips of the output bucket."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def open(self, video: StoredVideo) -> StoredClip:
        """The stored clip, to be read by ranges.

        Raises:
            ClipGone: there is no such object.
            StorageFailed: S3 did not answer.
        """
        facts = self._objects.head(video.bucket, video.key)
        if facts is None:
            raise ClipGone(f"There is no object '{video.key}' in the output bucket any more.")
        return StoredClip(self._objects, video.bucket, video.key, facts.etag, facts.size)

    def put_picture(self, video: StoredVideo, key: str, content: bytes, content_type: str) -> None:
        """Put a picture into the clip's bucket.

        Raises:
            StorageFailed: S3 did not take it.
        """
        self._objects.put(video.bucket, key, content, content_type)
