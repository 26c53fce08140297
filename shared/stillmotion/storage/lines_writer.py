"""An object written line by line, in memory that does not depend on its size; it appears only when it is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stillmotion.aws.errors import storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.storage.video_store import PART_BYTES, checksum_crc32

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

JSON_LINES = "application/jsonl"


class LinesWriter:
    """JSON Lines into one S3 object, as a context manager: left by an exception, it leaves nothing behind.

    Args:
        s3: client for the bucket.
        part_bytes: of a part of the multipart upload, at least 5 MiB (*Amazon S3 multipart upload limits*).
    """

    def __init__(self, s3: S3Client, bucket: str, key: str, part_bytes: int = PART_BYTES) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._part_bytes = part_bytes
        self._waiting = bytearray()
        self._upload_id = ""
        self._parts: list[CompletedPartTypeDef] = []

    def write(self, line: Mapping[str, Any]) -> None:
        """One more line.

        Raises:
            StorageFailed: S3 did not take it.
        """
        self._waiting += json.dumps(line, separators=(",", ":")).encode() + b"\n"
        if len(self._waiting) >= self._part_bytes:
            self._guarded(self._send_part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._guarded(self._finish)
        elif self._upload_id:
            self._abort()

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            with storage_errors(f"S3 did not store '{self._key}'", "It is tried again."):
                action()
        except StorageFailed:
            self._abort()
            raise

    def _send_part(self) -> None:
        place: dict[str, Any] = {"Bucket": self._bucket, "Key": self._key}
        if not self._upload_id:
            begun = self._s3.create_multipart_upload(**place, ContentType=JSON_LINES, ChecksumAlgorithm="CRC32")
            self._upload_id = begun["UploadId"]
        part, number = bytes(self._waiting), len(self._parts) + 1
        self._waiting.clear()
        checksum = checksum_crc32(part)
        sent = self._s3.upload_part(
            **place, UploadId=self._upload_id, PartNumber=number, Body=part, ChecksumCRC32=checksum
        )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32": checksum})

    def _finish(self) -> None:
        place: dict[str, Any] = {"Bucket": self._bucket, "Key": self._key}
        if not self._upload_id:
            body = bytes(self._waiting)
            self._s3.put_object(**place, Body=body, ContentType=JSON_LINES, ChecksumCRC32=checksum_crc32(body))
            return
        if self._waiting:
            self._send_part()
        self._s3.complete_multipart_upload(**place, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts})

    def _abort(self) -> None:
        if not self._upload_id:
            return
        # Where that fails, the bucket's lifecycle rule takes the parts away within a day.
        with suppress(StorageFailed), storage_errors(f"S3 did not remove the parts of '{self._key}'"):
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)
