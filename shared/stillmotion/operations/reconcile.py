"""Orphaned jobs: no running execution, because it ended without our code, or never started.

What is done with a job depends on how far its record says it got:

    queued        nothing was paid: it is submitted now
    submitting    it may have been paid: submit_unknown, for an operator to settle; where ModelGates calls back,
                  confirming before that
    confirming    adopted and polled on if a callback has named it; submit_unknown when its time is over
    in_progress   paid: polled on
    delivering    paid and finished: delivered
    submit_unknown, given up, cancelled
                  checked for a callback that came late, for 7 days
    timed_out     asked for at ModelGates again after 1 h and after 24 h, and delivered if it has finished

A finished job whose event is not yet published, because the bus or the bucket failed, has it published. Publishing
comes first, because it does not need ModelGates. Rechecking timed-out jobs comes last, because it depends on ModelGates
alone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from traceback import extract_tb

from stillmotion.errors import (
    JobStateConflict,
    ProviderError,
    ProviderUnavailable,
    StillmotionError,
    SubmitInProgress,
)
from stillmotion.generation.adopt import Adoption
from stillmotion.generation.record_failure import Failures, error_by_progress
from stillmotion.generation.submit import LEASE_SECONDS
from stillmotion.jobs.lifecycle import NOTE_RECHECK, Status
from stillmotion.jobs.record import Job
from stillmotion.modelgates.job import Outcome, ProviderJob
from stillmotion.operations.overdue import Candidates, Due
from stillmotion.operations.resume import Resuming
from stillmotion.ports import Executions, JobIndex, Provider
from stillmotion.telemetry import count, logger

MAX_DUE = 500
"""Jobs of one index partition that one sweep deals with; those with a running execution do not count."""

MARGIN_SECONDS = 30.0
"""No job is begun with less time left than this: one may take that long."""

_FORGOTTEN = (404, 410)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, in numbers of jobs."""

    checked: int
    resumed: int
    settled: int
    published: int
    failed: int
    inspections: int = 0


