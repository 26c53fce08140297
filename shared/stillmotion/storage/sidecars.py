"""What somebody who only sees S3 finds: a JSON file beside each video, and one for each drop that came to nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion.errors import ERRORS, InternalError, StorageFailed
from stillmotion.jobs.public import sidecar
from stillmotion.jobs.record import Job
from stillmotion.problems import problem
from stillmotion.requests.drop_folder import Drop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Notes(Protocol):
    """Where notes go."""

    def completed(self, job: Job) -> None:
        """Put the job's public record beside its video."""

    def failed(self, job: Job) -> None:
        """Put the problem document of a job that a dropped object started; nothing for other jobs."""


class S3Notes:
    """Notes as objects: ``videos/{id}.json`` in the output bucket, ``failed/<name>.json`` where the drop was."""

    def __init__(self, s3: S3Client, output_bucket: str) -> None:
        self._s3 = s3
        self._output_bucket = output_bucket

    def completed(self, job: Job) -> None:
        self._put(self._output_bucket, f"videos/{job.id}.json", sidecar(job))

    def failed(self, job: Job) -> None:
        if job.source.get("type") != "drop" or job.error is None:
            return
        drop = Drop(job.source["bucket"], job.source["key"], job.source["version"])
        told = ERRORS.get(job.error.code, InternalError)(job.error.message, provider_message=job.error.provider_message)
        _, _, document = problem(told, instance=f"/videos/{job.id}")
        faults = {} if job.error.faults is None else {"errors": job.error.faults}
        self._put(drop.bucket, drop.failure_key, document | faults | {"source": job.source})

    def _put(self, bucket: str, key: str, note: Mapping[str, Any]) -> None:
        body = json.dumps(note, indent=2, ensure_ascii=False).encode()
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
        except (ClientError, BotoCoreError) as error:
            raise StorageFailed(f"S3 did not store '{key}' ({type(error).__name__}). It is tried again.") from error
