"""Ending a job without a video: once, in its record and with its event, whatever went wrong.

Where ModelGates calls back, a job whose submit outcome is unknown does not end at once. It is ``confirming`` for as
long as a job is polled: a callback may still name it. No callback extends that time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from stillmotion.errors import (
    DownloadFailed,
    GenerationCancelled,
    GenerationExpired,
    GenerationFailed,
    InternalError,
    JobStateConflict,
    PollingTimedOut,
    ProviderError,
    StillmotionError,
    StorageFailed,
    SubmitInProgress,
    SubmitOutcomeUnknown,
)
from stillmotion.generation.charges import watch_charge
from stillmotion.generation.publish import Publishing
from stillmotion.jobs.lifecycle import CONFIRM, END, STATUS_OF_ERROR, Status
from stillmotion.jobs.record import Job, JobError, now, timestamp
from stillmotion.jobs.spend import give_back
from stillmotion.jobs.store import get_job
from stillmotion.modelgates.job import Outcome
from stillmotion.ports import Callbacks, EventSink, JobStore, Notes
from stillmotion.telemetry import count, logger

_TRIES = 10
"""Tries to end a job whose state changes between reading and writing its record."""


@dataclass(frozen=True, slots=True)
class Confirming:
    """How long a job waits for a callback that names it, in seconds."""

    callbacks: Callbacks
    window_seconds: int


class Failures:
    """The use case of ending a job.

    Args:
        confirming: ``None`` where ModelGates does not call back.
    """

    def __init__(
        self,
        store: JobStore,
        events: EventSink,
        notes: Notes | None = None,
        confirming: Confirming | None = None,
    ) -> None:
        self._store = store
        self._publishing = Publishing(store, events, notes)
        self._confirming = confirming

    def record(
        self,
        job_id: str,
        error: StillmotionError,
        *,
        only: Status | None = None,
        unchanged_since: str | None = None,
    ) -> Job:
        """End a job with this error, or with the one that fits how far the job got, and publish its end. A job that
        has ended before keeps its end; one whose submit outcome is unknown may be ``confirming`` after it.

        Args:
            only: end it only if it is in this state.
            unchanged_since: end it only if its record was last changed at this time.

        Raises:
            JobNotFound, StorageFailed: may be tried again.
        """
        job = self._end(get_job(self._store, job_id), error, only, unchanged_since)
        return job if job.status is Status.COMPLETED else self.publish(job)

    def publish(self, job: Job) -> Job:
        """Publish the end of a job, if that is still to be done.

        Raises:
            StorageFailed: may be tried again.
        """
        return self._publishing.publish(job)

    def refuse(self, job: Job, error: StillmotionError) -> Job:
        """Put a request on record that was refused before it became a job, and publish that.

        The record is written once, as ended: no process may find it as a job that is still to be submitted.
        """
        job = replace(job, **_ending(error))
        if self._store.create(job):
            _count(job)
        return self.publish(get_job(self._store, job.id))

    def _end(self, job: Job, error: StillmotionError, only: Status | None, unchanged_since: str | None) -> Job:
        """End the job; the error is chosen again where the job's state changed before the record was written."""
        for _ in range(_TRIES):
            if job.terminal or only not in (None, job.status) or unchanged_since not in (None, job.updated_at):
                return job
            if _still_confirming(job, error):
                return job
            ends_with = classify_by_progress(job, error)
            ending = _ending(ends_with)
            status = ending.pop("status")
            transition = END[status]
            ending["usage"] = job.possible_charge(status)
            if job.status is Status.SUBMITTING and status is Status.FAILED and isinstance(ends_with, ProviderError):
                # Refused for good, and what Submit had reserved could not be returned then.
                ending |= {"spend": give_back(job.reserved), "reserved": None, "returned": job.reserved}
            try:
                if self._confirming is not None and (job.status, status) == (Status.SUBMITTING, Status.SUBMIT_UNKNOWN):
                    return self._confirm(job, self._confirming, unchanged_since)
                job = self._store.update(job.id, transition, only=job.status, unchanged_since=unchanged_since, **ending)
            except JobStateConflict:
                job = get_job(self._store, job.id)
                continue
            _count(job)
            return job
        return job

    def _confirm(self, job: Job, confirming: Confirming, unchanged_since: str | None) -> Job:
        """Wait for a callback, whether or not one has come before: the workflow or the sweep asks ModelGates then."""
        named = confirming.callbacks.keep(job.id).provider_id
        until = timestamp(datetime.now(UTC) + timedelta(seconds=confirming.window_seconds))
        job = self._store.update(job.id, CONFIRM, only=job.status, unchanged_since=unchanged_since, confirm_until=until)
        logger.warning("submit outcome unknown", extra={"job_id": job.id, "until": until, "provider_job_id": named})
        count("SubmitsToConfirm")
        return job


