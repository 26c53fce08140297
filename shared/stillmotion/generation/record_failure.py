"""Ending a job without a video: on record and on the bus, once, whatever went wrong."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from stillmotion.errors import (
    DownloadFailed,
    GenerationCancelled,
    GenerationExpired,
    GenerationFailed,
    InternalError,
    JobStateConflict,
    PollingTimedOut,
    StillmotionError,
    StorageFailed,
    SubmitInProgress,
    SubmitOutcomeUnknown,
)
from stillmotion.generation.publish import Announcing
from stillmotion.jobs.lifecycle import OPEN, STATUS_OF_ERROR, Status
from stillmotion.jobs.record import Job, JobError, now
from stillmotion.jobs.store import JobStore, get_job
from stillmotion.modelgates.job import Outcome
from stillmotion.storage.event_bus import EventSink
from stillmotion.storage.sidecars import Notes
from stillmotion.telemetry import count, logger


class Failures:
    """The use case of ending a job, over its ports."""

    def __init__(self, store: JobStore, events: EventSink, notes: Notes | None = None) -> None:
        self._store = store
        self._announcing = Announcing(store, events, notes)

    def record(
        self,
        job_id: str,
        error: StillmotionError,
        expected: Collection[Status] = OPEN,
        *,
        unchanged_since: str | None = None,
    ) -> Job:
        """End a job in one of the expected states with this error, and send the event; any other keeps its state.

        Args:
            unchanged_since: end it only if its record is still of this time.

        Raises:
            JobNotFound, StorageFailed: may be tried again.
        """
        job = get_job(self._store, job_id)
        if not job.terminal:
            job = self._end(job, classify_by_progress(job, error), expected, unchanged_since)
        return job if job.status is Status.COMPLETED else self.tell(job)

    def tell(self, job: Job) -> Job:
        """Tell of a job that has ended, if nobody was told yet.

        Raises:
            StorageFailed: may be tried again.
        """
        return self._announcing.announce(job)

    def refuse(self, job: Job, error: StillmotionError) -> Job:
        """Put a request on record that was refused before it became a job, and send the event.

        The record is written once, as ended: nobody who finds it may take it for a job that is still to be submitted.
        """
        job = replace(job, **_ending(error))
        if self._store.create(job):
            _count(job)
        return self.tell(get_job(self._store, job.id))

    def _end(self, job: Job, error: StillmotionError, expected: Collection[Status], unchanged_since: str | None) -> Job:
        try:
            job = self._store.update(job.id, expected=expected, unchanged_since=unchanged_since, **_ending(error))
        except JobStateConflict:
            return get_job(self._store, job.id)
        _count(job)
        return job


def _ending(error: StillmotionError) -> dict[str, Any]:
    """What a record says when its job has ended with this error."""
    status = STATUS_OF_ERROR.get(error.code, Status.FAILED)
    return {"status": status, "error": JobError.of(error), "completed_at": now()}


def _count(job: Job) -> None:
    code = "" if job.error is None else job.error.code
    logger.warning("job ended without a video", extra={"job_id": job.id, "code": code, "status": job.status})
    count("JobsFailed", model=job.model, code=code)


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
    """The error of a step that crashed without reporting one, by how far the job had got."""
    if job.status is Status.SUBMITTING and isinstance(error, SubmitInProgress | StorageFailed):
        error = InternalError(error.detail)  # it says nothing about what became of the paid call
    if isinstance(error, SubmitOutcomeUnknown) and job.provider.job_id is not None:
        return PollingTimedOut(
            f"ModelGates accepted the job as '{job.provider.job_id}', and the workflow broke off after that. It may "
            "finish: do not submit it again, resume it."
        )
    if not isinstance(error, InternalError):
        return error
    if job.status is Status.SUBMITTING:
        return SubmitOutcomeUnknown(
            f"{error.detail} It died while submitting, so ModelGates may have accepted the job. It is not sent again; "
            "look it up in the ModelGates account and settle the job by hand."
        )
    if job.status is Status.DELIVERING:
        return DownloadFailed(f"{error.detail} The video is finished at ModelGates: resume the job soon.")
    return error
