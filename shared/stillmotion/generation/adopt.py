"""Adopting the ModelGates job that a callback named, where the answer to the submit was lost.

A callback only names a candidate. It is adopted when ModelGates' own answer confirms it: the answer contains this id,
and the job's model if it names a model, and no other job has the id. Otherwise the candidate is dropped, and a later
callback may name another one. The marker of the id and the record are written in one transaction
(:mod:`stillmotion.jobs.markers`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import eq
from typing import Any

from stillmotion.errors import JobStateConflict, ProviderUnavailable, StorageFailed
from stillmotion.jobs.lifecycle import ADOPT, ADOPT_QUEUED, NOTE_LATE, Status
from stillmotion.jobs.markers import ProviderIdTaken
from stillmotion.jobs.record import Job, now
from stillmotion.jobs.spend import take_again
from stillmotion.jobs.store import get_job
from stillmotion.modelgates.job import ProviderJob
from stillmotion.ports import Callbacks, EventSink, JobStore, Provider
from stillmotion.storage.event_bus import SUBMITTED
from stillmotion.telemetry import count, logger

_FORGOTTEN = (404, 410)
_NOT_ENDED: dict[str, Any] = {"error": None, "completed_at": None, "published_at": None}


class Adoption:
    """The use case of adopting; Poll, a second submit and the sweep share it.

    Args:
        same_model: whether two names are one model's, which has an id and a canonical slug; asked where they differ.
    """

    def __init__(
        self,
        store: JobStore,
        callbacks: Callbacks,
        provider: Provider,
        events: EventSink,
        same_model: Callable[[str, str], bool] = eq,
    ) -> None:
        self._store = store
        self._callbacks = callbacks
        self._provider = provider
        self._events = events
        self._same_model = same_model

    def adopt(self, job: Job) -> Job | None:
        """The job with the id that a callback named, in progress; ``None`` where none named an id that is the job's.

        Raises:
            ProviderError: ModelGates gave no answer this time.
            JobStateConflict: the job changed meanwhile.
            StorageFailed: may be tried again.
        """
        provider_id = self._callbacks.find(job.id).provider_id
        answer = None if provider_id is None else self._confirmed(job, provider_id)
        if provider_id is None or answer is None:
            return None
        try:
            adopted = self._write(job, answer, provider_id)
        except ProviderIdTaken:
            self._drop(job, provider_id, "another job holds it")
            return None
        logger.info("adopted", extra={"job_id": job.id, "provider_job_id": provider_id, "was": job.status})
        count("JobsAdopted")
        self._publish(adopted)
        return adopted

    def note_late(self, job: Job) -> Job | None:
        """Put the id and the cost on the record of a job that was given up or cancelled while its outcome was unknown.

        It stays as it ended. One that was given up counts as spent again, and can be resumed. ``None`` and the errors
        are as with :meth:`adopt`.
        """
        provider_id = self._callbacks.find(job.id).provider_id
        answer = None if provider_id is None else self._confirmed(job, provider_id)
        if provider_id is None or answer is None:
            return None
        changes = job.with_answer(answer, as_id=provider_id)
        if job.purge_begun_at is not None:
            changes["provider"] = replace(changes["provider"], polling_url=None, error=None)
        try:
            noted = self._store.update(
                job.id,
                NOTE_LATE,
                only=job.status,
                claims_provider_id=provider_id,
                **changes,
                **self._counted_again(job),
            )
        except ProviderIdTaken:
            self._drop(job, provider_id, "another job holds it")
            return None
        logger.error(
            "a callback named a job that had ended",
            extra={"job_id": job.id, "provider_job_id": provider_id, "status": job.status},
        )
        count("LateCallbacks")
        return noted

    def _confirmed(self, job: Job, provider_id: str) -> ProviderJob | None:
        """ModelGates' own answer about a candidate; ``None`` where it is not this job's, and was dropped."""
        try:
            answer = self._provider.job(provider_id)
        except ProviderUnavailable as error:
            if error.answered not in _FORGOTTEN:
                raise
            self._drop(job, provider_id, "ModelGates does not know it")
            return None
        if answer.named_id != provider_id:
            self._drop(job, provider_id, "ModelGates' answer does not contain it")
            return None
        if answer.model not in (None, job.model) and not self._same_model(answer.model, job.model):
            self._drop(job, provider_id, "it is of another model")
            return None
        return answer

    def _write(self, job: Job, answer: ProviderJob, provider_id: str) -> Job:
        queued = job.status is Status.QUEUED
        changes = job.with_answer(answer, as_id=provider_id)
        changes |= (self._counted_again(job) if queued else {}) | (_NOT_ENDED if job.terminal else {})
        try:
            return self._store.update(
                job.id,
                ADOPT_QUEUED if queued else ADOPT,
                only=job.status,
                claims_provider_id=provider_id,
                submitted_at=now(),
                **changes,
            )
        except (JobStateConflict, StorageFailed):
            held = get_job(self._store, job.id)
            if held.provider.job_id == provider_id:
                return held  # written by another process, or by a try whose answer was lost
            raise

    def _counted_again(self, job: Job) -> dict[str, Any]:
        """The reservation that was given back, made again; no limit applies, because the job is paid already."""
        if job.returned is None:
            return {}
        return {"spend": take_again(job.returned), "reserved": job.returned, "returned": None}

    def _drop(self, job: Job, provider_id: str, why: str) -> None:
        self._callbacks.drop(job.id, provider_id)
        logger.warning(
            "an id that a callback named was dropped",
            extra={"job_id": job.id, "provider_job_id": provider_id, "reason": why},
        )
        count("CallbackCandidatesDropped")

    def _publish(self, job: Job) -> None:
        try:
            self._events.send(SUBMITTED, job)
        except StorageFailed as error:  # a paid job does not fail because an event was not sent
            logger.warning("event not sent", extra={"job_id": job.id, "event": SUBMITTED, "reason": error.detail})
