"""Asking ModelGates for a job's status. It costs nothing, changes nothing there, and never fails a paid job."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from stillmotion.errors import JobStateConflict, ProviderThrottled
from stillmotion.generation.adopt import Adoption
from stillmotion.jobs.lifecycle import NOTE_POLL, Status
from stillmotion.jobs.record import Job
from stillmotion.jobs.store import get_job
from stillmotion.modelgates.job import Outcome
from stillmotion.ports import Callbacks, JobStore, Provider
from stillmotion.telemetry import count, logger

UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll found.

    ``outcome`` is ``waiting`` or a terminal one, or ``unconfirmed``: the submit's outcome is unknown, and no callback
    has named the job in time. ``retry_after`` the seconds for which ModelGates asked not to be
    polled again, 0 when it did not; ``wakes`` the number of callbacks that had come before ModelGates was asked.
    """

    job: Job
    outcome: Outcome | str
    retry_after: float = 0.0
    wakes: int = 0

    def for_machine(self, interval: int) -> dict[str, Any]:
        """What the state machine decides by: ids, the outcome, how long to wait before the next poll, and the number of
        callbacks seen, as text: so DynamoDB's API takes numbers.
        """
        wait = max(interval, math.ceil(self.retry_after))
        return {"id": self.job.id, "outcome": str(self.outcome), "wait_seconds": wait, "wakes": str(self.wakes)}


class Polling:
    """The use case of polling a job.

    Args:
        callbacks: ``None`` where ModelGates does not call back.
        adoption: for jobs that a callback may name; made when it is first needed.
    """

    def __init__(
        self,
        store: JobStore,
        provider: Provider,
        callbacks: Callbacks | None = None,
        adoption: Callable[[], Adoption] | None = None,
    ) -> None:
        self._store = store
        self._provider = provider
        self._callbacks = callbacks
        self._adoption = adoption

    def poll(self, job_id: str, polls: int, seen_wakes: int = 0) -> Polled:
        """Ask ModelGates for the job and record the answer.

        Args:
            polls: the number of this poll.
            seen_wakes: the number of callbacks that the last poll has seen.

        Raises:
            ProviderUnavailable, ProviderUnauthorized: no answer this time, which says nothing about the job.
            JobNotFound, StorageFailed: the record could not be read or written.
        """
        job = get_job(self._store, job_id)
        if job.terminal:
            return Polled(job, _outcome_of(job))
        # Before ModelGates is asked: a callback that comes later leads to another poll.
        wakes = self._wakes(job, seen_wakes)
        if job.status is Status.CONFIRMING:
            return replace(self._confirm(job), wakes=wakes)
        if job.provider.job_id is None:
            raise JobStateConflict(f"Job '{job.id}' is {job.status} and has no id at ModelGates: nothing to poll.")
        return replace(self._ask(job, job.provider.job_id, polls), wakes=wakes)

    def _ask(self, job: Job, provider_id: str, polls: int) -> Polled:
        try:
            answer = self._provider.job(provider_id, job.provider.polling_url)
        except ProviderThrottled as throttled:
            return Polled(job, Outcome.WAITING, throttled.retry_after or 0.0)
        try:
            job = self._store.update(
                job.id,
                NOTE_POLL,
                polls=polls,
                **job.with_answer(answer),
            )
        except JobStateConflict:  # the job ended after it was read: the record decides
            ended = get_job(self._store, job.id)
            return Polled(ended, _outcome_of(ended))
        logger.info("polled", extra={"job_id": job.id, "provider_status": answer.status, "polls": polls})
        return Polled(job, answer.outcome)

    def _confirm(self, job: Job) -> Polled:
        """Adopt the id that a callback has named; else keep waiting, until the time is over."""
        try:
            adopted = None if self._adoption is None else self._adoption().adopt(job)
        except ProviderThrottled as throttled:
            return Polled(job, Outcome.WAITING, throttled.retry_after or 0.0)
        if adopted is not None:
            return Polled(adopted, adopted.last_said)
        return Polled(job, UNCONFIRMED if job.confirming_is_over else Outcome.WAITING)

    def _wakes(self, job: Job, seen: int) -> int:
        if self._callbacks is None:
            # Callbacks were switched off while it waits. What it has seen stays, or it would poll without a pause.
            return seen
        found = self._callbacks.find(job.id)
        if found.wakes != seen and job.provider.job_id and found.provider_id not in (None, job.provider.job_id):
            logger.error(
                "a callback names another id than the record",
                extra={"job_id": job.id, "provider_job_ids": [job.provider.job_id, found.provider_id]},
            )
            count("PossibleDoublePayments")
        return found.wakes


def _outcome_of(job: Job) -> Outcome:
    """The outcome that corresponds to a job's end, where another process has ended it meanwhile."""
    return {
        Status.COMPLETED: Outcome.COMPLETED,
        Status.CANCELLED: Outcome.CANCELLED,
        Status.EXPIRED: Outcome.EXPIRED,
    }.get(job.status, Outcome.FAILED)
