"""What was spent, summed up from the jobs themselves: by day, model, caller, or a key of their metadata.

Each job whose paid call was made counts once, on the day that its limit counted it on, as one of these:

    charged         ModelGates stated a cost
    reserved        under way: its estimate
    may have cost   ended, and it was or may have been accepted: its estimate; also a clip without a stated cost

Sums are exact. A call reads a bounded number of jobs; what it returns is added to what the next page returns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from stillmotion.jobs.index import day_partitions, foreign_token, owner_partitions, seal, unseal
from stillmotion.jobs.lifecycle import OPEN, Status
from stillmotion.jobs.spend import MICRO

MAX_DAYS = 92
MAX_READ = 20_000
QUEUED_DAYS = 15
"""How long before its paid call a job can have been made: an execution ends after 14 days."""
_CURSOR = re.compile(r"([0-9]{1,3})\|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z#vid_[0-9a-z]{26})")
_SAME = "from, to and by"


class By(StrEnum):
    """What usage is summed up by."""

    DAY = "day"
    MODEL = "model"
    CALLER = "caller"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Slice:
    """A range of one index partition; positions from ``low`` up to, and without, ``high``."""

    index: str
    partition: str
    low: str
    high: str


type Reader = Callable[[Slice], Iterator[Mapping[str, Any]]]
"""The entries of a slice as the table holds them, oldest first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to sum up: the days from ``first`` to ``last`` (UTC, both included), of the ``owner``'s jobs or of all.
    ``tag`` is the key of the metadata that :attr:`By.TAG` sums up by."""

    by: By
    first: date
    last: date
    owner: str | None = None
    tag: str = ""

    @property
    def slices(self) -> list[Slice]:
        """Where the entries are: by day, or by owner, whose index is ordered by when jobs were made."""
        last = min(self.last, datetime.now(UTC).date() + timedelta(days=1))
        if self.owner is None:
            days = [self.first + timedelta(days=at) for at in range((last - self.first).days + 1)]
            return [Slice("by_day", part, "0", "9") for day in days for part in day_partitions(day.isoformat())]
        earlier = min(QUEUED_DAYS, (self.first - date.min).days)
        low, high = self.first - timedelta(days=earlier), last + timedelta(days=1)
        parts = owner_partitions(self.owner)
        return [Slice("by_owner", part, low.isoformat(), high.isoformat()) for part in parts] if low < high else []

    def key(self, entry: Mapping[str, Any]) -> str | None:
        """What an entry counts under; ``None`` where it has none."""
        match self.by:
            case By.DAY:
                return _day(entry)
            case By.MODEL:
                return str(entry["model"])
            case By.CALLER:
                return self.owner or entry.get("owner")
            case By.TAG:
                found: str | None = entry.get("metadata", {}).get(self.tag)
                return found

    @property
    def fingerprint(self) -> str:
        """What a token of this query is sealed with."""
        return json.dumps([self.by, self.first.isoformat(), self.last.isoformat(), self.owner, self.tag])


@dataclass(slots=True)
class Sum:
    """Jobs and their amounts in USD."""

    jobs: int = 0
    charged: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    may_have_cost: Decimal = Decimal(0)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Count one entry of an index."""
        self.jobs += 1
        usage = entry.get("usage", {})
        cost = usage.get("cost_usd")
        if cost is not None:
            self.charged += Decimal(cost)
        elif entry["status"] in OPEN:
            self.reserved += _estimate(entry)
        elif entry["status"] == Status.COMPLETED:
            self.may_have_cost += _estimate(entry)
        else:
            self.may_have_cost += Decimal(usage.get("may_have_cost_usd", 0))


@dataclass(slots=True)
class Usage:
    """Sums by key, over some of the entries; ``next_token`` leads to the rest, ``None`` where there is none."""

    sums: dict[str | None, Sum] = field(default_factory=dict)
    total: Sum = field(default_factory=Sum)
    next_token: str | None = None


def sum_up(read: Reader, asked: Asked, token: str | None) -> Usage:
    """One page of what was asked.

    Raises:
        InvalidRequest: the token is not one of this query's.
    """
    found, slices = Usage(), asked.slices
    at, after = 0, None
    if token is not None:
        place = unseal(token, asked.fingerprint, _CURSOR, _SAME)
        at, after = int(place[1]), place[2]
        if at >= len(slices):
            raise foreign_token(token, _SAME)
    entries, reached = 0, (at, "")
    for number in range(at, len(slices)):
        for entry in read(_from(slices[number], after)):
            if entry["position"] == after:
                continue
            if entries == MAX_READ:
                found.next_token = seal("|".join(map(str, reached)), asked.fingerprint)
                return found
            entries, reached = entries + 1, (number, str(entry["position"]))
            if asked.first.isoformat() <= _day(entry) <= asked.last.isoformat():
                found.sums.setdefault(asked.key(entry), Sum()).add(entry)
                found.total.add(entry)
        after = None
    return found


def _from(slice_: Slice, after: str | None) -> Slice:
    return slice_ if after is None else Slice(slice_.index, slice_.partition, after, slice_.high)


def _day(entry: Mapping[str, Any]) -> str:
    """The day that an entry counts on; empty where its paid call was not made."""
    return str(entry.get("day_shard", "")).partition("#")[0]


def _estimate(entry: Mapping[str, Any]) -> Decimal:
    reserved = entry.get("reserved")
    if reserved is not None:
        return Decimal(reserved["micro_usd"]) / MICRO
    return Decimal(entry.get("estimated_cost_usd", 0))
