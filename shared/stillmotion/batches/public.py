"""What leaves the stack of a batch's record: an allow-list, so that a new field of the record stays private until it is
named here. (``GET /batches/{id}`` has a view of its own in the API.)

    summary_facts   summary.json, the workflow's output and, with ``schema_version``, the event's detail
    error_facts     the error of a batch or of one of its items
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillmotion.batches.record import BatchSummary
from stillmotion.outbound.redaction import redact_all

_SUMMARY = (
    *("id", "run", "status", "manifest", "items", "done", "failed", "skipped", "not_run", "failed_by_reason"),
    *("cost_usd", "duration_seconds", "started_at", "ended_at", "results"),
)
_ERROR = ("code", "message", "retryable", "provider_message", "faults")


def summary_facts(summary: BatchSummary) -> dict[str, Any]:
    """The fields of a summary that have a value."""
    known = summary.as_json()
    facts = {name: known[name] for name in _SUMMARY if name in known}
    return facts if summary.error is None else facts | {"error": error_facts(summary.error)}


def error_facts(error: Mapping[str, Any]) -> dict[str, Any]:
    """The public fields of an error's record, without the secrets that foreign words may hold."""
    facts: dict[str, Any] = redact_all({name: error[name] for name in _ERROR if name in error})
    return facts