class Recovery:
    """The use cases of ending orphaned jobs and of sweeping."""

    def __init__(
        self,
        store: JobIndex,
        failures: Failures,
        provider: Provider,
        executions: Executions,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ask_for_inspection: Callable[[Job], None] | None = None,
        adoption: Adoption | None = None,
    ) -> None:
        self._store = store
        self._failures = failures
        self._provider = provider
        self._executions = executions
        self._resuming = Resuming(store, executions)
        self._due = Due(store, clock)
        self._adoption = adoption
        self.ask_for_inspection = ask_for_inspection
        """Asks for a completed job to be inspected; `None` where clips are not inspected."""

    def execution_ended(self, job_id: str, execution_arn: str, how: str) -> Job | None:
        """End the record of a job whose execution ended as ``how`` (``ABORTED``, ``TIMED_OUT``, ``FAILED``).

        Where the job has ended and its event is not yet published, the event is published now. A job with nothing to
        do, or that another execution works on, is left alone: the answer is ``None``.

        Raises:
            SubmitInProgress: a submit may be under way; ask again in two minutes.
            StorageFailed: may be tried again.
        """
        job = self._store.find(job_id)
        if job is None or job.execution_arn != execution_arn:
            return None
        if job.terminal:
            return self._failures.publish(job) if job.unpublished else None
        if job.status is Status.CONFIRMING:
            return None  # waits on for a callback; the sweep adopts or ends it
        if job.status is Status.SUBMITTING and job.age_seconds < LEASE_SECONDS:
            raise SubmitInProgress(f"Job '{job.id}' may be being submitted at this moment. Try again soon.")
        return self._end(job, f"The workflow of the job ended ({how}).", how)

    def sweep(self, seconds_left: Callable[[], float]) -> Swept:
        """Find orphaned and unpublished jobs and repair them; a failure with one job does not stop the others.

        Args:
            seconds_left: until the process ends. Each kind of work gets its share of them: what it leaves goes to the
                next one, and what it cannot do in time goes to the next sweep.
        """
        done: Counter[str] = Counter()
        work = [
            (self._due.unpublished, self._publish),
            (self._due.unchanged, self._repair),
            (self._due.called_back_late, self._take_late_callback),
            (self._due.timed_out, self._recheck),
        ]
        if self.ask_for_inspection is not None:
            work.append((self._due.uninspected, self._ask_for_inspection))
        in_time = True
        for at, (due, step) in enumerate(work):
            left = seconds_left()
            share = (left - MARGIN_SECONDS) / (len(work) - at)
            in_time &= self._work_through(due(), step, done, _more_than(left - share, seconds_left))
        if not in_time:
            count("SweepsCutShort")
        counts = (done["resumed"], done["settled"], done["published"], done["failed"], done["inspections"])
        swept = Swept(done.total(), *counts)
        logger.info("swept", extra=asdict(swept) | {"in_time": in_time})
        for what in ("resumed", "settled", "published", "failed", "inspections"):
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
        """Take a job of each partition in turn, until there are no more; ``False`` when the time ran out before."""
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
                count("SweepRechecksStopped")
                return True
            if outcome is not None:
                done[outcome] += 1
                candidates.found += outcome != "running"
            if candidates.found < MAX_DUE:
                waiting.append(candidates)
        return True

    def _attempt(self, job_id: str, due: Callable[[Job], bool], step: Callable[[Job], str]) -> str | None:
        """Which kind of repair was made to a job; ``None`` where there was nothing to do.

        Raises:
            _NoAnswer: every other job would fail in the same way.
        """
        try:
            job = self._store.find(job_id)
            if job is None or not due(job):
                return None
            # Of a purged job its event may be left to send, and what it cost to be learnt from a late callback.
            late = step == self._take_late_callback and job.status is not Status.SUBMIT_UNKNOWN
            nothing_left = job.purge_begun_at is not None and not (job.unpublished or late)
            return None if nothing_left else step(job)
        except (JobStateConflict, SubmitInProgress):
            return "nothing"  # it changed meanwhile
        except _NoAnswer:
            raise
        except Exception as error:
            return _failed(error, job_id)

    def _repair(self, job: Job) -> str:
        if job.execution_arn is not None and self._executions.running(job.execution_arn):
            return "running"
        if job.status is Status.SUBMITTING:
            job = self._end(job, "No execution of the job is running.", "FAILED")
            return self._confirm(job) if job.status is Status.CONFIRMING else "settled"
        if job.status is Status.CONFIRMING:
            return self._confirm(job)
        finished = job.status is Status.DELIVERING
        self._resuming.resume_in_new_execution(job, Outcome.COMPLETED if finished else Outcome.WAITING)
        return "resumed"

    def _confirm(self, job: Job) -> str:
        """Adopt a job that a callback has named, and continue it; end one whose time is over."""
        adopted = None if self._adoption is None else self._adoption.adopt(job)
        if adopted is not None:
            self._resuming.resume_in_new_execution(adopted, adopted.last_said)
            return "resumed"
        if not job.confirming_is_over:
            return "nothing"
        self._end(job, "No execution of the job is running.", "FAILED")
        return "settled"

    def _take_late_callback(self, job: Job) -> str:
        """What a callback that came after a job's end changes: a job whose outcome is unknown is continued."""
        if self._adoption is None:
            return "nothing"
        if job.status is not Status.SUBMIT_UNKNOWN:
            self._adoption.note_late(job)
            return "nothing"
        adopted = self._adoption.adopt(job)
        if adopted is None:
            return "nothing"
        self._resuming.resume_in_new_execution(adopted, adopted.last_said)
        return "resumed"

    def _end(self, job: Job, what: str, workflow_ended: str) -> Job:
        """End a job by what its record says; one that changed since, because a function still works on it, is left.

        Raises:
            SubmitInProgress: it changed.
        """
        error = error_by_progress(job.status, what, workflow_ended=workflow_ended)
        job = self._failures.record(job.id, error, only=job.status, unchanged_since=job.updated_at)
        if not job.terminal and job.status is not Status.CONFIRMING:
            raise SubmitInProgress(f"Job '{job.id}' changed at this moment. Try again soon.")
        return job

    def _recheck(self, job: Job) -> str:
        rechecks = job.rechecks + 1
        answer = self._ask(job)
        if answer is None or answer.outcome is Outcome.WAITING:
            self._store.update(job.id, NOTE_RECHECK, rechecks=rechecks)
            return "nothing"
        # One write, which is undone if the execution cannot be started; then this recheck is still due.
        changes = job.with_answer(answer)
        self._resuming.resume_in_new_execution(job, answer.outcome, answer=changes, rechecks=rechecks)
        return "resumed"

    def _ask(self, job: Job) -> ProviderJob | None:
        """ModelGates' answer about a job, ``None`` where it does not know the job.

        Raises:
            _NoAnswer: it answers no query now, or refuses our key.
        """
        try:
            return self._provider.job(str(job.provider.job_id), job.provider.polling_url)
        except ProviderError as error:
            if isinstance(error, ProviderUnavailable) and error.answered in _FORGOTTEN:
                return None
            logger.error("rechecks stopped", extra={"job_id": job.id, "code": error.code, "reason": error.detail})
            with suppress(StillmotionError):  # the record changes, so that the next sweep begins with another job
                self._store.update(job.id, NOTE_RECHECK, rechecks=job.rechecks)
            raise _NoAnswer from error

    def _publish(self, job: Job) -> str:
        self._failures.publish(job)
        return "published"

    def _ask_for_inspection(self, job: Job) -> str:
        assert self.ask_for_inspection is not None
        self.ask_for_inspection(job)
        return "inspections"


class _NoAnswer(Exception):
    """ModelGates answers no queries at the moment."""


def _failed(error: Exception, job_id: str | None = None) -> str:
    """Log why a job, or the rest of a partition, is left to the next sweep."""
    if isinstance(error, StillmotionError):
        why = {"code": error.code, "reason": error.detail}
    else:  # its text may hold anything
        place = extract_tb(error.__traceback__)[-1]
        reason = f"unexpected error in {place.name}, {place.filename}:{place.lineno}"
        why = {"code": type(error).__name__, "reason": reason}
    logger.error("not repaired", extra={"job_id": job_id, **why})
    return "failed"


def _more_than(seconds: float, seconds_left: Callable[[], float]) -> Callable[[], bool]:
    return lambda: seconds_left() > seconds
