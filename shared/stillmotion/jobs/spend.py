"""What is spent, day by day: counted with the paid call, given back where nothing was accepted, corrected after it.

A day's counter is one item in the table of days. It is changed in the same transaction as the job's record, so no crash
comes between the two, and submits at once cannot exceed a limit together:

    claim       queued → submitting      + estimate, only while the sum stays within the day's limit
    give back   not accepted             - estimate
    correct     completed                + (charged - estimate)

A submit whose outcome is unknown, and a generation that failed, stay counted as estimated: they may have been charged.
Amounts are whole micro-USD inside, so that sums are exact. Days are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from stillmotion.jobs.fields import Document

MICRO = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation(Document):
    """The estimate that a job is counted with, and on which day (``YYYY-MM-DD``, UTC)."""

    day: str
    micro_usd: int


@dataclass(frozen=True, slots=True)
class Spend:
    """A change of a day's counter; ``ceiling`` is what the counter may be at most before it, ``None`` for no limit."""

    day: str
    micro_usd: int
    ceiling: int | None = None


class CeilingReached(Exception):
    """A day's counter leaves no room; ``spent`` is its value in micro-USD."""

    def __init__(self, spent: int) -> None:
        super().__init__(f"{spent} micro-USD spent")
        self.spent = spent


def correction(reserved: Reservation | None, charged_usd: float | None) -> Spend | None:
    """What a completed job changes in its day's counter, now that its real price is known."""
    if reserved is None or charged_usd is None:
        return None
    difference = micro(Decimal(str(charged_usd))) - reserved.micro_usd
    return Spend(reserved.day, difference) if difference else None


def give_back(reserved: Reservation | None) -> Spend | None:
    """What a job that certainly was not accepted changes in its day's counter."""
    return None if reserved is None else Spend(reserved.day, -reserved.micro_usd)


def micro(usd: Decimal) -> int:
    """USD in whole micro-USD."""
    return int((usd * MICRO).to_integral_value(ROUND_HALF_UP))
