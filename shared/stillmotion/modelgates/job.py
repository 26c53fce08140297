"""A ModelGates job as its API answers it, and the one place that decides what its status means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillmotion.modelgates.wording import with_whole_characters, words_of_answer
from stillmotion.outbound.redaction import redact

MAX_TEXT_CHARACTERS = 8192
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
    "dead": Outcome.FAILED,
    "cancelled": Outcome.CANCELLED,
    "canceled": Outcome.CANCELLED,
    "expired": Outcome.EXPIRED,
}

_FINISHED_WORDS = frozenset({"done", "ready", "complete", "finished"})
_FAILED_WORDS = frozenset({"error", "errored", "rejected", "failure"})
"""Undocumented words, which may describe an intermediate step: they count only together with an output or an error."""
_CERTAIN_WORDS = frozenset({"completed", "succeeded"})
"""Those that only a job has: an answer of other words may be a proxy's own envelope."""
_FIELDS_OF_A_JOB = ("id", "generation_id", "model", "polling_url", "usage", "unsigned_urls", "urls", "expires_at")
_WRAPPINGS = ("data", "job", "video", "result", "response")


def classify(status: str) -> Outcome:
    """The meaning of a status word in any case; a word we do not know is *not terminal*."""
    return _OUTCOMES.get(status.strip().lower(), Outcome.WAITING)


@dataclass(frozen=True, slots=True)
class ProviderJob:
    """One answer of ``POST /videos`` or ``GET /videos/{id}``. ``urls`` are signed: never recorded, never logged.
    ``named_id`` and ``model`` are what the answer itself says; ``id`` may be the one that was asked for."""

    id: str
    status: str
    generation_id: str | None = None
    polling_url: str | None = None
    error: str | None = None
    unsigned_urls: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    cost_usd: float | None = None
    named_id: str | None = None
    model: str | None = None

    @property
    def outcome(self) -> Outcome:
        return classify(self.status)

    @property
    def lists_outputs(self) -> bool:
        """Whether it says how many videos there are."""
        return bool(self.unsigned_urls or self.urls)

    @property
    def outputs(self) -> int:
        """How many videos there are to fetch: at least one, also when no address was given."""
        return max(len(self.unsigned_urls), len(self.urls), 1)


def read_job(data: Any, job_id: str | None = None) -> ProviderJob | None:
    """The job in a decoded answer, also inside an object or a list of one, or ``None`` when there is none (no id, no
    status). A known ``job_id`` stands in for one that the answer leaves out.

    An envelope has a status of its own, and a proxy's error may come with 200: the object with the job's id counts
    before others with an id, and those before one without. One without ends a job only if it has more of a job.
    """
    found = [inner for inner in _unwrapped(data) if _text(inner.get("status")) is not None]
    named = [inner for inner in found if id_text(inner.get("id")) is not None]
    asked = [inner for inner in named if inner["id"] == job_id]
    if inner := next(iter(asked or named), None):
        given = inner["id"]
        return _job(inner, (id_text(given) if isinstance(given, str) else job_id) or str(given), inner["status"])
    if job_id is None or not found:
        return None
    job = _job(found[-1], job_id, found[-1]["status"])
    sure = job.status.strip().lower() in _CERTAIN_WORDS or any(name in found[-1] for name in _FIELDS_OF_A_JOB)
    return job if sure or job.outcome is Outcome.WAITING else None


def read_accepted(data: Any) -> ProviderJob | None:
    """The job in an answer to a submit: an id is enough, because the status can be asked for."""
    whole = read_job(data)
    if whole is not None:
        return whole
    for inner in _unwrapped(data):
        found = id_text(inner.get("id"))
        if found is not None:
            return _job(inner, found, "pending")
    return None


def _job(data: Mapping[str, Any], job_id: str, status: str) -> ProviderJob:
    said, unsigned, urls = words_of_answer(data), _texts(data.get("unsigned_urls")), _texts(data.get("urls"))
    word = status.strip().lower()
    if word in _FINISHED_WORDS and any((*unsigned, *urls)):
        status = str(Outcome.COMPLETED)
    elif word in _FAILED_WORDS and said:
        status = str(Outcome.FAILED)
    return ProviderJob(
        id=job_id,
        status=status,
        generation_id=_redacted(_text(data.get("generation_id"))),
        polling_url=_text(data.get("polling_url")),
        error=said,
        unsigned_urls=unsigned,
        urls=urls,
        cost_usd=_cost(data.get("usage")),
        named_id=id_text(data.get("id")),
        model=_text(data.get("model")),
    )


def _unwrapped(data: Any) -> Iterator[Mapping[str, Any]]:
    """The answer's object, then the objects inside it that may be the job, outermost first."""
    for _ in range(3):
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        if not isinstance(data, Mapping):
            return
        yield data
        data = next((data[name] for name in _WRAPPINGS if isinstance(data.get(name), Mapping | list)), None)


def id_text(value: Any) -> str | None:
    """An id, also one given as a whole number. It becomes one segment of a path, which dots alone cannot be."""
    if value in (".", ".."):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**64:
        return str(value)
    return _text(value)


def _text(value: Any) -> str | None:
    # Longer than any id, status or address; a record has to hold it (400 KB, Amazon DynamoDB quotas).
    fits = isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARACTERS
    return with_whole_characters(value) if fits else None


def _redacted(text: str | None) -> str | None:
    """A text that is only shown; ids without secrets in them stay as they are."""
    return None if text is None else redact(text)


def _texts(value: Any) -> tuple[str, ...]:
    # An entry that is no text keeps its place, because the position is the output's number.
    return tuple(_text(part) or "" for part in value) if isinstance(value, list) else ()


def _cost(usage: Any) -> float | None:
    cost = usage.get("cost") if isinstance(usage, Mapping) else None
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        return None
    # JSON of Python knows NaN, infinity and whole numbers of any length; the record does not.
    return float(cost) if 0 <= cost <= MAX_COST_USD else None
