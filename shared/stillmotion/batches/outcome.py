"""The outcome of an item: one line of ``results.jsonl``.

{"row", "item_id", "status": done | skipped | failed, "job_id", "attempt", "cost_usd", "video", "metadata",
 "completed_at", "error": {"code", "message", …}}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stillmotion.batches.item import BatchItem
from stillmotion.batches.public import error_facts
from stillmotion.errors import InternalError, JobStateConflict, StillmotionError
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.public import workflow_output
from stillmotion.jobs.record import Job, derived_job_id
from stillmotion.outbound.redaction import redact_all

MAX_MESSAGE_CHARACTERS = 1000


def failed(row: int, item_id: str, error: StillmotionError) -> dict[str, Any]:
    """The outcome of an item that never became a job."""
    return {"row": row, "item_id": item_id, "status": "failed", "error": _short(redact_all(error.as_record()))}


def outcome_of(row: int, item: BatchItem, job: Job, *, skipped: bool = False) -> dict[str, Any]:
    """The outcome of an item by its job's record; ``skipped`` when this run did nothing for it."""
    outcome: dict[str, Any] = {"row": row, "item_id": item.item_id, "job_id": job.id, "attempt": item.attempt}
    if job.usage.cost_usd is not None:
        outcome["cost_usd"] = job.usage.cost_usd
    if job.usage.may_have_cost_usd is not None:
        outcome["may_have_cost_usd"] = job.usage.may_have_cost_usd
    if job.status is Status.COMPLETED:
        shown = workflow_output(job)
        status = "skipped" if skipped else "done"
        outcome |= {"status": status, "video": shown["video"], "completed_at": job.completed_at}
        return outcome | ({"metadata": shown["metadata"]} if job.metadata else {})
    return outcome | {"status": "failed", "error": _short(_why(job))}


def record_item(state: Mapping[str, Any], find: Callable[[str], Job | None], execution_arn: str) -> dict[str, Any]:
    """The outcome of an item whose execution has ended, by its job's record: the execution's own error text may be cut
    off.

    Args:
        state: ``{"batch": {"id", …}, "item": a line of items.jsonl, "error": …}``, the last where it failed.
        find: the record of a job by its id, ``None`` when there is none.
        execution_arn: of the execution that ran the item.
    """
    line = state["item"]
    item = BatchItem(state["batch"]["id"], line["item_id"], line["attempt"])
    refused = find(derived_job_id("execution", execution_arn)) if "error" in state else None
    job = refused or find(item.job_id)
    if job is None:
        name = str(state.get("error", {}).get("Error", "nothing on record"))
        died = InternalError(f"The item's workflow ended with {name}. Look at the history of {execution_arn}.")
        return failed(line["row"], item.item_id, died)
    return outcome_of(line["row"], item, job, skipped=job.execution_arn != execution_arn)


def _why(job: Job) -> dict[str, Any]:
    if job.error is not None:
        return error_facts(job.error.as_json())
    return JobStateConflict(
        f"Job '{job.id}' is {job.status}, and its workflow has ended or is another one. Run the batch again to "
        "continue it; it is not paid again."
    ).as_record()


def _short(error: Mapping[str, Any]) -> dict[str, Any]:
    """An error without its list of faults, which its message repeats, and of bounded length."""
    kept = {name: value for name, value in error.items() if name != "faults"}
    for name in ("message", "provider_message"):
        if len(str(kept.get(name) or "")) > MAX_MESSAGE_CHARACTERS:
            kept[name] = str(kept[name])[:MAX_MESSAGE_CHARACTERS] + "…"
    return kept
