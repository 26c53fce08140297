"""What leaves the stack of a job's record. Each view is an allow-list: a new field of the record is private until it is
named here.

    http_view         GET /videos/{id} and the answers of the other routes (the API adds links to the videos)
    event_detail      the detail of an event on the bus
    sidecar           the JSON object beside a stored video
    workflow_output   the output of an execution
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillmotion.jobs.record import SCHEMA_VERSION, Job
from stillmotion.outbound.redaction import redact_all, redact_url

_WHOLE = None
_OUTCOME: Mapping[str, frozenset[str] | None] = {
    "id": _WHOLE,
    "status": _WHOLE,
    "usage": frozenset({"cost_usd", "may_have_cost_usd"}),
    "video": frozenset({"bucket", "key", "bytes", "content_type", "checksum"}),
    "metadata": _WHOLE,
    "completed_at": _WHOLE,
}
_RECORD: Mapping[str, frozenset[str] | None] = {
    **_OUTCOME,
    "request": _WHOLE,
    "source": frozenset(
        {"type", "bucket", "key", "version", "event_id", "event_source", "execution_arn", "batch_id", "item_id"}
    ),
    "provider": frozenset({"job_id", "generation_id", "status", "polling_url", "error"}),
    "polls": _WHOLE,
    "estimated_cost_usd": _WHOLE,
    "price": frozenset({"at_most_usd", "at_least_usd", "basis", "open", "reason"}),
    "error": frozenset({"code", "message", "retryable", "provider_message", "faults"}),
    "warnings": _WHOLE,
    "chosen": _WHOLE,
    "inspection": _WHOLE,  # made of the dataclasses of inspection/report.py, all of them public
    "execution_arn": _WHOLE,
    "created_at": _WHOLE,
    "updated_at": _WHOLE,
    "purged_at": _WHOLE,
}
"""The public fields of the record; of a nested object (or of each in a list) the fields that are named, or all."""
_FOREIGN_WORDS = frozenset({"provider", "error", "warnings", "metadata"})
"""Fields with texts of callers and of ModelGates, which may hold secrets of any shape."""


def http_view(job: Job) -> dict[str, Any]:
    """The record as callers see it; media addresses without their query strings, ``resumable`` where it is true."""
    shown = _pick(job, _RECORD)
    resumable = {"resumable": True} if job.resumable else {}
    return shown | {"request": without_signatures(job.request)} | resumable


def event_detail(job: Job) -> dict[str, Any]:
    """The detail of an event, ``schema_version`` first."""
    return {"schema_version": SCHEMA_VERSION} | http_view(job)


def sidecar(job: Job) -> dict[str, Any]:
    """The JSON object beside the stored video, ``schema_version`` first."""
    return {"schema_version": SCHEMA_VERSION} | http_view(job)


def workflow_output(job: Job) -> dict[str, Any]:
    """The workflow's output: only the stored video's fields."""
    return _pick(job, _OUTCOME) | {"model": job.model}


def _pick(job: Job, public: Mapping[str, frozenset[str] | None]) -> dict[str, Any]:
    shown = {name: _narrowed(value, public[name]) for name, value in job.as_json().items() if name in public}
    return shown | {name: redact_all(shown[name]) for name in _FOREIGN_WORDS & shown.keys()}


def _narrowed(value: Any, names: frozenset[str] | None) -> Any:
    if names is None:
        return value
    if isinstance(value, list):
        return [_narrowed(part, names) for part in value]
    return {name: part for name, part in value.items() if name in names}


def without_signatures(request: Any) -> Any:
    """The request with the query strings of its media addresses cut off: a link that a caller signed is a secret."""
    if isinstance(request, list):
        return [without_signatures(part) for part in request]
    if not isinstance(request, Mapping):
        return redact_all(request)
    return {
        name: redact_url(value) if name == "url" and isinstance(value, str) else without_signatures(value)
        for name, value in request.items()
    }
