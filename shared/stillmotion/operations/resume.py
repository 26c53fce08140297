"""Continuing a job in another execution. Nothing is paid for it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillmotion.errors import JobStateConflict, StorageFailed, SubmitInProgress
from stillmotion.jobs.lifecycle import RESUME, TAKE_OVER, UNDO_RESUME, resumption
from stillmotion.jobs.record import Job
from stillmotion.modelgates.job import Outcome
from stillmotion.ports import Executions, JobStore
from stillmotion.telemetry import count, logger


class Resuming:
    """Gives a job a new execution."""

    def __init__(self, store: JobStore, executions: Executions) -> None:
        self._store = store
        self._executions = executions

    def resume_in_new_execution(
        self,
        job: Job,
        outcome: Outcome,
        *,
        answer: Mapping[str, Any] | None = None,
        rechecks: int | None = None,
        claims_provider_id: str | None = None,
    ) -> Job:
        """Continue a job from the state it is in; of two calls at once one wins.

        Args:
            outcome: what ModelGates last said, ``waiting`` where that is not known.
            answer: what its answer changes in the record (:meth:`Job.with_answer`), where one led here.
            rechecks: how often the job was rechecked since it timed out, where a recheck led here.
            claims_provider_id: the id in the answer, where it is to be this job's alone.

        Raises:
            JobStateConflict: it is no longer in that state.
            StorageFailed: the execution could not be started; the job is as it was.
        """
        name = f"{job.id}-r{job.resumes + 1}"
        changes: dict[str, Any] = {
            "resumes": job.resumes + 1,
            "execution_arn": self._executions.arn(name),
            "rechecks": job.rechecks if rechecks is None else rechecks,
            **(answer or {}),
            **(_NOT_ENDED if job.terminal else {}),
        }
        resumed = self._store.update(
            job.id, resumption(job.status), only=job.status, claims_provider_id=claims_provider_id, **changes
        )
        try:
            self._executions.start(resumed, name, outcome)
        except StorageFailed:
            self._undo(job, resumed)
            raise
        logger.info("job resumed", extra={"job_id": job.id, "was": job.status, "resumes": resumed.resumes})
        count("JobsResumed", model=job.model)
        return resumed

    def _undo(self, job: Job, resumed: Job) -> None:
        before: dict[str, Any] = {
            name: getattr(job, name) for name in ("provider", "usage", "execution_arn", "rechecks")
        }
        if job.terminal:
            before |= {name: getattr(job, name) for name in _NOT_ENDED}
        self._store.update(job.id, UNDO_RESUME[job.status], only=resumed.status, **before)


def take_over(store: JobStore, job: Job, execution_arn: str) -> Job:
    """Make an execution the one that continues a job which another one has left. Nothing is paid for it.

    Raises:
        SubmitInProgress: the job changed at this moment.
    """
    if job.execution_arn == execution_arn:
        return job
    transition = RESUME if job.terminal else TAKE_OVER
    changes: dict[str, Any] = {"execution_arn": execution_arn}
    if job.terminal:  # it is resumed, and a video of it may be stored already
        changes |= _NOT_ENDED | {"resumes": job.resumes + 1}
    try:
        return store.update(job.id, transition, only=job.status, **changes)
    except JobStateConflict as error:
        raise SubmitInProgress(f"Job '{job.id}' changed at this moment. Try again soon.") from error


_NOT_ENDED: dict[str, Any] = {"error": None, "completed_at": None, "published_at": None}
"""Fields that are cleared: they say how the job ended."""
