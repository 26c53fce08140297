"""A job: one video from request to object, and the record that says how far it got."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from stillmotion.errors import StillmotionError
from stillmotion.jobs.fields import Document
from stillmotion.jobs.lifecycle import DELIVERY_ERRORS, TERMINAL, Status
from stillmotion.jobs.spend import Reservation
from stillmotion.modelgates.job import Outcome, ProviderJob, classify
from stillmotion.outbound.redaction import redact_all

SCHEMA_VERSION = "1"
ID_PREFIX = "vid_"
RECORD_DAYS = 90
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState(Document):
    """What ModelGates last said of the job."""

    job_id: str | None = None
    generation_id: str | None = None
    status: str | None = None
    polling_url: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Document):
    """What ModelGates charged, in USD; ``null`` until it says so.

    ``may_have_cost_usd`` is the estimate of a job that ended without a video and whose charge is not known, although it
    was or may have been accepted.
    """

    cost_usd: float | None = None
    may_have_cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceEstimate(Document):
    """What the request was priced at: decimal strings in USD, the entries of the price list behind the highest price,
    notes on what the request left open, and why there is no price.
    """

    at_most_usd: str | None = None
    at_least_usd: str | None = None
    basis: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVideo(Document):
    """One output in the output bucket; ``checksum`` is ``sha256:`` and 64 hex digits, ``bytes`` its size."""

    bucket: str
    key: str
    bytes: int
    content_type: str
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError(Document):
    """Why the job ended without a video. ``provider_message`` is ModelGates' own, word for word."""

    code: str
    message: str
    retryable: bool = False
    provider_message: str | None = None
    faults: list[dict[str, Any]] | None = None

    @classmethod
    def of(cls, error: StillmotionError) -> Self:
        """The error as a record keeps it: without the secrets in what it repeats of a request."""
        return cls.parse(redact_all(error.as_record()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Document):
    """A job record. Times are ISO-8601 in UTC, ``expires_at`` unix seconds. ModelGates accepted the job at
    ``submitted_at``, which is ``None`` where its answer was lost; then a callback may name it until ``confirm_until``.
    ``returned`` is the reservation that was given back, because the job was not accepted. From ``purge_begun_at`` on
    its video is being deleted, at ``purged_at`` everything private was."""

    id: str
    status: Status
    request: dict[str, Any]
    request_hash: str
    source: dict[str, Any]
    owner: str | None = None
    provider: ProviderState = ProviderState()
    polls: int = 0
    usage: Usage = Usage()
    estimated_cost_usd: float | None = None
    price: PriceEstimate | None = None
    reserved: Reservation | None = None
    returned: Reservation | None = None
    confirm_until: str | None = None
    video: list[StoredVideo] = field(default_factory=list)
    error: JobError | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)
    execution_arn: str | None = None
    claim: str | None = None
    resumes: int = 0
    rechecks: int = 0
    published_at: str | None = None
    inspection: dict[str, Any] | None = None
    inspection_attempts: int = 0
    inspection_published_at: str | None = None
    purge_begun_at: str | None = None
    purged_at: str | None = None
    created_at: str
    updated_at: str
    submitted_at: str | None = None
    completed_at: str | None = None
    expires_at: int | None = None

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def unpublished(self) -> bool:
        """Whether it has ended and its event is not yet published."""
        return self.terminal and self.published_at is None

    @property
    def uninspected(self) -> bool:
        """Whether it is completed and the result of its inspection is not yet published."""
        pending = self.inspection_published_at is None and self.purge_begun_at is None
        return self.status is Status.COMPLETED and pending

    @property
    def last_said(self) -> Outcome:
        """What ModelGates' last answer means."""
        return classify(self.provider.status or "")

    @property
    def resumable(self) -> bool:
        """Whether a paid video may still be delivered: the job has ended, and the video is not known to be lost."""
        if self.provider.job_id is None or self.purge_begun_at is not None:
            return False
        failed_delivery = self.status is Status.FAILED and self.error is not None and self.error.code in DELIVERY_ERRORS
        # Its content could not be found once, but ModelGates itself says that it has finished.
        missed = self.status is Status.EXPIRED and self.last_said is Outcome.COMPLETED
        return self.status in (Status.TIMED_OUT, Status.SUBMIT_UNKNOWN) or failed_delivery or missed or self.given_up

    @property
    def given_up(self) -> bool:
        """Whether an operator gave it up while its submit outcome was unknown."""
        return self.status is Status.FAILED and self.error is not None and self.error.code == "SubmitOutcomeUnknown"

    @property
    def confirming_is_over(self) -> bool:
        """Whether the time for a callback to name it has ended."""
        return self.confirm_until is None or now() >= self.confirm_until

    def possible_charge(self, ends_as: Status) -> Usage:
        """The usage of a job that ends without a video: its charge, or else what it may have been charged."""
        maybe_sent = ends_as is Status.SUBMIT_UNKNOWN or self.status is Status.CONFIRMING
        sent = self.provider.job_id is not None or maybe_sent
        if self.usage.cost_usd is not None or not sent:
            return self.usage
        return Usage(may_have_cost_usd=self.estimated_cost_usd)

    def with_answer(self, answer: ProviderJob, *, as_id: str | None = None) -> dict[str, Any]:
        """The fields that an answer of ModelGates changes; what it does not say stays.

        Args:
            as_id: ModelGates' id of the job, where the answer is about another one than the record knows so far.
        """
        known = self.provider
        if as_id is not None or known.job_id is None:
            known = ProviderState(job_id=as_id or answer.id, polling_url=answer.polling_url)
        said = {"status": answer.status, "generation_id": answer.generation_id, "error": answer.error}
        provider = replace(known, **{name: value for name, value in said.items() if value is not None})
        usage = self.usage if answer.cost_usd is None else Usage(cost_usd=answer.cost_usd)
        return {"provider": provider, "usage": usage}

    @property
    def age_seconds(self) -> float:
        """Seconds since the record last changed."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.updated_at)).total_seconds()

    @property
    def model(self) -> str:
        return str(self.request.get("model", "unknown"))


def now() -> str:
    """The time of day as the record writes it: ISO-8601, UTC, milliseconds."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """A moment as records write it, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_expiry() -> int:
    """When a record made now may be deleted, in unix seconds."""
    return int(time.time()) + RECORD_DAYS * 86400


def new_job_id() -> str:
    """A fresh id that sorts by time: 48 bits of milliseconds and 80 random bits in Crockford's base 32."""
    return ID_PREFIX + _base32((int(time.time() * 1000) << 80) | secrets.randbits(80))


def derived_job_id(*parts: str) -> str:
    """The id that the same parts (a scope and an idempotency key) always give."""
    digest = hashlib.sha256("\x00".join(parts).encode(errors="surrogatepass")).digest()
    return ID_PREFIX + _base32(int.from_bytes(digest[:16]))


def _base32(number: int) -> str:
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
