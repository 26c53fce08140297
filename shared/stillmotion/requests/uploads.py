"""Bringing a local picture or a batch's manifest: a presigned POST into the input bucket, bounded in type and size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from stillmotion.requests.media_types import MANIFEST_EXTENSIONS, UploadType, extension_of
from stillmotion.requests.owned_names import upload_prefix
from stillmotion.requests.probe import MAX_MEDIA_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOAD_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Upload:
    """A presigned upload for one file: POST ``fields`` and then the file to ``url``; afterwards ``s3_uri`` names it."""

    url: str
    fields: dict[str, str]
    s3_uri: str
    max_bytes: int
    expires_at: str


class Uploads:
    """Makes presigned uploads for pictures and manifests under ``uploads/{owner}/`` of one bucket."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def offer(self, content_type: UploadType, owner: str | None) -> Upload:
        """A presigned upload for one picture or manifest of this type and at most 30 MiB, valid for 15 minutes."""
        extension = MANIFEST_EXTENSIONS.get(content_type) or extension_of(content_type)
        key = f"{upload_prefix(owner)}{uuid4().hex}.{extension}"
        post = self._s3.generate_presigned_post(
            self._bucket,
            key,
            Fields={"Content-Type": content_type},
            Conditions=[{"Content-Type": content_type}, ["content-length-range", 1, MAX_MEDIA_BYTES]],
            ExpiresIn=UPLOAD_SECONDS,
        )
        expires = datetime.now(UTC) + timedelta(seconds=UPLOAD_SECONDS)
        return Upload(
            url=post["url"],
            fields=post["fields"],
            s3_uri=f"s3://{self._bucket}/{key}",
            max_bytes=MAX_MEDIA_BYTES,
            expires_at=expires.isoformat(timespec="seconds").replace("+00:00", "Z"),
        )
