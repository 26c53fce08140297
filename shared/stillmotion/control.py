"""What a caller may do with a job under way: stop waiting for it, or go on where it stood."""

from __future__ import annotations

from collections.abc import Callable

from stillmotion.errors import GenerationCancelled, JobStateConflict, StorageFailed
from stillmotion.failure import Failures
from stillmotion.job import Job, Status
from stillmotion.job_store import JobStore
from stillmotion.provider_job import Outcome
from stillmotion.telemetry import count, logger

STOPPABLE = frozenset({Status.QUEUED, Status.IN_PROGRESS})
DELIVERY_ERRORS = frozenset({"DownloadFailed", "NotAVideo", "StorageFailed"})

type Start = Callable[[Job, str, Outcome], str]
type Stop = Callable[[Job], None]


class Control:
    """The use cases of cancelling and resuming, over their ports.

    Args:
        start: starts an execution by name that goes on with a submitted job; answers its ARN.
        stop: ends a job's execution; one that has ended already is no error.
        arn: the ARN of an execution by name.
    """

    def __init__(
        self, store: JobStore, failures: Failures, start: Start, stop: Stop, arn: Callable[[str], str]
    ) -> None:
        self._store = store
        self._failures = failures
        self._start = start
        self._stop = stop
        self._arn = arn

    def cancel(self, job: Job) -> Job:
        """Stop waiting for a job. ModelGates has no cancel call, so it may finish the clip and charge for it.

        Raises:
            JobStateConflict: it has ended otherwise, or is at a point where stopping would lose a paid video.
        """
        if job.status is not Status.CANCELLED:
            if job.status not in STOPPABLE:
                raise JobStateConflict(_not_stoppable(job), retry_after=None if job.terminal else 5)
            job = self._failures.record(job.id, _cancelled(job), STOPPABLE)
            if job.status is not Status.CANCELLED:
                raise JobStateConflict(_not_stoppable(job), retry_after=None if job.terminal else 5)
            logger.info("job cancelled", extra={"job_id": job.id})
        self._stop(job)
        return job

    def resume(self, job: Job) -> Job:
        """Go on with a job that timed out, or whose delivery failed; ModelGates is paid nothing anew.

        Raises:
            JobStateConflict: there is nothing to resume, or somebody else was first.
            StorageFailed: the workflow could not be started; the job is as it was.
        """
        if not resumable(job):
            raise JobStateConflict(
                f"Job '{job.id}' is {job.status}"
                + (f" ({job.error.code})" if job.error else "")
                + ". Only a job that timed out, or whose delivery failed, can be resumed."
            )
        name = f"{job.id}-r{job.resumes + 1}"
        resumed = self._store.update(
            job.id,
            expected={job.status},
            status=Status.IN_PROGRESS,
            resumes=job.resumes + 1,
            execution_arn=self._arn(name),
            error=None,
            completed_at=None,
            announced_at=None,
        )
        outcome = Outcome.COMPLETED if job.status is Status.FAILED else Outcome.WAITING
        try:
            self._start(resumed, name, outcome)
        except StorageFailed:
            was = {"status": job.status, "error": job.error, "completed_at": job.completed_at}
            self._store.update(job.id, expected={Status.IN_PROGRESS}, **was, announced_at=job.announced_at)
            raise
        logger.info("job resumed", extra={"job_id": job.id, "resumes": resumed.resumes})
        count("JobsResumed", model=job.model)
        return resumed


def resumable(job: Job) -> bool:
    """Whether a paid video may still be brought home."""
    if job.provider.job_id is None:
        return False
    failed_delivery = job.status is Status.FAILED and job.error is not None and job.error.code in DELIVERY_ERRORS
    return job.status is Status.TIMED_OUT or failed_delivery


def _cancelled(job: Job) -> GenerationCancelled:
    if job.provider.job_id is None:
        return GenerationCancelled("The job was cancelled before it was submitted; nothing was charged.")
    return GenerationCancelled(
        "The job was cancelled here. ModelGates has no cancel call: it may finish the clip and charge for it all the "
        "same."
    )


def _not_stoppable(job: Job) -> str:
    if job.terminal:
        return f"Job '{job.id}' has ended as {job.status}. There is nothing to stop."
    doing = "being submitted" if job.status is Status.SUBMITTING else "finished, and its video is being stored"
    return f"Job '{job.id}' is {doing} at this moment. Look again in a few seconds."
