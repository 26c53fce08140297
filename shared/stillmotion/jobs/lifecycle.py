"""A job's states and the only ways from one to another. Stores refuse every other change of state.

A terminal state is left in two cases only: the job is resumed, because a paid video can still be delivered; or an
operator gives up a job whose submit outcome is unknown. docs/architecture.md shows the table as a diagram.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """A job's state. A terminal one is left only by resuming the job or giving it up."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    IN_PROGRESS = "in_progress"
    DELIVERING = "delivering"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    TIMED_OUT = "timed_out"
    SUBMIT_UNKNOWN = "submit_unknown"


TERMINAL = frozenset(
    {Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.EXPIRED, Status.TIMED_OUT, Status.SUBMIT_UNKNOWN}
)
OPEN = frozenset(Status) - TERMINAL
DELIVERABLE_STATES = frozenset({Status.IN_PROGRESS, Status.DELIVERING})
"""Accepted by ModelGates and not ended: what is polled and delivered."""

RESUMED_FROM = frozenset({Status.TIMED_OUT, Status.SUBMIT_UNKNOWN, Status.FAILED, Status.EXPIRED})
"""Ended without a video that may still be delivered; ``Job.resumable`` says whether it may."""

STATUS_OF_ERROR: Mapping[str, Status] = {
    "GenerationCancelled": Status.CANCELLED,
    "GenerationExpired": Status.EXPIRED,
    "PollingTimedOut": Status.TIMED_OUT,
    "SubmitOutcomeUnknown": Status.SUBMIT_UNKNOWN,
}
"""The status a job ends with by the code of its error; every other error ends as ``failed``."""

DELIVERY_ERRORS = frozenset(
    {
        *("DownloadFailed", "NotAVideo", "StorageFailed"),
        *("ProviderThrottled", "ProviderUnauthorized", "ProviderUnavailable", "InternalError"),
    }
)
"""With an id at ModelGates on record: what went wrong after the job was paid, and says nothing against its video."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed change of state: ``by`` is the module of ``generation/`` that makes it."""

    source: Status
    target: Status
    by: str
    when: str


def _transitions() -> tuple[Transition, ...]:
    ended = sorted(TERMINAL - {Status.COMPLETED})
    return (
        Transition(Status.QUEUED, Status.SUBMITTING, "submit", "claimed"),
        Transition(Status.SUBMITTING, Status.QUEUED, "submit", "not accepted"),
        Transition(Status.SUBMITTING, Status.IN_PROGRESS, "submit", "accepted"),
        Transition(Status.IN_PROGRESS, Status.DELIVERING, "deliver", "finished"),
        Transition(Status.DELIVERING, Status.COMPLETED, "deliver", "stored"),
        *(Transition(source, target, "record_failure", "ended") for source in sorted(OPEN) for target in ended),
        Transition(Status.DELIVERING, Status.IN_PROGRESS, "resume", "its execution ended"),
        *(Transition(source, Status.IN_PROGRESS, "resume", "resumed") for source in sorted(RESUMED_FROM)),
        Transition(Status.SUBMIT_UNKNOWN, Status.FAILED, "operate", "given up"),
    )


TRANSITIONS = _transitions()
_ALLOWED = frozenset((transition.source, transition.target) for transition in TRANSITIONS)
# A resumption whose execution could not be started is taken back.
_UNDONE = frozenset((Status.IN_PROGRESS, source) for source in (*RESUMED_FROM, Status.DELIVERING))


class ForbiddenTransition(Exception):
    """Code asked for a change of state that the table does not have: a fault in the code, never of a caller."""


def check_transition(expected: Collection[Status], target: Status) -> None:
    """Refuse a change to ``target`` unless the table has it from every expected state.

    Raises:
        ForbiddenTransition: it does not.
    """
    for source in expected:
        if source is not target and (source, target) not in _ALLOWED | _UNDONE:
            raise ForbiddenTransition(f"A job that is {source} does not become {target}.")
