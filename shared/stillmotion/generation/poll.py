"""Asking ModelGates for a job's status. It costs nothing, changes nothing there, and never fails a paid job."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from stillmotion.errors import JobStateConflict, ProviderThrottled
from stillmotion.jobs.lifecycle import NOTE_POLL, Status
from stillmotion.jobs.record import Job
from stillmotion.jobs.store import get_job
from stillmotion.modelgates.job import Outcome
from stillmotion.ports import JobStore, Provider
from stillmotion.telemetry import logger


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll found.

    ``outcome`` is ``waiting`` or a terminal one; ``retry_after`` the seconds for which ModelGates asked not to be
    polled again, 0 when it did not.
    """

    job: Job
    outcome: Outcome
    retry_after: float = 0.0

    def for_machine(self, interval: int) -> dict[str, Any]:
        """What the state machine decides by: ids, the outcome, and how long to wait before the next poll."""
        wait = max(interval, math.ceil(self.retry_after))
        return {"id": self.job.id, "outcome": str(self.outcome), "wait_seconds": wait}


class Polling:
    """The use case of polling a job."""

    def __init__(self, store: JobStore, provider: Provider) -> None:
        self._store = store
        self._provider = provider

    def poll(self, job_id: str, polls: int) -> Polled:
        """Ask ModelGates for the job and record the answer; ``polls`` is the number of this poll.

        Raises:
            ProviderUnavailable, ProviderUnauthorized: no answer this time, which says nothing about the job.
            JobNotFound, StorageFailed: the record could not be read or written.
        """
        job = get_job(self._store, job_id)
        if job.terminal:
            return Polled(job, _outcome_of(job))
        if job.provider.job_id is None:
            raise JobStateConflict(f"Job '{job.id}' is {job.status} and has no id at ModelGates: nothing to poll.")
        try:
            answer = self._provider.job(job.provider.job_id, job.provider.polling_url)
        except ProviderThrottled as throttled:
            return Polled(job, Outcome.WAITING, throttled.retry_after or 0.0)
        try:
            job = self._store.update(
                job.id,
                NOTE_POLL,
                polls=polls,
                **job.with_answer(answer),
            )
        except JobStateConflict:  # it ended between the two: the record counts
            ended = get_job(self._store, job.id)
            return Polled(ended, _outcome_of(ended))
        logger.info("polled", extra={"job_id": job.id, "provider_status": answer.status, "polls": polls})
        return Polled(job, answer.outcome)


def _outcome_of(job: Job) -> Outcome:
    """The outcome that corresponds to a job's end, where another process has ended it meanwhile."""
    return {
        Status.COMPLETED: Outcome.COMPLETED,
        Status.CANCELLED: Outcome.CANCELLED,
        Status.EXPIRED: Outcome.EXPIRED,
    }.get(job.status, Outcome.FAILED)
