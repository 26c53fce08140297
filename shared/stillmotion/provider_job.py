"""A ModelGates job as its API answers it, and the one place that decides what its status means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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


def read_job(data: Any, job_id: str | None = None) -> ProviderJob | None:
    """The job in a decoded answer, or ``None`` when it is not one (no id, no status)."""
    if not isinstance(data, Mapping):
        return None
    found, status = data.get("id") or job_id, data.get("status")
    if not isinstance(found, str) or not isinstance(status, str):
        return None
    usage = data.get("usage")
    cost = usage.get("cost") if isinstance(usage, Mapping) else None
    return ProviderJob(
        id=found,
        status=status,
        generation_id=_text(data.get("generation_id")),
        polling_url=_text(data.get("polling_url")),
        error=_text(data.get("error")),
        unsigned_urls=_texts(data.get("unsigned_urls")),
        urls=_texts(data.get("urls")),
        cost_usd=float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0 else None,
    )


def _text(value: Any) -> str | None:
    if isinstance(value, Mapping):  # an error object where the guide promises a sentence
        value = value.get("message")
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(part for part in value if isinstance(part, str)) if isinstance(value, list) else ()
