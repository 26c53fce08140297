"""Jobs that nobody is at: an execution ended without our code running, or was never started.

What is done with a job depends on how far its record says it got:

    queued        nothing was paid: it is submitted now
    submitting    nobody knows whether it was paid: submit_unknown, for a person to settle
    in_progress   paid: polled on
    delivering    paid and finished: brought home
    timed_out     looked up once more after 1 h and after 24 h, and brought home if it has finished

A job that has ended and nobody was told of, because the bus or the bucket did not take it, is told of. That comes
first, since it needs nothing of ModelGates; looking at timed-out jobs comes last, since it needs nothing else.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from traceback import extract_tb

from stillmotion.errors import (
    DownloadFailed,
    GenerationCancelled,
    InternalError,
    JobStateConflict,
    PollingTimedOut,
    ProviderError,
    ProviderUnavailable,
    StillmotionError,
    SubmitInProgress,
    SubmitOutcomeUnknown,
)
from stillmotion.generation.overdue import Candidates, Due, Index
from stillmotion.generation.record_failure import Failures
from stillmotion.generation.resume import Executions, Resuming
from stillmotion.generation.submit import LEASE_SECONDS
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import Outcome, ProviderJob
from stillmotion.telemetry import count, logger

MAX_DUE = 500
"""Jobs of one index partition that one sweep deals with; those that somebody is at do not count."""

MARGIN_SECONDS = 30.0
"""Nothing new is begun so shortly before the end of the time: what is under way may take that long."""

_FORGOTTEN = (404, 410)


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
        self._due = Due(store, clock)

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

    def sweep(self, seconds_left: Callable[[], float]) -> Swept:
        """Find what stands still and repair or report it; nothing that fails for one job stops the rest.

        Args:
            seconds_left: until the process ends. Each kind of work gets its share of them: what it leaves is the
                next one's, and what it cannot do in time is the next sweep's.
        """
        done: Counter[str] = Counter()
        work = (
            (self._due.untold, self._tell),
            (self._due.standing_still, self._repair),
            (self._due.timed_out, self._look_again),
        )
        in_time = True
        for at, (due, step) in enumerate(work):
            left = seconds_left()
            share = (left - MARGIN_SECONDS) / (len(work) - at)
            in_time &= self._work_through(due(), step, done, _more_than(left - share, seconds_left))
        if not in_time:
            count("SweepsCutShort")
        swept = Swept(done.total(), done["resumed"], done["settled"], done["told"], done["failed"])
        logger.info("swept", extra=asdict(swept) | {"in_time": in_time})
        for what in ("resumed", "settled", "told", "failed"):
            if done[what]:
                count(f"Sweep{what.capitalize()}", done[what])
        return swept

    def _work_through(
        self,
        partitions: Iterable[Candidates],
        step: Callable[[Job], str],
        done: Counter[str],
        in_time: Callable[[], bool],
    ) -> bool:
        """Take a job of each partition in turn, until there are no more; ``False`` when the time was over before."""
        waiting = deque(partitions)
        while waiting:
            if not in_time():
                logger.warning("no time left for this part of the sweep", extra={"partitions": len(waiting)})
                return False
            candidates = waiting.popleft()
            try:
                job_id = next(candidates.ids, None)
            except Exception as error:
                done[_failed(error)] += 1  # nothing more can be read of this partition
                continue
            if job_id is None:
                continue
            try:
                outcome = self._attempt(job_id, candidates.due, step)
            except _NoAnswer:
                done["failed"] += 1
                count("SweepLooksStopped")
                return True
            if outcome is not None:
                done[outcome] += 1
                candidates.found += outcome != "running"
            if candidates.found < MAX_DUE:
                waiting.append(candidates)
        return True

    def _attempt(self, job_id: str, due: Callable[[Job], bool], step: Callable[[Job], str]) -> str | None:
        """What became of a job; ``None`` where there was nothing to do.

        Raises:
            _NoAnswer: the same would become of all others.
        """
        try:
            job = self._store.find(job_id)
            return step(job) if job is not None and due(job) else None
        except (JobStateConflict, SubmitInProgress):
            return "nothing"  # it moved while it was looked at
        except _NoAnswer:
            raise
        except Exception as error:
            return _failed(error, job_id)

    def _repair(self, job: Job) -> str:
        if job.execution_arn is not None and self._executions.running(job.execution_arn):
            return "running"
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
        looks = job.looks + 1
        answer = self._ask(job)
        if answer is None or answer.outcome is Outcome.WAITING:
            self._store.update(job.id, expected={Status.TIMED_OUT}, looks=looks)
            return "nothing"
        # In one change, which is taken back where the execution cannot be started: then this look is still to come.
        self._resuming.go_on(job, answer.outcome, provider=job.provider.after(answer), looks=looks)
        return "resumed"

    def _ask(self, job: Job) -> ProviderJob | None:
        """What ModelGates says of a job, ``None`` where it knows of none.

        Raises:
            _NoAnswer: it answers nobody now, or not us.
        """
        try:
            return self._provider.job(str(job.provider.job_id), job.provider.polling_url)
        except ProviderError as error:
            if isinstance(error, ProviderUnavailable) and error.answered in _FORGOTTEN:
                return None
            logger.error("no more looks now", extra={"job_id": job.id, "code": error.code, "reason": error.detail})
            with suppress(StillmotionError):  # the record has changed: the next sweep begins with another job
                self._store.update(job.id, expected={Status.TIMED_OUT}, looks=job.looks)
            raise _NoAnswer from error

    def _tell(self, job: Job) -> str:
        self._failures.tell(job)
        return "told"


class _NoAnswer(Exception):
    """ModelGates gives no answers at the moment."""


def _failed(error: Exception, job_id: str | None = None) -> str:
    """Write down why a job, or the rest of a partition, is left to the next sweep."""
    if isinstance(error, StillmotionError):
        why = {"code": error.code, "reason": error.detail}
    else:  # its words may hold anything
        place = extract_tb(error.__traceback__)[-1]
        why = {"code": type(error).__name__, "reason": f"unplanned, in {place.name}, {place.filename}:{place.lineno}"}
    logger.error("not repaired", extra={"job_id": job_id, **why})
    return "failed"


def _more_than(seconds: float, seconds_left: Callable[[], float]) -> Callable[[], bool]:
    return lambda: seconds_left() > seconds


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
