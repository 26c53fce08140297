"""For readers who only see S3: a JSON file beside each video, and one for each drop that failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stillmotion.drops.folder import Drop
from stillmotion.errors import ERRORS, InternalError
from stillmotion.jobs.public import http_view, sidecar
from stillmotion.jobs.record import Job
from stillmotion.ports import ObjectStore
from stillmotion.problems import problem


class S3Notes:
    """Notes as objects: ``videos/{id}.json`` in the output bucket, ``failed/<name>.json`` where the drop was."""

    def __init__(self, objects: ObjectStore, output_bucket: str) -> None:
        self._objects = objects
        self._output_bucket = output_bucket

    def completed(self, job: Job) -> None:
        self._put(self._output_bucket, f"videos/{job.id}.json", sidecar(job))

    def failed(self, job: Job) -> None:
        if job.source.get("type") != "drop" or job.error is None or "key" not in job.source:  # purged
            return
        drop = Drop(job.source["bucket"], job.source["key"], job.source["version"])
        self._put(drop.bucket, drop.failure_key, drop_failure(job))

    def _put(self, bucket: str, key: str, note: Mapping[str, Any]) -> None:
        self._objects.put(bucket, key, json.dumps(note, indent=2, ensure_ascii=False).encode(), "application/json")


def drop_failure(job: Job) -> dict[str, Any]:
    """The problem document of a job that ended with an error, with the public part of its source."""
    shown = http_view(job)
    error = shown["error"]
    kind = ERRORS.get(error["code"], InternalError)
    cause = kind(error["message"], provider_message=error.get("provider_message"))
    _, _, document = problem(cause, instance=f"/videos/{job.id}")
    faults = {"errors": error["faults"]} if "faults" in error else {}
    return document | faults | {"source": shown["source"]}
