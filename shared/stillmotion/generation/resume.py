"""Going on with a job where it stood, in a new execution. Nothing is paid for it anew."""

from __future__ import annotations

from typing import Any, Protocol

from stillmotion.errors import StorageFailed
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, ProviderState
from stillmotion.jobs.store import JobStore
from stillmotion.modelgates.job import Outcome
from stillmotion.telemetry import count, logger


class Executions(Protocol):
    """The executions of the generate machine."""

    def arn(self, name: str) -> str:
        """The ARN of the execution of this name."""

    def start(self, job: Job, name: str, outcome: Outcome) -> str:
        """Start an execution that goes on with a job; one of this name that runs already is the one that was wanted.

        Raises:
            StorageFailed: Step Functions did not take it.
        """

    def stop(self, job: Job) -> None:
        """End the job's execution; one that has ended is as wanted.

        Raises:
            StorageFailed: Step Functions did not take it.
        """

    def running(self, arn: str) -> bool:
        """Whether the execution is under way.

        Raises:
            StorageFailed: Step Functions did not say.
        """


class Resuming:
    """Gives a job a new execution."""

    def __init__(self, store: JobStore, executions: Executions) -> None:
        self._store = store
        self._executions = executions

    def go_on(
        self, job: Job, outcome: Outcome, *, provider: ProviderState | None = None, looks: int | None = None
    ) -> Job:
        """Go on with a job from the state it is in; of two at once one wins.

        Args:
            outcome: what ModelGates last said, ``waiting`` where that is not known.
            provider: the job at ModelGates, where it was not on record.
            looks: how often it was looked at since it timed out, where that led here.

        Raises:
            JobStateConflict: it is in that state no longer.
            StorageFailed: the execution could not be started; the job is as it was.
        """
        name = f"{job.id}-r{job.resumes + 1}"
        changes: dict[str, Any] = {
            "status": Status.QUEUED if job.status is Status.QUEUED else Status.IN_PROGRESS,
            "resumes": job.resumes + 1,
            "execution_arn": self._executions.arn(name),
            "provider": provider or job.provider,
            "looks": job.looks if looks is None else looks,
        }
        ended: dict[str, Any] = {"error": None, "completed_at": None, "announced_at": None} if job.terminal else {}
        resumed = self._store.update(job.id, expected={job.status}, **changes, **ended)
        try:
            self._executions.start(resumed, name, outcome)
        except StorageFailed:
            self._undo(job, resumed)
            raise
        logger.info("job goes on", extra={"job_id": job.id, "was": job.status, "resumes": resumed.resumes})
        count("JobsResumed", model=job.model)
        return resumed

    def _undo(self, job: Job, resumed: Job) -> None:
        was: dict[str, Any] = {
            "status": job.status,
            "provider": job.provider,
            "execution_arn": job.execution_arn,
            "looks": job.looks,
        }
        ended: dict[str, Any] = {"error": job.error, "completed_at": job.completed_at, "announced_at": job.announced_at}
        self._store.update(job.id, expected={resumed.status}, **was, **ended)
