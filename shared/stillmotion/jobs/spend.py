"""What is spent, day by day: counted with the paid call, given back where nothing was accepted, corrected after it.

Each day has a counter of the whole stack, and one of each caller that spends by HTTP: items of the table of days, under
``YYYY-MM-DD`` and ``YYYY-MM-DD#{caller}``. They are changed in the same transaction as the job's record, so no crash
comes between them, and submits at once cannot exceed a limit together:

    claim       queued → submitting      + estimate, only while both sums stay within their limits
    give back   not accepted             - estimate
    correct     completed                + (charged - estimate)

A submit whose outcome is unknown, and a generation that failed, stay counted as estimated: they may have been charged.
Amounts are whole micro-USD inside, so that sums are exact. Days are UTC.

What operators allow lies in the same table (:mod:`stillmotion.jobs.budgets`). A claim names the entries that it relies
on, and its transaction fails where one of them has changed: so a limit holds from the moment that it is written, and no
claim reads one beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from stillmotion.jobs.fields import Document

MICRO = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation(Document):
    """The estimate that a job is counted with, on which day (``YYYY-MM-DD``, UTC), and for which caller beside the
    stack."""

    day: str
    micro_usd: int
    caller: str | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """What operators allow for a day, in micro-USD: all jobs together, and the caller. ``None`` is no entry."""

    everyone: int | None = None
    caller: int | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """What has to hold for a reservation: the entries are these, and the counters are at most so much before it
    (``None`` for no limit)."""

    entries: Entries
    everyone: int | None = None
    caller: int | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """A change of a day's counters: the stack's, and the caller's where there is one."""

    day: str
    micro_usd: int
    caller: str | None = None
    guard: Guard | None = None

    @property
    def reservation(self) -> Reservation:
        """The reservation that a record keeps of it. One of nothing too: it says which day a charge without an estimate
        belongs to."""
        return Reservation(day=self.day, micro_usd=self.micro_usd, caller=self.caller)


class CeilingReached(Exception):
    """A day's counter leaves no room; ``spent`` is its value in micro-USD, ``by_caller`` whether it is the caller's."""

    def __init__(self, spent: int, *, by_caller: bool = False) -> None:
        super().__init__(f"{spent} micro-USD spent")
        self.spent = spent
        self.by_caller = by_caller


class EntriesChanged(Exception):
    """Operators allow something else than the claim relied on; nothing is changed."""


def correction(reserved: Reservation | None, charged_usd: float | None) -> Spend | None:
    """What a completed job changes in its day's counters, now that its real price is known."""
    if reserved is None or charged_usd is None:
        return None
    difference = micro(Decimal(str(charged_usd))) - reserved.micro_usd
    return Spend(reserved.day, difference, reserved.caller) if difference else None


def give_back(reserved: Reservation | None) -> Spend | None:
    """What a job that certainly was not accepted changes in its day's counters."""
    return None if reserved is None else Spend(reserved.day, -reserved.micro_usd, reserved.caller)


def take_again(returned: Reservation) -> Spend:
    """What a job that was accepted after all changes in its day's counters: no limit keeps out what is paid."""
    return Spend(returned.day, returned.micro_usd, returned.caller)


def micro(usd: Decimal) -> int:
    """USD in whole micro-USD."""
    return int((usd * MICRO).to_integral_value(ROUND_HALF_UP))
