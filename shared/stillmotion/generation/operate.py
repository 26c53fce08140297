"""What a caller may do with a job: stop waiting for it, go on where it stood, or settle one that nobody can tell."""

from __future__ import annotations

from dataclasses import replace

from stillmotion.errors import (
    Fault,
    GenerationCancelled,
    InvalidRequest,
    JobStateConflict,
    ProviderUnavailable,
)
from stillmotion.generation.record_failure import Failures
from stillmotion.generation.resume import Executions, Resuming
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, ProviderState
from stillmotion.jobs.spend import give_back
from stillmotion.jobs.store import JobStore
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import Outcome
from stillmotion.telemetry import logger

STOPPABLE = frozenset({Status.QUEUED, Status.IN_PROGRESS})


class Control:
    """The use cases of cancelling, resuming and settling, over their ports."""

    def __init__(self, store: JobStore, failures: Failures, provider: ModelGates, executions: Executions) -> None:
        self._store = store
        self._failures = failures
        self._provider = provider
        self._executions = executions
        self._resuming = Resuming(store, executions)

    def cancel(self, job: Job) -> Job:
        """Stop waiting for a job. ModelGates has no cancel call, so it may finish the clip and charge for it.

        Raises:
            JobStateConflict: it has ended otherwise, or is at a point where stopping would lose a paid video.
        """
        if job.status is not Status.CANCELLED:
            if job.status not in STOPPABLE:
                raise JobStateConflict(_not_stoppable(job), retry_after=None if job.terminal else 5)
            # What is said of the money holds for the state that was looked at, and for no other.
            job = self._failures.record(job.id, _cancelled(job), {job.status})
            if job.status is not Status.CANCELLED:
                raise JobStateConflict(_not_stoppable(job), retry_after=None if job.terminal else 5)
            logger.info("job cancelled", extra={"job_id": job.id})
        self._executions.stop(job)
        return job

    def resume(self, job: Job) -> Job:
        """Go on with a job that timed out, or whose delivery failed; ModelGates is paid nothing anew.

        Raises:
            JobStateConflict: there is nothing to resume, or somebody else was first.
            StorageFailed: the workflow could not be started; the job is as it was.
        """
        if not job.resumable:
            raise JobStateConflict(
                f"Job '{job.id}' is {job.status}"
                + (f" ({job.error.code})" if job.error else "")
                + ". Only a job that timed out, or whose delivery failed, can be resumed."
            )
        finished = job.last_said is Outcome.COMPLETED
        return self._resuming.go_on(job, Outcome.COMPLETED if finished else Outcome.WAITING)

    def adopt(self, job: Job, provider_job_id: str) -> Job:
        """Settle a job whose submit got no answer: ModelGates did accept it, as this job, and the workflow goes on.

        Raises:
            JobStateConflict: the job is not ``submit_unknown``.
            InvalidRequest: ModelGates tells of no such job.
            ProviderUnavailable, StorageFailed: not this time.
        """
        _require_unknown(job)
        try:
            found = self._provider.job(provider_job_id)
        except ProviderUnavailable as error:
            detail = "is no job that ModelGates tells of right now"
            raise InvalidRequest(
                f"provider_job_id {detail}: {error.detail} Look the id up in the ModelGates account and send it again.",
                faults=[Fault("#/provider_job_id", detail, given=provider_job_id)],
            ) from error
        known = replace(ProviderState.of(found), job_id=provider_job_id)
        return self._resuming.go_on(job, found.outcome, provider=known)

    def abandon(self, job: Job) -> Job:
        """Settle a job whose submit got no answer: ModelGates does not have it. It ends as ``failed``, counts nothing
        any more in the day's spending, and is told of anew.

        Raises:
            JobStateConflict: the job is not ``submit_unknown``.
            StorageFailed: it could not be told of; the sweeper does that later.
        """
        _require_unknown(job)
        if job.provider.job_id is not None:
            raise JobStateConflict(
                f"ModelGates accepted job '{job.id}' as '{job.provider.job_id}': it is paid. Resume it instead."
            )
        given_up = self._store.update(
            job.id,
            expected={Status.SUBMIT_UNKNOWN},
            spend=give_back(job.reserved),
            status=Status.FAILED,
            reserved=None,
            announced_at=None,
        )
        logger.info("job abandoned", extra={"job_id": job.id})
        return self._failures.tell(given_up)


def _require_unknown(job: Job) -> None:
    if job.status is not Status.SUBMIT_UNKNOWN:
        raise JobStateConflict(f"Job '{job.id}' is {job.status}. Only a job that is submit_unknown is settled by hand.")


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
