"""A job's states, and every kind of write to its record. Stores refuse any other.

A use case names the transition that it makes, and spells neither the states it starts from nor the one it leads to. A
terminal state is left in two cases only: the job is resumed, because a paid video can still be delivered; or an
operator gives up a job whose submit outcome is unknown. ``confirming`` exists only where ModelGates calls back: the
answer to the submit was lost, and a callback may still name the job. docs/architecture.md shows the table as a diagram.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """A job's state. A terminal one is left only by resuming the job or giving it up."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    CONFIRMING = "confirming"
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
"""Of a job with an id at ModelGates: errors after the paid call that do not mean that there is no video."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One kind of write to a record. ``by`` is the module of ``generation/``,
    ``operations/`` or ``inspection/`` that makes it, and the only one; a ``target`` of ``None`` keeps the state."""

    by: str
    when: str
    sources: frozenset[Status]
    target: Status | None = None


def _from(*sources: Status) -> frozenset[Status]:
    return frozenset(sources)


CLAIM = Transition("claim", "claimed", _from(Status.QUEUED), Status.SUBMITTING)
RELEASE = Transition("submit", "not accepted", _from(Status.SUBMITTING), Status.QUEUED)
ACCEPT = Transition("submit", "accepted", _from(Status.SUBMITTING, Status.CONFIRMING), Status.IN_PROGRESS)
RETURN_RESERVATION = Transition("submit", "refused for good: its estimate is returned", _from(Status.SUBMITTING))

NOTE_POLL = Transition("poll", "polled", DELIVERABLE_STATES)

BEGIN_DELIVERY = Transition("deliver", "finished", DELIVERABLE_STATES, Status.DELIVERING)
COMPLETE = Transition("deliver", "stored", _from(Status.DELIVERING), Status.COMPLETED)

END: Mapping[Status, Transition] = {
    target: Transition("record_failure", "ended", sources, target)
    for target, sources in {
        Status.FAILED: OPEN - {Status.CONFIRMING},
        Status.CANCELLED: _from(Status.QUEUED, Status.CONFIRMING, Status.IN_PROGRESS),
        Status.EXPIRED: DELIVERABLE_STATES,
        Status.TIMED_OUT: _from(Status.IN_PROGRESS),
        Status.SUBMIT_UNKNOWN: _from(Status.SUBMITTING, Status.CONFIRMING),
    }.items()
}
"""The end without a video, by the status that its error stands for."""

CONFIRM = Transition("record_failure", "its answer was lost", _from(Status.SUBMITTING), Status.CONFIRMING)
ADOPT = Transition("adopt", "named by a callback", _from(Status.CONFIRMING, Status.SUBMIT_UNKNOWN), Status.IN_PROGRESS)
ADOPT_QUEUED = Transition("adopt", "named by a callback all the same", _from(Status.QUEUED), Status.IN_PROGRESS)
NOTE_LATE = Transition("adopt", "named by a callback too late", _from(Status.FAILED, Status.CANCELLED))

NOTE_PAID = Transition(
    "submit",
    "accepted, but ended during the call",
    frozenset(target for target, end in END.items() if ACCEPT.sources & end.sources),
)
PUBLISH = Transition("publish", "its event is published", TERMINAL)

REQUEUE = Transition("resume", "its execution ended", _from(Status.QUEUED))
RESTART = Transition("resume", "its execution ended", DELIVERABLE_STATES, Status.IN_PROGRESS)
RESUME = Transition("resume", "resumed", RESUMED_FROM, Status.IN_PROGRESS)
TAKE_OVER = Transition("resume", "taken over by another execution", OPEN)
_NOT_STARTED = "its new execution did not start"
UNDO_RESUME: Mapping[Status, Transition] = {
    Status.QUEUED: Transition("resume", _NOT_STARTED, _from(Status.QUEUED)),
    **{
        before: Transition("resume", _NOT_STARTED, _from(Status.IN_PROGRESS), before)
        for before in sorted(RESUMED_FROM | DELIVERABLE_STATES)
    },
}
"""Takes a resumption back, by the status before it."""

NOTE_INSPECTION = Transition("inspect_video", "inspected, or about to be", _from(Status.COMPLETED))
PUBLISH_INSPECTION = Transition("inspect_video", "its inspection is published", _from(Status.COMPLETED))

ABANDON = Transition("operate", "given up", _from(Status.SUBMIT_UNKNOWN), Status.FAILED)
NOTE_RECHECK = Transition("reconcile", "rechecked at ModelGates", _from(Status.TIMED_OUT))

BEGIN_PURGE = Transition("purge", "its purge begins", TERMINAL)
PURGE = Transition("purge", "purged", TERMINAL)

TRANSITIONS = (
    *(CLAIM, RELEASE, ACCEPT, RETURN_RESERVATION, NOTE_PAID, NOTE_POLL, BEGIN_DELIVERY, COMPLETE),
    *END.values(),
    *(CONFIRM, ADOPT, ADOPT_QUEUED, NOTE_LATE),
    *(PUBLISH, REQUEUE, RESTART, RESUME, TAKE_OVER),
    *UNDO_RESUME.values(),
    *(NOTE_INSPECTION, PUBLISH_INSPECTION),
    *(ABANDON, NOTE_RECHECK),
    *(BEGIN_PURGE, PURGE),
)

OF_PURGED = frozenset({BEGIN_PURGE, PURGE, PUBLISH, ABANDON, NOTE_LATE, NOTE_PAID})
"""What a record still takes once its purge has begun: the purge itself, and what its money needs."""


class ForbiddenTransition(Exception):
    """Code asked for a write that the table does not have: a fault in the code, never of a caller."""


def resumption(status: Status) -> Transition:
    """How a job in this state gets a new execution.

    Raises:
        ForbiddenTransition: it never does.
    """
    for transition in (REQUEUE, RESTART, RESUME):
        if status in transition.sources:
            return transition
    raise ForbiddenTransition(f"A job that is {status} is not resumed.")


def check_transition(transition: Transition, expected: Collection[Status]) -> None:
    """Refuse a write unless the table has it, for its maker and from every expected state.

    Raises:
        ForbiddenTransition: it does not, or no state is expected.
    """
    if transition not in TRANSITIONS:
        raise ForbiddenTransition(f"{transition.by} has no transition '{transition.when}' like this one.")
    if not expected:
        raise ForbiddenTransition(f"'{transition.when}' ({transition.by}) names no state that it starts from.")
    for source in expected:
        if source not in transition.sources:
            target = "stay so" if transition.target is None else f"become {transition.target}"
            raise ForbiddenTransition(
                f"A job that is {source} does not {target} by '{transition.when}' ({transition.by})."
            )