def _still_confirming(job: Job, error: StillmotionError) -> bool:
    """Whether a job waits on for a callback: only a caller, used-up polls or the end of the time ends that."""
    ends = isinstance(error, GenerationCancelled | PollingTimedOut)
    return job.status is Status.CONFIRMING and not job.confirming_is_over and not ends


def _status_of(error: StillmotionError) -> Status:
    return STATUS_OF_ERROR.get(error.code, Status.FAILED)


def _ending(error: StillmotionError) -> dict[str, Any]:
    """The fields of a record whose job has ended with this error."""
    return {"status": _status_of(error), "error": JobError.of(error), "completed_at": now()}


def _count(job: Job) -> None:
    code = "" if job.error is None else job.error.code
    logger.warning("job ended without a video", extra={"job_id": job.id, "code": code, "status": job.status})
    watch_charge(job)
    count("JobsFailed", model=job.model, code=code)
    if code == InternalError.__name__:
        count("InternalErrors")


def generation_error(outcome: Outcome, said: str | None) -> StillmotionError:
    """The error for a terminal outcome of the provider other than ``completed``."""
    words = f": {said}" if said else ", without saying why"
    if outcome is Outcome.CANCELLED:
        return GenerationCancelled(
            f"ModelGates cancelled the generation{words}. Submit the request again if it is still wanted.",
            provider_message=said,
        )
    if outcome is Outcome.EXPIRED:
        return GenerationExpired(
            f"The generation exceeded its time at ModelGates{words}. Submit the request again.", provider_message=said
        )
    return GenerationFailed(
        f"ModelGates could not generate the video{words}. Change the prompt or the image; the same request is likely "
        "to fail again.",
        provider_message=said,
    )


def polling_timed_out(polls: int) -> PollingTimedOut:
    """The error when all polls are used up."""
    return PollingTimedOut(
        f"The job was accepted by ModelGates and was not finished after {polls} polls. It may still finish: do not "
        "submit it again, resume it."
    )


def classify_by_progress(job: Job, error: StillmotionError) -> StillmotionError:
    """The error that a job ends with: the one that was reported, unless that does not say what became of the job."""
    if isinstance(error, SubmitOutcomeUnknown) and job.provider.job_id is not None:
        error = PollingTimedOut(
            f"ModelGates accepted the job as '{job.provider.job_id}', and the workflow broke off after that. It may "
            "finish: do not submit it again, resume it."
        )
    if job.status is Status.CONFIRMING and not isinstance(error, GenerationCancelled):
        return error_by_progress(job.status, "")
    # While a job is being submitted, these say nothing about the paid call.
    says_nothing = job.status is Status.SUBMITTING and isinstance(error, SubmitInProgress | StorageFailed)
    if isinstance(error, InternalError) or says_nothing:
        return error_by_progress(job.status, error.detail)
    if job.status not in END[_status_of(error)].sources:
        return error_by_progress(job.status, error.detail, workflow_ended="FAILED")
    return error


def error_by_progress(status: Status, what: str, *, workflow_ended: str | None = None) -> StillmotionError:
    """The error of a job that broke off without an error of its own, by how far it had got.

    Args:
        what: what happened, as a sentence.
        workflow_ended: how the execution ended (``ABORTED``, ``TIMED_OUT``, ``FAILED``); ``None`` where only one of
            its steps crashed.
    """
    if status is Status.SUBMITTING:
        return SubmitOutcomeUnknown(
            f"{what} This happened while submitting, so ModelGates may have accepted the job. It is not sent again; "
            "look it up in the ModelGates account and settle the job by hand."
        )
    if status is Status.CONFIRMING:
        return SubmitOutcomeUnknown(
            f"{what} ModelGates' answer to the submit was lost, and no callback has named the job in time. It is not "
            "sent again; look it up in the ModelGates account and settle the job by hand.".lstrip()
        )
    if status is Status.DELIVERING:
        return DownloadFailed(f"{what} The video is finished at ModelGates: resume the job soon.")
    if workflow_ended is None:
        return InternalError(what)
    if status is Status.QUEUED:
        ended = GenerationCancelled if workflow_ended == "ABORTED" else InternalError
        return ended(f"{what} Nothing was submitted or charged.")
    return PollingTimedOut(
        f"{what} ModelGates accepted the job, and it may still finish: do not submit it again, resume it."
    )
