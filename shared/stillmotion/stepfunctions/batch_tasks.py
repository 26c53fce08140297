"""Where batches meet their state machine: what its tasks answer, and what ended it early."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion.aws_errors import code_of
from stillmotion.batches.collect import Collecting
from stillmotion.batches.open import Batches, Opened, handed_over, ordered
from stillmotion.batches.prepare import Preparing
from stillmotion.batches.record import Batch
from stillmotion.batches.store import BatchStore
from stillmotion.errors import BatchStopped, InternalError, Refused, StillmotionError, StorageFailed, from_workflow

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

TOO_MANY_FAILED = "States.ExceedToleratedFailureThreshold"


def prepare(data: Any, execution_arn: str, store: BatchStore, batches: Batches, preparing: Preparing) -> dict[str, Any]:
    """What the PrepareBatch state answers: ids, numbers and the place of the list, never the list."""
    known = handed_over(data)
    if known is not None:
        batch = store.find(known)
        if batch is None:
            raise StorageFailed(f"The record of batch '{known}' is not there. Try again.")
        opened = Opened(batch, mine=batch.execution_arn == execution_arn)
    else:
        asked = ordered(data)
        if asked is None:
            return {"outcome": "ignored"}
        opened = batches.open(asked, lambda _id, _run: execution_arn, own=execution_arn)
    if not opened.mine:
        return {"outcome": "duplicate", "id": opened.batch.id, "execution_arn": opened.batch.execution_arn}
    try:
        return _prepared(preparing.prepare(opened.batch), preparing.bucket)
    except Refused as error:
        return {"outcome": "refused", "id": opened.batch.id, "error": error.as_record()}


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
    batch_id = _prepared_state(state).get("id") or handed_over(state["input"])
    found = store.find(batch_id) if batch_id else None
    batch = found if found is not None and found.execution_arn == execution_arn else None
    error = _early_end(state, batch)
    if error is not None:
        _note(state["input"], collecting, error)
    if batch is None:
        error = error or InternalError("The batch has no record. Look at this execution's history.")
        collecting.refuse(execution_arn, error)
        return {"status": "refused", "summary": {}} | _failure(error)
    ended = collecting.collect(batch, error)
    told = {} if ended.summary is None else ended.summary.facts()
    return {"status": str(ended.status), "summary": told} | _failure(error)


def _prepared_state(state: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = state.get("prepared", {}).get("batch", {})
    return found


def _failure(error: StillmotionError | None) -> dict[str, Any]:
    if error is None:
        return {"error": "", "cause": ""}
    return {"error": error.code, "cause": json.dumps(error.as_record(), ensure_ascii=False)[:30_000]}


def _note(data: Any, collecting: Collecting, error: StillmotionError) -> None:
    try:
        asked = ordered(data)
    except Refused:
        return
    if asked is not None and asked.manifest is not None:
        collecting.note(asked.manifest, error)


def _early_end(state: Mapping[str, Any], batch: Batch | None) -> StillmotionError | None:
    """What ended a run early: a refusal, or a caught error; ``None`` when nothing did."""
    refused = _prepared_state(state).get("error")
    if refused is not None:
        return from_workflow(refused["code"], json.dumps({"errorMessage": json.dumps(refused)}))
    caught = state.get("error")
    if caught is None:
        return None
    name = str(caught.get("Error", ""))
    told = from_workflow(name, str(caught.get("Cause", "")))
    if batch is None or batch.items is None:
        return told
    why = f"more items failed than the {batch.order.tolerated_failure_percentage:g} % that are tolerated"
    return BatchStopped(
        f"The batch was stopped: {why if name == TOO_MANY_FAILED else told.detail} Items under way were ended with it. "
        "Run the batch again to go on with those; they are not paid anew."
    )


def start(machine: SFNClient, batch: Batch) -> None:
    """Start the execution that a batch was claimed for; one that runs already is the one that was wanted.

    Raises:
        StorageFailed: Step Functions did not take it.
    """
    head, _, name = batch.execution_arn.rpartition(":")
    try:
        machine.start_execution(
            stateMachineArn=head.replace(":execution:", ":stateMachine:"),
            name=name,
            input=json.dumps({"batch": {"id": batch.id, "run": batch.run}}),
        )
    except (ClientError, BotoCoreError) as error:
        code = code_of(error)
        if code != "ExecutionAlreadyExists":
            raise StorageFailed(f"Step Functions did not start batch '{batch.id}' ({code}). Send it again.") from error


def execution_status(machine: SFNClient, execution_arn: str) -> str:
    """The status of an execution as Step Functions has it, ``GONE`` when there is none.

    Raises:
        StorageFailed: Step Functions did not answer.
    """
    try:
        return str(machine.describe_execution(executionArn=execution_arn)["status"])
    except (ClientError, BotoCoreError) as error:
        code = code_of(error)
        if code == "ExecutionDoesNotExist":
            return "GONE"
        raise StorageFailed(f"Step Functions did not tell of an execution ({code}). Try again.") from error


def item_counts(machine: SFNClient, execution_arn: str) -> dict[str, int]:
    """How far the items of a running batch are: ``pending, running, succeeded, failed, …``, empty before they start."""
    try:
        runs = machine.list_map_runs(executionArn=execution_arn, maxResults=1)["mapRuns"]
        if not runs:
            return {}
        counts = machine.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]
    except (ClientError, BotoCoreError) as error:
        code = code_of(error)
        if code == "ExecutionDoesNotExist":  # Step Functions keeps them for 90 days
            return {}
        raise StorageFailed(f"Step Functions did not count a batch's items ({code}). Try again.") from error
    return {name: int(number) for name, number in counts.items() if isinstance(number, int)}
