"""Recording a request, and submitting it at most once.

The record is written, under a condition, before the paid call and completed after it:

    queued ──claim──▶ submitting ──accepted──▶ in_progress
       ▲                  │ certainly not accepted, may be sent again
       └──────────────────┘
                          └─ anything else ends the job; a lost answer as submit_unknown, or where ModelGates calls
                             back, it is confirming before that

A function that finds a record in ``submitting`` cannot know whether the call was made, and so never makes it again.
While the claim is younger than any function may run, another one may be making it; after that, the outcome is unknown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from stillmotion.errors import (
    Fault,
    IdempotencyConflict,
    JobStateConflict,
    ProviderThrottled,
    ProviderUnavailable,
    StillmotionError,
    StorageFailed,
    SubmitInProgress,
    SubmitOutcomeUnknown,
)
from stillmotion.generation.adopt import Adoption
from stillmotion.generation.claim import Claiming
from stillmotion.generation.limits import Limits
from stillmotion.generation.previous import check_previous, provider_id_of
from stillmotion.jobs.lifecycle import ACCEPT, NOTE_PAID, RELEASE, RETURN_RESERVATION, Status, Transition
from stillmotion.jobs.markers import ProviderIdTaken
from stillmotion.jobs.record import Job, PriceEstimate, now, record_expiry
from stillmotion.jobs.spend import give_back
from stillmotion.jobs.store import get_job
from stillmotion.modelgates.job import ProviderJob
from stillmotion.modelgates.models import ModelCatalogue, VideoModel, check
from stillmotion.modelgates.price_notes import Quote
from stillmotion.ports import CallbackUrls, EventSink, JobStore, Media, Provider
from stillmotion.requests.aspect_ratio import shape_request
from stillmotion.requests.media import transparency_warnings
from stillmotion.requests.owned_names import names_of
from stillmotion.requests.video_request import VideoRequest, parse_request
from stillmotion.storage.event_bus import SUBMITTED
from stillmotion.telemetry import count, logger

LEASE_SECONDS = 90.0
"""How long a claim on the paid call can be alive: longer than the time-out of any function that makes it."""
NO_LIMITS = Limits()

NOT_ACCEPTED = (ProviderThrottled, ProviderUnavailable)


@dataclass(frozen=True, slots=True)
class CalledBack:
    """What a submit needs where ModelGates calls back: the addresses, and adopting a job that a callback has named."""

    urls: CallbackUrls
    adoption: Adoption


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a job, and through which entry point."""

    source: Mapping[str, Any]
    owner: str | None = None
    execution_arn: str | None = None
    operator: bool = False

    @property
    def sees_all(self) -> bool:
        """Whether it sees every caller's jobs: as an operator, or as a workflow, which is trusted."""
        return self.operator or self.source.get("type") == "workflow"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job on record; ``replayed`` when it was there before."""

    job: Job
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """A request that can work: the model it will run on, its price, and what the caller should know before paying.

    ``request`` is what will be asked for, and ``chosen`` the fields of it that the caller did not name.
    """

    model: VideoModel
    quote: Quote
    warnings: list[str]
    request: VideoRequest
    chosen: Mapping[str, str]


class Submission:
    """The use cases of recording and submitting a request."""

    def __init__(
        self,
        store: JobStore,
        provider: Provider,
        catalogue: ModelCatalogue,
        images: Media,
        events: EventSink,
        limits: Limits = NO_LIMITS,
        called_back: CalledBack | None = None,
    ) -> None:
        self._store = store
        self._provider = provider
        self._catalogue = catalogue
        self._images = images
        self._events = events
        self._limits = limits
        self._claiming = Claiming(store, limits)
        self._called_back = called_back

    def examine(self, request: VideoRequest, origin: Origin) -> Examined:
        """Check a request against everything that can be known for free.

        Raises:
            UnknownModel, UnsupportedByModel, ImageNotUsable, InvalidRequest: it cannot work as asked.
            SpendLimitReached, PriceUnknown: it costs more than it may, or that cannot be known.
            ProviderUnavailable, StorageFailed: it could not be checked.
        """
        model = self._catalogue.find(request.model)
        check(request, model)
        if request.previous_job_id is not None:
            check_previous(self._store, request.previous_job_id, model, origin.owner, sees_all=origin.sees_all)
        pictures = self._images.check(request, names_of(origin.source, origin.owner))
        shaped = shape_request(request, model.supported_aspect_ratios, pictures)
        found = self._limits.check(shaped.request, model, origin.owner)
        warnings = [*shaped.warnings, *transparency_warnings(pictures)]
        return Examined(model, found, warnings, shaped.request, shaped.chosen)

    def accept(self, request: VideoRequest, job_id: str, origin: Origin) -> Accepted:
        """Check a request against everything that can be known for free, and put it on record as ``queued``.

        The same id with the same request gives the job that is already there.

        Raises:
            UnknownModel, UnsupportedByModel, ImageNotUsable: it cannot work as asked.
            IdempotencyConflict: the id belongs to another request.
            ProviderUnavailable, StorageFailed: it could not be checked or recorded.
        """
        fingerprint = request_hash(request)
        earlier = self._store.find(job_id)
        if earlier is not None:
            return _replay(earlier, fingerprint)
        examined = self.examine(request, origin)
        recorded = self._images.upload_inline_media(examined.request, job_id, origin.owner)
        moment = now()
        job = Job(
            id=job_id,
            status=Status.QUEUED,
            request=recorded.as_given(),
            request_hash=fingerprint,
            source=dict(origin.source),
            owner=origin.owner,
            metadata=request.metadata,
            warnings=examined.warnings,
            chosen=dict(examined.chosen),
            estimated_cost_usd=examined.quote.estimated_cost_usd,
            price=PriceEstimate.parse(examined.quote.to_json()),
            execution_arn=origin.execution_arn,
            created_at=moment,
            updated_at=moment,
            expires_at=record_expiry(),
        )
        if not self._store.create(job):
            held = get_job(self._store, job_id)
            # An equal record is our own, written by a try whose answer was lost.
            if held != job:
                return _replay(held, fingerprint)
        logger.info("job accepted", extra={"job_id": job_id, "model": job.model, "source": job.source})
        return Accepted(job)

    def submit(self, job: Job) -> Job:
        """Make the paid call for a queued job; a job that was submitted before is returned unchanged.

        Raises:
            ProviderThrottled, ProviderUnavailable: certainly not accepted; the job is ``queued`` again.
            SubmitInProgress: another call is submitting it.
            SubmitOutcomeUnknown: it may have been accepted; the caller records that.
            SpendLimitReached, PriceUnknown: what may be spent leaves no room, or it cannot be known whether it does;
                final, and nothing was sent.
            ProviderRejected, ProviderUnauthorized, ProviderOutOfCredits, ImageNotUsable: final; the caller records it.
        """
        if job.status is Status.QUEUED:
            adopted = self._accepted_before(job)
            if adopted is not None:
                return adopted
            body = self._body(job)
            claimed = self._claiming.claim(job)
            if claimed is not None:
                return self._pay(claimed, body)
            job = get_job(self._store, job.id)
        if job.status in (Status.QUEUED, Status.SUBMITTING):
            _refuse_to_repeat(job)
        return job

    def _body(self, job: Job) -> dict[str, Any]:
        """What ModelGates is sent; with the address that it calls back, which is in no record."""
        body = self._images.with_fetchable_urls(parse_request(job.request)).body()
        if (previous := body.get("previous_job_id")) is not None:
            body["previous_job_id"] = provider_id_of(self._store, previous)
        address = None if self._called_back is None else self._called_back.urls.address(job.id)
        return body if address is None else body | {"callback_url": address}

    def _accepted_before(self, job: Job) -> Job | None:
        """The job, if an earlier call was answered as not accepted but a callback has named its id since.

        Raises:
            ProviderThrottled, ProviderUnavailable: ModelGates does not confirm the id now; nothing is submitted.
        """
        if self._called_back is None or job.claim is None:
            return None
        try:
            return self._called_back.adoption.adopt(job)
        except JobStateConflict:
            return None  # another process is submitting it; the claim shows that

    def _give_back(self, job: Job, transition: Transition) -> None:
        """Return the estimate of a job that certainly was not accepted to its day's counter.

        Where that fails, the caller still gets ModelGates' error.
        """
        try:
            self._store.update(job.id, transition, spend=give_back(job.reserved), reserved=None, returned=job.reserved)
        except JobStateConflict:
            return  # returned already, or ended by another process
        except StorageFailed as error:
            logger.error("claim not given back", extra={"job_id": job.id, "reason": error.detail})

    def _pay(self, job: Job, body: Mapping[str, Any]) -> Job:
        try:
            accepted = self._provider.submit(body)
        except NOT_ACCEPTED:
            self._give_back(job, RELEASE)
            raise
        except SubmitOutcomeUnknown:
            raise
        except StillmotionError:  # refused for good; the caller ends the job
            if job.reserved is not None:
                self._give_back(job, RETURN_RESERVATION)
            raise
        except Exception as error:  # unexpected, so it is not known how far the call got
            raise SubmitOutcomeUnknown(
                f"Submitting job '{job.id}' failed with {type(error).__name__}, so ModelGates may have accepted it. It "
                "is not sent again; look it up in the ModelGates account and settle the job by hand."
            ) from error
        # Without this id a paid job would be lost: it is logged before anything else can go wrong.
        logger.info("provider accepted", extra={"job_id": job.id, "provider_job_id": accepted.id})
        count("PaidSubmits", model=job.model)
        submitted = self._record(job, accepted)
        self._publish(submitted)
        return submitted

    def _record(self, job: Job, accepted: ProviderJob) -> Job:
        try:
            return self._write(job, accepted)
        except Exception as error:  # whatever failed: this job is paid
            raise SubmitOutcomeUnknown(
                f"ModelGates accepted job '{job.id}' as '{accepted.id}', but that could not be recorded. It is not "
                "sent again; settle the job by hand with this id."
            ) from error

    def _write(self, job: Job, accepted: ProviderJob) -> Job:
        known = job.with_answer(accepted)
        try:
            claimed_id = None if self._called_back is None else accepted.id
            return self._store.update(job.id, ACCEPT, claims_provider_id=claimed_id, submitted_at=now(), **known)
        except ProviderIdTaken:
            count("ProviderIdsTaken")
            raise
        except (JobStateConflict, StorageFailed):
            held = get_job(self._store, job.id)
            if held.provider.job_id == accepted.id:
                return held  # written by a try whose answer was lost
            if held.provider.job_id is None and held.status in NOTE_PAID.sources:
                # Another process ended it during the call. It is paid: with the id on record it can be resumed.
                self._store.update(job.id, NOTE_PAID, only=held.status, **known)
            raise

    def _publish(self, job: Job) -> None:
        try:
            self._events.send(SUBMITTED, job)
        except StorageFailed as error:  # a paid job does not fail because an event was not sent
            logger.warning("event not sent", extra={"job_id": job.id, "event": SUBMITTED, "reason": error.detail})


def _refuse_to_repeat(job: Job) -> NoReturn:
    if job.status is Status.QUEUED or job.age_seconds < LEASE_SECONDS:
        raise SubmitInProgress(f"Job '{job.id}' is being submitted by another process at this moment. Try again soon.")
    raise SubmitOutcomeUnknown(
        f"An earlier attempt to submit job '{job.id}' broke off, so it may have been accepted. It is not sent "
        "again; look it up in the ModelGates account and settle the job by hand."
    )


def request_hash(request: VideoRequest) -> str:
    """SHA-256 of the request in canonical JSON: equal requests have equal hashes, whatever their key order."""
    canonical = json.dumps(request.as_given(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _replay(job: Job, fingerprint: str) -> Accepted:
    if job.request_hash != fingerprint:
        raise IdempotencyConflict(
            f"This idempotency key was used for another request (job '{job.id}'). Use a new key for a new request.",
            faults=[Fault("#", "differs from the request that this idempotency key was first used with")],
        )
    return Accepted(job, replayed=True)
