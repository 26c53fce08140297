"""What is done with a job from outside: its owner cancels or resumes it, and an operator settles one whose submit
outcome is unknown."""

from __future__ import annotations

from stillmotion.errors import (
    Fault,
    GenerationCancelled,
    InvalidRequest,
    JobStateConflict,
    ProviderUnavailable,
)
from stillmotion.generation.record_failure import Failures
from stillmotion.jobs.lifecycle import ABANDON, END, Status
from stillmotion.jobs.markers import ProviderIdTaken
from stillmotion.jobs.record import Job, Usage
from stillmotion.jobs.spend import give_back
from stillmotion.modelgates.job import Outcome
from stillmotion.operations.resume import Resuming
from stillmotion.ports import Executions, JobStore, Provider
from stillmotion.telemetry import logger

STOPPABLE = END[Status.CANCELLED].sources


class Control:
    """The use cases of cancelling, resuming and settling a job.

    Args:
        called_back: whether ModelGates calls back, so that its ids are kept unique.
    """

    def __init__(
        self,
        store: JobStore,
        failures: Failures,
        provider: Provider,
        executions: Executions,
        *,
        called_back: bool = False,
    ) -> None:
        self._store = store
        self._failures = failures
        self._provider = provider
        self._executions = executions
        self._resuming = Resuming(store, executions)
        self._called_back = called_back

    def cancel(self, job: Job) -> Job:
        """Stop waiting for a job. ModelGates has no cancel call, so it may finish the clip and charge for it.

        Raises:
            JobStateConflict: it has ended otherwise, or stopping it now would lose a paid video.
        """
        if job.status is not Status.CANCELLED:
            if job.status not in STOPPABLE:
                raise JobStateConflict(_not_stoppable(job), retry_after=None if job.terminal else 5)
            # The error says what was charged, which is right for this state only.
            job = self._failures.record(job.id, _cancelled(job), only=job.status)
            if job.status is not Status.CANCELLED:
                raise JobStateConflict(_not_stoppable(job), retry_after=None if job.terminal else 5)
            logger.info("job cancelled", extra={"job_id": job.id})
        self._executions.stop(job)
        return job

    def resume(self, job: Job) -> Job:
        """Resume a job that timed out, or whose delivery failed; nothing is paid again.

        Raises:
            JobStateConflict: there is nothing to resume, or another call was first.
            StorageFailed: the workflow could not be started; the job is as it was.
        """
        if not job.resumable:
            raise JobStateConflict(
                f"Job '{job.id}' is {job.status}"
                + (f" ({job.error.code})" if job.error else "")
                + ". Only a job that timed out, or whose delivery failed, can be resumed."
            )
        finished = job.last_said is Outcome.COMPLETED
        return self._resuming.resume_in_new_execution(job, Outcome.COMPLETED if finished else Outcome.WAITING)

    def adopt(self, job: Job, provider_job_id: str) -> Job:
        """Settle a job whose submit got no answer: ModelGates accepted it under this id, and its workflow continues.

        Raises:
            JobStateConflict: the job is not ``submit_unknown``.
            InvalidRequest: ModelGates gives no job for this id, or its answer does not itself contain the id.
            ProviderUnavailable, StorageFailed: not this time.
        """
        _require_unknown(job)
        try:
            found = self._provider.job(provider_job_id)
        except ProviderUnavailable as error:
            detail = "is not a job that ModelGates knows, or it does not answer"
            advice = f": {error.detail} Look the id up in the ModelGates account and send it again."
            raise _unusable(provider_job_id, detail, advice) from error
        if found.named_id != provider_job_id:
            detail = "is not in ModelGates' own answer about it"
            names = f": it names '{found.named_id}'."
            advice = f"{names} Look the id up in the ModelGates account and send it as it stands there."
            raise _unusable(provider_job_id, detail, advice)
        answer = job.with_answer(found, as_id=provider_job_id)
        claimed = provider_job_id if self._called_back else None
        try:
            return self._resuming.resume_in_new_execution(job, found.outcome, answer=answer, claims_provider_id=claimed)
        except ProviderIdTaken as taken:
            detail = "is the id of another job of this stack"
            advice = ". Look this job's own id up in the ModelGates account and send it again."
            raise _unusable(provider_job_id, detail, advice) from taken

    def abandon(self, job: Job, *, charged: bool) -> Job:
        """Settle a job whose submit got no answer by giving it up: it ends as ``failed``, and its event is published
        again.

        Args:
            charged: whether ModelGates may have charged for it. Then its estimate stays counted on its day.

        Raises:
            JobStateConflict: the job is not ``submit_unknown``.
            StorageFailed: its event could not be published; the sweeper does that later.
        """
        _require_unknown(job)
        if job.provider.job_id is not None:
            raise JobStateConflict(
                f"ModelGates accepted job '{job.id}' as '{job.provider.job_id}': it is paid. Resume it instead."
            )
        given_up = self._store.update(
            job.id,
            ABANDON,
            spend=None if charged else give_back(job.reserved),
            reserved=job.reserved if charged else None,
            returned=None if charged else job.reserved,
            usage=job.usage if charged else Usage(),
            published_at=None,
        )
        logger.info("job abandoned", extra={"job_id": job.id, "charged": charged})
        return self._failures.publish(given_up)


def _unusable(provider_job_id: str, detail: str, advice: str) -> InvalidRequest:
    """The refusal of an id that an operator gave."""
    faults = [Fault("#/provider_job_id", detail, given=provider_job_id)]
    return InvalidRequest(f"provider_job_id {detail}{advice}", faults=faults)


def _require_unknown(job: Job) -> None:
    if job.status is Status.CONFIRMING:
        raise JobStateConflict(
            f"Job '{job.id}' is confirming: ModelGates may still name it, until {job.confirm_until}. Settle it after "
            "that, if it is submit_unknown then.",
            retry_after=60,
        )
    if job.status is not Status.SUBMIT_UNKNOWN:
        raise JobStateConflict(f"Job '{job.id}' is {job.status}. Only a job that is submit_unknown is settled by hand.")


def _cancelled(job: Job) -> GenerationCancelled:
    if job.status is Status.CONFIRMING:
        return GenerationCancelled(
            "The job was cancelled here while its submit outcome was unknown: ModelGates may have accepted and charged "
            "it. Its id and cost are put on record if ModelGates names it later; nothing is delivered."
        )
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
    return f"Job '{job.id}' is {doing} at this moment. Try again in a few seconds."
