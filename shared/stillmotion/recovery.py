"""Jobs that nobody is at: an execution ended without our code running, or was never started.

What is done with a job depends on how far its record says it got:

    queued        nothing was paid: it is submitted now
    submitting    nobody knows whether it was paid: submit_unknown, for a person to settle
    in_progress   paid: polled on
    delivering    paid and finished: brought home
    timed_out     looked up once more after 1 h and after 24 h, and brought home if it has finished

A job that has ended and nobody was told of, because the bus or the bucket did not take it, is told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Protocol

from stillmotion.errors import (
    DownloadFailed,
    GenerationCancelled,
    InternalError,
    JobStateConflict,
    PollingTimedOut,
    StillmotionError,
    SubmitInProgress,
    SubmitOutcomeUnknown,
)
from stillmotion.failure import Failures
from stillmotion.job import Job, Status, timestamp
from stillmotion.job_store import JobStore
from stillmotion.listing import Query
from stillmotion.modelgates import ModelGates
from stillmotion.provider_job import Outcome
from stillmotion.resuming import Executions, Resuming
from stillmotion.submission import LEASE_SECONDS
from stillmotion.telemetry import count, logger

STILL_SECONDS = 900.0
"""A job that has not changed for so long may have lost its execution."""

SECOND_LOOKS = (timedelta(hours=1), timedelta(hours=24))
LOOKED_FOR = timedelta(hours=96)
MAX_JOBS = 500


class Index(JobStore, Protocol):
    """Job records that can also be listed by status, and by whether anybody was told of them."""

    def untold(self) -> Iterator[str]:
        """The ids of jobs that have ended and nobody was told of."""

    def entries(self, query: Query, partition: str, before: str | None) -> Iterator[dict[str, Any]]:
        """Entries of one partition, newest first."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, in numbers of jobs."""

    looked_at: int
    resumed: int
    settled: int
    told: int
    failed: int


