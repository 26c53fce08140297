"""The tasks of the batch machine: what they are given, what they answer, and which error ended a run early."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stillmotion.batches.collect import Collecting
from stillmotion.batches.open import Batches, Opened, Ordered
from stillmotion.batches.prepare import Preparing
from stillmotion.batches.public import summary_facts
from stillmotion.batches.record import Batch
from stillmotion.errors import BatchStopped, InternalError, Refused, StillmotionError, StorageFailed, from_workflow
from stillmotion.outbound.redaction import redact_all
from stillmotion.ports import BatchStore
from stillmotion.stepfunctions.batch_input import HandedOverBatch, NotAManifest, UnreadableOrder, read_batch_input

TOO_MANY_FAILED = "States.ExceedToleratedFailureThreshold"


def prepare(data: Any, execution_arn: str, store: BatchStore, batches: Batches, preparing: Preparing) -> dict[str, Any]:
    """What the PrepareBatch state answers: ids, numbers and the place of the list, never the list."""
    match read_batch_input(data):
        case UnreadableOrder(error):
            raise error
        case NotAManifest():
            return {"outcome": "ignored"}
        case HandedOverBatch(batch_id):
            batch = store.find(batch_id)
            if batch is None:
                raise StorageFailed(f"The record of batch '{batch_id}' is not there. Try again.")
            opened = Opened(batch, owned_by_this_execution=batch.execution_arn == execution_arn)
        case Ordered() as asked:
            opened = batches.open(asked, lambda _id, _run: execution_arn, own=execution_arn)
    if not opened.owned_by_this_execution:
        return {"outcome": "duplicate", "id": opened.batch.id, "execution_arn": opened.batch.execution_arn}
    try:
        return _prepared(preparing.prepare(opened.batch), preparing.bucket)
    except Refused as error:
        return {"outcome": "refused", "id": opened.batch.id, "error": redact_all(error.as_record())}


def _prepared(batch: Batch, bucket: str) -> dict[str, Any]:
    return {
        "outcome": "prepared" if batch.prepared["to_run"] else "nothing_to_run",
        "id": batch.id,
        "run": batch.run,
        "owner": batch.owner,
        "bucket": bucket,
        "items_key": batch.items_key,
        "max_concurrency": batch.order.max_concurrency,
        "tolerated_failure_percentage": batch.order.tolerated_failure_percentage,
    }


def collect(state: Mapping[str, Any], execution_arn: str, store: BatchStore, collecting: Collecting) -> dict[str, Any]:
    """End the batch; answers its ``status``, ``summary``, and ``error`` and ``cause`` for Fail."""
    given = read_batch_input(state["input"])
    handed_over = given.batch_id if isinstance(given, HandedOverBatch) else None
    batch_id = _prepared_state(state).get("id") or handed_over
    found = store.find(batch_id) if batch_id else None
    batch = found if found is not None and found.execution_arn == execution_arn else None
    error = _early_end(state, batch)
    if error is not None and isinstance(given, Ordered) and given.manifest is not None:
        collecting.note(given.manifest, error)
    if batch is None:
        error = error or InternalError("The batch has no record. Look at this execution's history.")
        collecting.refuse(execution_arn, error)
        return {"status": "refused", "summary": {}} | _failure(error)
    ended = collecting.collect(batch, error)
    summary = {} if ended.summary is None else summary_facts(ended.summary)
    return {"status": str(ended.status), "summary": summary} | _failure(error)


def _prepared_state(state: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = state.get("prepared", {}).get("batch", {})
    return found


def _failure(error: StillmotionError | None) -> dict[str, Any]:
    if error is None:
        return {"error": "", "cause": ""}
    return {"error": error.code, "cause": json.dumps(redact_all(error.as_record()), ensure_ascii=False)[:30_000]}


def _early_end(state: Mapping[str, Any], batch: Batch | None) -> StillmotionError | None:
    """What ended a run early: a refusal, or a caught error; ``None`` when nothing did."""
    refused = _prepared_state(state).get("error")
    if refused is not None:
        return from_workflow(refused["code"], json.dumps({"errorMessage": json.dumps(refused)}))
    caught = state.get("error")
    if caught is None:
        return None
    name = str(caught.get("Error", ""))
    error = from_workflow(name, str(caught.get("Cause", "")))
    if batch is None or batch.items is None:
        return error
    why = f"more items failed than the {batch.order.tolerated_failure_percentage:g} % that are tolerated"
    return BatchStopped(
        f"The batch was stopped: {why if name == TOO_MANY_FAILED else error.detail} Items under way were ended with "
        "it. Run the batch again to continue those; they are not paid again."
    )
