"""Batches as the API shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from stillmotion.api.views import Timestamp
from stillmotion.batches.public import summary_facts
from stillmotion.batches.record import Batch, BatchStatus

_AT_WORK = (BatchStatus.PREPARING, BatchStatus.RUNNING)


class BatchCounts(BaseModel):
    """Items by their state; ``not_run`` are those that had not begun when the batch ended early."""

    pending: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    not_run: int = 0


class BatchError(BaseModel):
    """Why a batch was refused, or ended early."""

    code: str
    message: str


class BatchView(BaseModel):
    """A batch's latest run. Money is USD; ``cost_usd`` is what this run was charged, ``null`` until it has ended."""

    model_config = ConfigDict(title="Batch")

    id: str
    run: int = Field(ge=1)
    status: BatchStatus
    manifest: str
    execution_arn: str
    items: int | None = Field(description="rows of the manifest; null until it is read")
    counts: BatchCounts
    failed_by_reason: dict[str, int]
    estimated_cost_usd: float | None = Field(description="null where a model states no price")
    cost_usd: float | None
    duration_seconds: float | None
    results: str | None = Field(description="S3 address of the results, JSON Lines")
    results_url: str | None = Field(
        description="presigned link to the results, good for an hour unless the stack says otherwise; null until the "
        "run has ended, and in the answer to an order"
    )
    error: BatchError | None
    started_at: str = Timestamp
    ended_at: str | None


class BatchSummaryView(BaseModel):
    """The result of a run. ``done``, ``failed``, ``skipped`` and ``not_run`` add up to ``items``; money is USD."""

    id: str
    run: int = Field(ge=1)
    status: BatchStatus
    manifest: str
    items: int = Field(ge=0, description="rows of the manifest")
    done: int = Field(ge=0, description="videos made by this run")
    failed: int = Field(ge=0)
    skipped: int = Field(ge=0, description="done by an earlier run")
    not_run: int = Field(ge=0, description="not begun when the run was stopped")
    failed_by_reason: dict[str, int]
    cost_usd: float = Field(ge=0, description="what ModelGates charged for this run, as far as it stated a charge")
    duration_seconds: float = Field(ge=0)
    started_at: str
    ended_at: str
    results: str | None = Field(default=None, description="S3 address of the results, JSON Lines")
    error: dict[str, Any] | None = Field(default=None, description="why it was refused or stopped")


def show_batch(
    batch: Batch,
    counts: Callable[[str], dict[str, int]],
    link: Callable[[Batch], str | None] = lambda _: None,
    *,
    aborted: bool = False,
) -> dict[str, Any]:
    """A batch as ``GET /batches/{id}`` shows it; ``counts`` gives the item counts of its execution while that runs,
    ``link`` a presigned link to its results.
    """
    summary = {} if batch.summary is None else summary_facts(batch.summary)
    status = BatchStatus.ABORTED if aborted else batch.status
    view = BatchView(
        id=batch.id,
        run=batch.run,
        status=status,
        manifest=batch.manifest.address,
        execution_arn=batch.execution_arn,
        items=batch.items,
        counts=BatchCounts.model_validate(summary or _live(batch, counts, aborted=aborted)),
        failed_by_reason=summary.get("failed_by_reason", {}),
        estimated_cost_usd=batch.estimated_cost_usd,
        cost_usd=summary.get("cost_usd"),
        duration_seconds=summary.get("duration_seconds"),
        results=summary.get("results"),
        results_url=link(batch) if summary.get("results") else None,
        error=None if batch.error is None else BatchError.model_validate(batch.error),
        started_at=batch.started_at,
        ended_at=summary.get("ended_at"),
    )
    return view.model_dump(mode="json")


def _live(batch: Batch, counts: Callable[[str], dict[str, int]], *, aborted: bool) -> dict[str, int]:
    if batch.items is None:
        return {}
    found = counts(batch.execution_arn) if batch.prepared["to_run"] else {}
    ended = sum(found.get(name, 0) for name in ("failed", "timedOut", "aborted"))
    waiting = found.get("pending", 0) if found else batch.prepared["to_run"]
    live = {
        "running": found.get("running", 0),
        "done": found.get("succeeded", 0),
        "failed": ended + batch.prepared["failed"],
        "skipped": batch.prepared["skipped"],
    }
    return live | ({"not_run": waiting} if aborted else {"pending": waiting})