class Recovery:
    """The use cases of settling and sweeping, over their ports."""

    def __init__(
        self,
        store: Index,
        failures: Failures,
        provider: ModelGates,
        executions: Executions,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._failures = failures
        self._provider = provider
        self._executions = executions
        self._resuming = Resuming(store, executions)
        self._clock = clock

    def execution_ended(self, job_id: str, execution_arn: str, how: str) -> Job | None:
        """Settle the record of a job whose execution ended as ``how`` (``ABORTED``, ``TIMED_OUT``, ``FAILED``).

        A job whose end nobody was told of is told of now. A record that has ended and was told of, or that another
        execution works on, is left alone: the answer is ``None``.

        Raises:
            SubmitInProgress: a submit may be under way; ask again in two minutes.
            StorageFailed: may be tried again.
        """
        job = self._store.find(job_id)
        if job is None or job.execution_arn != execution_arn:
            return None
        if job.terminal:
            return self._failures.tell(job) if job.untold else None
        if job.status is Status.SUBMITTING and job.age_seconds < LEASE_SECONDS:
            raise SubmitInProgress(f"Job '{job.id}' may be being submitted at this moment. Look again soon.")
        return self._settle(job, how)

    def sweep(self) -> Swept:
        """Find what stands still and repair or report it; one job that cannot be repaired does not stop the rest."""
        done = {"resumed": 0, "settled": 0, "told": 0, "failed": 0, "nothing": 0}
        for job in self._standing_still():
            done[self._attempt(self._repair, job)] += 1
        for job in self._timed_out():
            done[self._attempt(self._look_again, job)] += 1
        for job in self._untold():
            done[self._attempt(self._tell, job)] += 1
        swept = Swept(sum(done.values()), done["resumed"], done["settled"], done["told"], done["failed"])
        logger.info("swept", extra=asdict(swept))
        for what, number in done.items():
            if number and what != "nothing":
                count(f"Sweep{what.capitalize()}", number)
        return swept

    def _attempt(self, work: Callable[[Job], str], job: Job) -> str:
        try:
            return work(job)
        except JobStateConflict:
            return "nothing"  # it moved while it was looked at
        except StillmotionError as error:
            logger.error("not repaired", extra={"job_id": job.id, "code": error.code, "reason": error.detail})
            return "failed"

    def _repair(self, job: Job) -> str:
        if job.execution_arn is not None and self._executions.running(job.execution_arn):
            return "nothing"
        if job.status is Status.SUBMITTING:
            self._settle(job, "without a word")
            return "settled"
        self._resuming.go_on(job, Outcome.COMPLETED if job.status is Status.DELIVERING else Outcome.WAITING)
        return "resumed"

    def _settle(self, job: Job, how: str) -> Job:
        """End a job as it was looked at; one that moved since, because a function was still at it, is looked at again.

        Raises:
            SubmitInProgress: it moved.
        """
        job = self._failures.record(job.id, _ended_early(job, how), {job.status}, unchanged_since=job.updated_at)
        if not job.terminal:
            raise SubmitInProgress(f"Job '{job.id}' moved on at this moment. Look again soon.")
        return job

    def _look_again(self, job: Job) -> str:
        if job.provider.job_id is None or job.completed_at is None or job.looks >= len(SECOND_LOOKS):
            return "nothing"
        if self._clock() < datetime.fromisoformat(job.completed_at) + SECOND_LOOKS[job.looks]:
            return "nothing"
        answer = self._provider.job(job.provider.job_id, job.provider.polling_url)
        self._store.update(job.id, expected={Status.TIMED_OUT}, looks=job.looks + 1)
        if answer.outcome is Outcome.WAITING:
            return "nothing"
        told = {"status": answer.status, "generation_id": answer.generation_id, "error": answer.error}
        known = {name: value for name, value in told.items() if value is not None}
        self._resuming.go_on(job, answer.outcome, provider=job.provider.model_copy(update=known))
        return "resumed"

    def _tell(self, job: Job) -> str:
        self._failures.tell(job)
        return "told"

    def _untold(self) -> Iterator[Job]:
        for job_id in islice(self._store.untold(), MAX_JOBS):
            job = self._store.find(job_id)
            if job is not None and job.untold and self._age(job) >= STILL_SECONDS:
                yield job

    def _age(self, job: Job) -> float:
        """Seconds since the record last changed."""
        return (self._clock() - datetime.fromisoformat(job.updated_at)).total_seconds()

    def _standing_still(self) -> Iterator[Job]:
        now = self._clock()
        for status in (Status.QUEUED, Status.SUBMITTING, Status.IN_PROGRESS, Status.DELIVERING):
            before = timestamp(now - timedelta(seconds=STILL_SECONDS))
            for job in self._jobs(Query(None, status), before):
                if job.status is status and self._age(job) >= STILL_SECONDS:
                    yield job

    def _timed_out(self) -> Iterator[Job]:
        now = self._clock()
        yield from self._jobs(Query(None, Status.TIMED_OUT, created_after=timestamp(now - LOOKED_FOR)), None)

    def _jobs(self, query: Query, before: str | None) -> Iterator[Job]:
        found = 0
        for partition in query.partitions:
            for entry in self._store.entries(query, partition, before):
                job = self._store.find(str(entry["id"]))
                if job is not None:
                    yield job
                found += 1
                if found == MAX_JOBS:
                    return


def _ended_early(job: Job, how: str) -> StillmotionError:
    """Why a job has no video whose workflow ended ``how``, by how far it had got."""
    if job.status is Status.QUEUED:
        detail = f"The workflow of the job ended ({how}) before anything was submitted; nothing was charged."
        return GenerationCancelled(detail) if how == "ABORTED" else InternalError(detail)
    if job.status is Status.SUBMITTING:
        return SubmitOutcomeUnknown(
            f"The workflow of the job ended ({how}) while submitting, so ModelGates may have accepted it. It is not "
            "sent again; look it up in the ModelGates account and settle the job by hand."
        )
    if job.status is Status.DELIVERING:
        return DownloadFailed(
            f"The workflow of the job ended ({how}) while its video was being stored. It is finished at ModelGates: "
            "resume the job soon."
        )
    return PollingTimedOut(
        f"The workflow of the job ended ({how}) before it was finished. ModelGates accepted it, and it may still "
        "finish: do not submit it again, resume it."
    )
