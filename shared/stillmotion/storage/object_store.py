"""Objects in S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stillmotion.aws.errors import MISSING, storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.ports import ObjectFacts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3ObjectStore:
    """The :class:`~stillmotion.ports.ObjectStore` over an S3 client."""

    def __init__(self, s3: S3Client) -> None:
        self._s3 = s3

    def head(self, bucket: str, key: str) -> ObjectFacts | None:
        try:
            with _reading(bucket, key):
                return _facts(self._s3.head_object(Bucket=bucket, Key=key))
        except StorageFailed as error:
            if error.aws_code in MISSING:
                return None
            raise

    def read(self, bucket: str, key: str, limit: int | None = None) -> bytes | None:
        try:
            with _reading(bucket, key):
                return self._s3.get_object(Bucket=bucket, Key=key)["Body"].read(limit)
        except StorageFailed as error:
            if error.aws_code in MISSING:
                return None
            raise

    def first_bytes(self, bucket: str, key: str, count: int) -> tuple[ObjectFacts, bytes]:
        with _reading(bucket, key):
            answer = self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{count - 1}")
            return _facts(answer), answer["Body"].read(count)

    def last_bytes(self, bucket: str, key: str, count: int) -> bytes:
        with _reading(bucket, key):
            return self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=-{count}")["Body"].read(count)

    def read_range(self, bucket: str, key: str, etag: str, start: int, end: int) -> bytes:
        with _reading(bucket, key):
            asked = f"bytes={start}-{end - 1}"
            return self._s3.get_object(Bucket=bucket, Key=key, Range=asked, IfMatch=f'"{etag}"')["Body"].read()

    def chunks(self, bucket: str, key: str, etag: str, size: int) -> Iterator[bytes]:
        with _reading(bucket, key):
            answer = self._s3.get_object(Bucket=bucket, Key=key, IfMatch=f'"{etag}"')
            yield from answer["Body"].iter_chunks(size)

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        with _reading(bucket, prefix):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", []))

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        with storage_errors(f"S3 did not store '{key}'"):
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)

    def link(self, bucket: str, key: str, seconds: int, content_type: str | None = None) -> str:
        place = {"Bucket": bucket, "Key": key}
        shown = {} if content_type is None else {"ResponseContentType": content_type}
        with storage_errors(f"No link to '{key}' could be signed"):
            return self._s3.generate_presigned_url("get_object", Params=place | shown, ExpiresIn=seconds)


def _reading(bucket: str, key: str) -> Any:
    return storage_errors(f"S3 did not give 's3://{bucket}/{key}'")


def _facts(answer: Mapping[str, Any]) -> ObjectFacts:
    version = answer.get("VersionId")
    # The answer to a range has the range's length, and the whole one behind the slash of "bytes 0-9/1234".
    _, _, whole = str(answer.get("ContentRange", "")).partition("/")
    return ObjectFacts(
        etag=str(answer.get("ETag", "")).strip('"'),
        version=None if version in (None, "null") else version,
        content_type=str(answer.get("ContentType", "")).lower(),
        size=int(whole) if whole.isdecimal() else int(answer.get("ContentLength", 0)),
        metadata=answer.get("Metadata", {}),
        put_at=int(answer["LastModified"].timestamp()) if "LastModified" in answer else 0,
    )
