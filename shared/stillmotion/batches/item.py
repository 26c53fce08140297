"""One item of a batch, and the job that it becomes.

Each attempt at an item has a job of its own. While an attempt may still produce a video, later runs of the batch
continue it. Only after it has failed for good does a later run make the next attempt. The attempt's number is part of
the job id, so the same attempt made twice, even at the same moment, is paid once
(:mod:`stillmotion.generation.submit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillmotion.errors import Fault, InvalidRequest
from stillmotion.jobs.lifecycle import TERMINAL, Status
from stillmotion.jobs.record import Job, derived_job_id

MAX_ITEM_ID_CHARACTERS = 128
HOPELESS = frozenset({"NotAVideo", "GenerationExpired"})
"""Paid, and not resumed by a batch: ModelGates' output was no video, or is gone."""


class AttemptState(StrEnum):
    """What an attempt's job means for the next run of its batch."""

    NEW = "new"
    RESUMABLE = "resumable"
    DONE = "done"
    UNKNOWN = "unknown"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class BatchItem:
    """An item's attempt; ``owner`` is who started the batch, ``None`` where it has no owner."""

    batch_id: str
    item_id: str
    attempt: int = 1
    owner: str | None = None

    @classmethod
    def from_input(cls, given: Any) -> BatchItem:
        """The item that an execution's input names as ``{"id", "item_id", "attempt", "owner"}``.

        Raises:
            InvalidRequest: it names none.
        """
        item = given if isinstance(given, Mapping) else {}
        batch_id, item_id, attempt = item.get("id"), item.get("item_id"), item.get("attempt", 1)
        named = all(isinstance(part, str) and part for part in (batch_id, item_id))
        if not named or not isinstance(attempt, int) or attempt < 1:
            detail = "must be an object with the batch's id, the item_id and, beyond the first, the attempt"
            raise InvalidRequest(f"batch {detail}. Nothing was submitted.", faults=[Fault("#/batch", detail)])
        owner = item.get("owner")
        return cls(str(batch_id), str(item_id), attempt, None if owner is None else str(owner))

    @property
    def job_id(self) -> str:
        return derived_job_id("batch", self.batch_id, self.item_id, str(self.attempt))

    @property
    def source(self) -> dict[str, str]:
        """Where its job comes from, for the record."""
        return {"type": "batch", "batch_id": self.batch_id, "item_id": self.item_id}


def attempt_state(job: Job | None) -> AttemptState:
    """What to do about an attempt with this record.

    A job that timed out or whose delivery failed is paid, and its video may still be available, so it is continued.
    Output that was no video, or that ModelGates no longer has, is not fetched again.
    """
    if job is None:
        return AttemptState.NEW
    if job.status is Status.COMPLETED:
        return AttemptState.DONE
    if job.status is Status.SUBMIT_UNKNOWN:
        return AttemptState.UNKNOWN
    if job.status not in TERMINAL or (job.resumable and job.error is not None and job.error.code not in HOPELESS):
        return AttemptState.RESUMABLE
    return AttemptState.EXHAUSTED
