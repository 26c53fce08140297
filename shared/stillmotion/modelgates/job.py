"""A ModelGates job as its API answers it, and the one place that decides what its status means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillmotion.outbound.addresses import without_queries

MAX_TEXT_CHARACTERS = 8192
MAX_MESSAGE_CHARACTERS = 2000
MAX_COST_USD = 1e6


class Outcome(StrEnum):
    """What a provider status means for us."""

    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_OUTCOMES: Mapping[str, Outcome] = {
    "completed": Outcome.COMPLETED,
    "succeeded": Outcome.COMPLETED,
    "success": Outcome.COMPLETED,
    "failed": Outcome.FAILED,
    "cancelled": Outcome.CANCELLED,
    "canceled": Outcome.CANCELLED,
    "expired": Outcome.EXPIRED,
}


def classify(status: str) -> Outcome:
    """The meaning of a status word in any case; a word we do not know is *not terminal*."""
    return _OUTCOMES.get(status.strip().lower(), Outcome.WAITING)


@dataclass(frozen=True, slots=True)
class ProviderJob:
    """One answer of ``POST /videos`` or ``GET /videos/{id}``. ``urls`` are signed: never recorded, never logged."""

    id: str
    status: str
    generation_id: str | None = None
    polling_url: str | None = None
    error: str | None = None
    unsigned_urls: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    cost_usd: float | None = None

    @property
    def outcome(self) -> Outcome:
        return classify(self.status)

    @property
    def outputs(self) -> int:
        """How many videos there are to fetch: at least one, also when no address was given."""
        return max(len(self.unsigned_urls), len(self.urls), 1)


def sentence(error: Any) -> str | None:
    """What an ``error`` says in words: it is an object with a ``message``, or the message itself. Word for word, but
    for the query strings of addresses: it may repeat a signed link to an image."""
    if isinstance(error, Mapping):
        error = error.get("message")
    return without_queries(error)[:MAX_MESSAGE_CHARACTERS] if isinstance(error, str) else None


def read_job(data: Any, job_id: str | None = None) -> ProviderJob | None:
    """The job in a decoded answer, or ``None`` when it is not one (no id, no status)."""
    if not isinstance(data, Mapping):
        return None
    found, status = _text(data.get("id")) or job_id, _text(data.get("status"))
    if found is None or status is None:
        return None
    return ProviderJob(
        id=found,
        status=status,
        generation_id=_text(data.get("generation_id")),
        polling_url=_text(data.get("polling_url")),
        error=sentence(data.get("error")),
        unsigned_urls=_texts(data.get("unsigned_urls")),
        urls=_texts(data.get("urls")),
        cost_usd=_cost(data.get("usage")),
    )


def _text(value: Any) -> str | None:
    # Longer than any id, status or address; a record has to hold it (400 KB, Amazon DynamoDB quotas).
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARACTERS else None


def _texts(value: Any) -> tuple[str, ...]:
    # What is no text keeps its place: the position is the output's number.
    return tuple(_text(part) or "" for part in value) if isinstance(value, list) else ()


def _cost(usage: Any) -> float | None:
    cost = usage.get("cost") if isinstance(usage, Mapping) else None
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        return None
    # JSON of Python knows NaN, infinity and whole numbers of any length; the record does not.
    return float(cost) if 0 <= cost <= MAX_COST_USD else None
