"""A request from a caller who waits for the answer: recorded, submitted at once where possible, then handed over to
the workflow."""

from __future__ import annotations

from dataclasses import dataclass

from stillmotion.errors import EndedAtOnce, StillmotionError, StorageFailed, SubmitInProgress
from stillmotion.generation.backoff import submit_again_after
from stillmotion.generation.record_failure import Failures
from stillmotion.generation.submit import LEASE_SECONDS, NOT_ACCEPTED, Origin, Submission
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, derived_job_id, new_job_id
from stillmotion.ports import Executions
from stillmotion.requests.video_request import VideoRequest
from stillmotion.telemetry import count, logger

SUBMIT_SECONDS = 18.0
"""The longest that a submit takes (connect, send, read the answer, record it); with less time left, the job is queued.
"""


@dataclass(frozen=True, slots=True)
class Created:
    """The job of a request; ``replayed`` when an earlier request made it."""

    job: Job
    replayed: bool


class CreateVideo:
    """The use case behind ``POST /videos``.

    Args:
        executions: of the generate machine; a job's execution has the job's id as its name.
    """

    def __init__(self, submission: Submission, failures: Failures, executions: Executions) -> None:
        self._submission = submission
        self._failures = failures
        self._executions = executions

    def handle(self, request: VideoRequest, job_id: str, origin: Origin, seconds_left: float) -> Created:
        """Answer with a job for this request.

        A throttled or unreachable provider is no failure: the job is ``queued`` and the workflow submits it.

        Raises:
            StillmotionError: the request was refused, nothing is on record.
            EndedAtOnce: the job ended at once, as the error says.
        """
        accepted = self._submission.accept(request, job_id, origin)
        job = accepted.job
        if accepted.replayed:
            if _looks_abandoned(job):
                self._hand_over(job)
            return Created(job, replayed=True)
        wait_seconds = 0
        if seconds_left >= SUBMIT_SECONDS:
            job, wait_seconds = self._submit(job)
        self._hand_over(job, wait_seconds)
        return Created(job, replayed=False)

    def _submit(self, job: Job) -> tuple[Job, int]:
        """The job and, where it was not submitted, in how many seconds it may be."""
        try:
            return self._submission.submit(job), 0
        except (*NOT_ACCEPTED, SubmitInProgress, StorageFailed) as error:
            # The workflow continues by what the record says, even if the record could not be changed just now.
            logger.info("queued", extra={"job_id": job.id, "code": error.code})
            return job, submit_again_after(error, 1) if isinstance(error, NOT_ACCEPTED) else 0
        except StillmotionError as error:
            ended = self._end(job, error)
            if ended is not None and ended.status is Status.CONFIRMING:
                return ended, 0
            raise EndedAtOnce(job.id, error) from error

    def _end(self, job: Job, error: StillmotionError) -> Job | None:
        try:
            return self._failures.record(job.id, error)
        except StorageFailed as failed:
            # The answer says how the job ended, not "try again": that could pay twice. The workflow does the rest.
            logger.error("end not recorded", extra={"job_id": job.id, "code": error.code, "reason": failed.detail})
            self._hand_over(job)
            return None

    def _hand_over(self, job: Job, wait_seconds: int = 0) -> None:
        try:
            self._executions.start(job, wait_seconds=wait_seconds)
        except StorageFailed as error:
            # The job is on record and perhaps paid: the answer must not invite a second try with another key.
            logger.error("execution not started", extra={"job_id": job.id, "reason": error.detail})
            count("ExecutionsNotStarted")


def request_id(owner: str | None, key: str | None) -> str:
    """The id of a request's job: the same for every use of one caller's idempotency key, else a new one."""
    return new_job_id() if key is None else derived_job_id("http", owner or "", key)


def _looks_abandoned(job: Job) -> bool:
    """Whether a job may have no execution: it is at its beginning, and unchanged for longer than a hand-over takes."""
    early = job.status in (Status.QUEUED, Status.SUBMITTING, Status.CONFIRMING, Status.IN_PROGRESS)
    return early and job.polls == 0 and job.age_seconds > LEASE_SECONDS
