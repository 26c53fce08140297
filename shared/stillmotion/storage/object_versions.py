"""Objects of S3 with all their versions, to be deleted for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import batched
from typing import TYPE_CHECKING, Any

from stillmotion.aws.errors import storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.jobs.record import timestamp
from stillmotion.ports import ObjectVersion

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT_ONCE = 1000
"""Versions in one call (*DeleteObjects*)."""


class S3ObjectVersions:
    """The :class:`~stillmotion.ports.ObjectVersions` over an S3 client."""

    def __init__(self, s3: S3Client) -> None:
        self._s3 = s3

    def versions(self, bucket: str, prefix: str) -> Iterator[ObjectVersion]:
        with storage_errors(f"S3 did not list 's3://{bucket}/{prefix}'"):
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
            for page in pages:
                for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    # Some clouds take the prefix for a pattern.
                    if one["Key"].startswith(prefix):
                        yield ObjectVersion(one["Key"], one["VersionId"], timestamp(one["LastModified"]))

    def delete(self, bucket: str, versions: Iterable[ObjectVersion]) -> None:
        for some in batched(versions, AT_ONCE, strict=False):
            wanted: Any = [{"Key": one.key, "VersionId": one.version} for one in some]
            with storage_errors(f"S3 did not delete objects of '{bucket}'"):
                answer = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
            for error in answer.get("Errors", ()):
                raise StorageFailed(
                    f"S3 did not delete 's3://{bucket}/{error.get('Key')}' ({error.get('Code')}). Try again; what is "
                    "gone stays so."
                )
