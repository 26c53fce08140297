"""Purging a job that has ended: what it was made of and what was made of it is deleted, and its record stays as the
trail of its money.

The order makes it repeatable. The record says first that a purge has begun, and from then on takes no other change that
would bring a clip back; then everything is deleted, by prefix, so that nothing has to be remembered; then the private
fields are cut. A purge that broke off is finished by the next call, and another one of a purged job deletes what may
have been stored meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import batched, islice
from typing import Any, Protocol

from stillmotion.errors import JobStateConflict
from stillmotion.jobs.index import Query
from stillmotion.jobs.lifecycle import BEGIN_PURGE, PURGE
from stillmotion.jobs.record import Job, JobError, now
from stillmotion.jobs.store import get_job
from stillmotion.ports import JobIndex, JobReader, ObjectVersions
from stillmotion.requests.owned_names import upload_prefix
from stillmotion.telemetry import logger

KEPT_OF_REQUEST = ("model", "duration", "resolution", "aspect_ratio", "size", "generate_audio", "upscale_factor")
"""What decided the price."""
KEPT_OF_SOURCE = ("type", "event_id", "event_source", "execution_arn", "batch_id", "item_id")
CUT = "The job was purged, and the words of its error with it."
INSPECTION_SECONDS = 360.0
"""Longer than the function that inspects may run: it may still put pictures beside the clip."""
MOST_JOBS = 2000
"""Of an owner, looked at for one that names the same upload."""
_READ_AT_ONCE = 100


class Jobs(JobIndex, JobReader, Protocol):
    """Job records by id, several at once, and listed by their owner."""


class Purging:
    """The use case of purging.

    Args:
        input_bucket, output_bucket: the stack's; objects in earlier buckets are out of its reach.
    """

    def __init__(self, store: Jobs, objects: ObjectVersions, input_bucket: str, output_bucket: str) -> None:
        self._store = store
        self._objects = objects
        self._input_bucket = input_bucket
        self._output_bucket = output_bucket

    def purge(self, job: Job) -> Job:
        """Delete a job's video, its pictures, its sidecar, and the uploads that are this job's alone; cut its record.

        Raises:
            JobStateConflict: it has not ended, or its end is still being worked on.
            StorageFailed: something could not be deleted; the next call goes on.
        """
        _require_ended(job)
        job = self._begin(job)
        left = list(self._delete(job))
        if job.purged_at is not None:
            return job
        job = self._store.update(job.id, PURGE, only=job.status, purged_at=now(), **_cut(job), warnings=left)
        logger.info("job purged", extra={"job_id": job.id, "left": len(left)})
        return job

    def _begin(self, job: Job) -> Job:
        if job.purge_begun_at is not None:
            return job
        try:
            return self._store.update(
                job.id, BEGIN_PURGE, only=job.status, unchanged_since=job.updated_at, purge_begun_at=now()
            )
        except JobStateConflict:
            held = get_job(self._store, job.id)
            if held.purge_begun_at is None:
                raise JobStateConflict(
                    f"Job '{job.id}' changed at this moment, so nothing was deleted. Try again in a few seconds.",
                    retry_after=5,
                ) from None
            return held  # another call was first; both may delete

    def _delete(self, job: Job) -> Iterator[str]:
        """Delete everything that is this job's alone; says what is left."""
        made = (one for one in self._objects.versions(self._output_bucket, f"videos/{job.id}") if _is_of(job, one.key))
        self._objects.delete(self._output_bucket, made)
        given = self._objects.versions(self._input_bucket, f"{upload_prefix(job.owner)}{job.id}/")
        self._objects.delete(self._input_bucket, given)
        for key in self._named_uploads(job):
            versions = [one for one in self._objects.versions(self._input_bucket, key) if one.key == key]
            if versions and self._is_shared(job, key, min(one.put_at for one in versions)):
                yield f"The upload {key} is left: another job names it, or may. It goes by itself in time."
            else:
                self._objects.delete(self._input_bucket, versions)
        for video in job.video:
            if video.bucket != self._output_bucket:
                yield (
                    f"s3://{video.bucket}/{video.key} is in an earlier output bucket of this stack and is left: delete "
                    "it with permission of your own."
                )

    def _named_uploads(self, job: Job) -> list[str]:
        """The keys of its owner's uploads that the request names, without those that were made for another job."""
        if job.owner is None:
            return []
        prefix = upload_prefix(job.owner)
        keys = {key for bucket, key in _places(job.request) if bucket == self._input_bucket.lower()}
        return sorted(key for key in keys if key.startswith(prefix) and "/" not in key.removeprefix(prefix))

    def _is_shared(self, job: Job, key: str, put_at: str) -> bool:
        """Whether another job of this owner names an upload, which is possible since it was put (ISO-8601)."""
        query = Query(job.owner, created_after=put_at)
        entries = (entry for part in query.partitions for entry in self._store.entries(query, part, None))
        ids = (str(entry["id"]) for entry in islice(entries, MOST_JOBS + 1))
        looked_at = 0
        for some in batched(ids, _READ_AT_ONCE, strict=False):
            looked_at += len(some)
            others = self._store.find_many([job_id for job_id in some if job_id != job.id])
            if any((self._input_bucket.lower(), key) in _places(other.request) for other in others.values()):
                return True
        return looked_at > MOST_JOBS


def _require_ended(job: Job) -> None:
    if not job.terminal:
        raise JobStateConflict(
            f"Job '{job.id}' is {job.status}: only a job that has ended is purged. Wait for it, or cancel it first."
        )
    if job.unpublished:
        raise JobStateConflict(
            f"Job '{job.id}' has ended as {job.status}, and its event is not published yet. Try again in a minute.",
            retry_after=60,
        )
    if job.uninspected and job.inspection_attempts and job.age_seconds < INSPECTION_SECONDS:
        raise JobStateConflict(
            f"The clip of job '{job.id}' is being inspected at this moment. Try again in a minute.", retry_after=60
        )


def _is_of(job: Job, key: str) -> bool:
    """Whether a key that begins with the job's is its own: ``videos/{id}.mp4``, ``videos/{id}-last.jpg``."""
    return key.removeprefix(f"videos/{job.id}")[:1] in (".", "-")


def _cut(job: Job) -> dict[str, Any]:
    """The changes that leave of a record what its money needs: who, when, which model, what it cost, and its error's
    code. ``video`` and ``metadata`` stay: they name objects that are gone, and what usage is summed up by."""
    error = None
    if job.error is not None:
        error = JobError(code=job.error.code, message=CUT, retryable=job.error.retryable)
    return {
        "request": _only(job.request, KEPT_OF_REQUEST),
        "source": _only(job.source, KEPT_OF_SOURCE),
        "provider": replace(job.provider, polling_url=None, error=None),
        "error": error,
        "inspection": None,
    }


def _only(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


def _places(part: Any) -> set[tuple[str, str]]:
    """Bucket, in lower case, and key of every ``s3://`` address in a request."""
    if isinstance(part, str):
        scheme, slashes, place = part.partition("://")
        bucket, _, key = place.partition("/")
        return {(bucket.lower(), key)} if slashes and scheme.lower() == "s3" else set()
    parts = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    return {place for one in parts for place in _places(one)}
