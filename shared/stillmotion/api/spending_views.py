"""What may be spent, and what was, as schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from stillmotion.generation.limits import Limits, day_end, shown
from stillmotion.jobs.budgets import EVERYONE, Budget
from stillmotion.jobs.spend import MICRO, Entries
from stillmotion.jobs.usage import Asked, By, Sum, Usage
from stillmotion.modelgates.price_notes import usd

MAX_DAILY_USD = 1_000_000
_AMOUNT = r"(0|[1-9][0-9]{0,6})(\.[0-9]{1,6})?"
_PRINCIPAL = (
    r"^(\*|arn:aws[a-z-]*:(iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9+=,.@_/-]{1,700})"
    r"|sts::[0-9]{12}:(assumed-role|federated-user)/[A-Za-z0-9+=,.@_/-]{1,700}))$"
)


def _exact(given: Any) -> Any:
    """Refuse all that is no exact amount: JSON numbers are not."""
    if given is None:
        return given
    text = given if isinstance(given, str) else ""
    if re.fullmatch(_AMOUNT, text) is None or Decimal(text) > MAX_DAILY_USD:
        raise ValueError(
            f'must be USD as a string of digits with at most 6 decimals, from "0" to "{MAX_DAILY_USD}" (such as '
            '"5.00"), or null, which removes the entry'
        )
    return given


class LimitOrder(BaseModel):
    """What a principal may spend a day (UTC) from now on. ``null`` removes the entry, so that the stack's parameters
    hold again; ``"0"`` allows nothing."""

    model_config = ConfigDict(extra="forbid", strict=True)

    principal: str = Field(
        pattern=_PRINCIPAL,
        description="ARN of an IAM role or user; of a role's session, the role. * is all jobs together, also those of "
        "drops, events and workflows",
        examples=["*", "arn:aws:iam::123456789012:role/Editors"],
    )

    @field_validator("principal")
    @classmethod
    def _of_a_caller(cls, principal: str) -> str:
        """Refuse what no caller is ever called: a limit for it would limit no one."""
        _, _, named = principal.partition("/")
        if "" in named.split("/") and principal != EVERYONE and not principal.endswith(":root"):
            raise ValueError("names no caller: it has an empty part between or after '/'")
        if ":assumed-role/" in principal and "/" not in named:
            raise ValueError("is a role's session without its name: give the role, arn:…:iam::…:role/NAME")
        return principal

    daily_usd: Annotated[
        str | None, BeforeValidator(_exact), Field(description="USD, exact, as a string; null removes the entry")
    ]


class LimitView(BaseModel):
    """What a principal may spend today, and what is spent of it: charged, reserved, or perhaps charged. Amounts are
    exact, in USD, as strings."""

    model_config = ConfigDict(title="Limit")

    principal: str | None = Field(description="* is all jobs together")
    daily_usd: str | None = Field(description="null for no limit")
    spent_usd: str
    left_usd: str | None = Field(description="null for no limit")
    set_by: Literal["operator", "parameter"] | None = Field(description="null for no limit")


class EntryView(BaseModel):
    """What an operator has set."""

    model_config = ConfigDict(title="LimitEntry")

    principal: str
    daily_usd: str
    changed_at: str = Field(description="ISO-8601, UTC")
    changed_by: str

    @classmethod
    def of(cls, budget: Budget) -> EntryView:
        return cls(
            principal=budget.principal,
            daily_usd=usd(budget.micro_usd / MICRO),
            changed_at=budget.changed_at,
            changed_by=budget.changed_by,
        )


class LimitsView(BaseModel):
    """What may be spent on the day that it is now (UTC). ``stack`` and ``entries`` are for operators, and ``null`` for
    other callers."""

    model_config = ConfigDict(title="Limits")

    day: str = Field(description="YYYY-MM-DD, UTC")
    resets_at: str = Field(description="ISO-8601, UTC")
    stopped: bool = Field(description="whether an operator has stopped all spending")
    per_job_usd: str | None = Field(description="what one job may cost at most; null for no limit")
    caller: LimitView
    stack: LimitView | None
    entries: list[EntryView] | None


class SumView(BaseModel):
    """Jobs whose paid call was made, and what they cost. Amounts are exact, in USD, as strings; what a job costs is in
    one of the three."""

    model_config = ConfigDict(title="UsageSum")

    jobs: int
    charged_usd: str = Field(description="what ModelGates stated")
    reserved_usd: str = Field(description="estimates of jobs under way")
    may_have_cost_usd: str = Field(
        description="estimates of jobs that ended, were or may have been accepted, and whose cost is not stated"
    )

    @classmethod
    def amounts(cls, found: Sum) -> dict[str, Any]:
        return {
            "jobs": found.jobs,
            "charged_usd": usd(found.charged),
            "reserved_usd": usd(found.reserved),
            "may_have_cost_usd": usd(found.may_have_cost),
        }


class KeyedSumView(SumView):
    """The sum of one day, model, caller or tag."""

    model_config = ConfigDict(title="UsageRow")

    key: str | None = Field(description="the day, model, caller or tag; null for jobs without an owner or without tag")


class UsageView(BaseModel):
    """What was spent, one row for each key, ordered by it. With a ``next_token`` there is more: send it with the same
    query, and add up the pages."""

    model_config = ConfigDict(title="Usage")

    first_day: str = Field(description="YYYY-MM-DD, UTC")
    last_day: str = Field(description="YYYY-MM-DD, UTC")
    by: By
    data: list[KeyedSumView]
    total: SumView = Field(description="of this page")
    next_token: str | None


def view_usage(asked: Asked, found: Usage) -> dict[str, Any]:
    """What ``GET /usage`` answers."""
    ordered = sorted(found.sums.items(), key=lambda item: (item[0] is None, item[0] or ""))
    return {
        "first_day": asked.first.isoformat(),
        "last_day": asked.last.isoformat(),
        "by": str(asked.by),
        "data": [{"key": key} | SumView.amounts(one) for key, one in ordered],
        "total": SumView.amounts(found.total),
        "next_token": found.next_token,
    }


class Budgets(Protocol):
    """What operators allow, and what is counted."""

    def entries(self, caller: str | None) -> Entries: ...

    def spent(self, day: str, caller: str | None = None) -> int: ...

    def all(self) -> list[Budget]: ...


class Spending:
    """Shows what may be spent at a moment."""

    def __init__(self, limits: Limits, budgets: Budgets, moment: datetime) -> None:
        self._limits = limits
        self._budgets = budgets
        self._moment = moment.astimezone(UTC)

    def limits(self, caller: str | None, *, operator: bool) -> dict[str, Any]:
        """What ``GET /limits`` answers."""
        entries = self._budgets.entries(caller)
        per_job = self._limits.per_job_usd
        return LimitsView(
            day=self._day,
            resets_at=shown(day_end(self._moment)),
            stopped=entries.everyone == 0,
            per_job_usd=None if per_job is None else usd(per_job),
            caller=self._limit(caller, entries, by_caller=True),
            stack=self._limit(EVERYONE, entries, by_caller=False) if operator else None,
            entries=[EntryView.of(budget) for budget in self._budgets.all()] if operator else None,
        ).model_dump(mode="json")

    def limit(self, principal: str) -> dict[str, Any]:
        """What ``PUT /limits`` answers: what now holds for a principal."""
        by_caller = principal != EVERYONE
        entries = self._budgets.entries(principal if by_caller else None)
        return self._limit(principal, entries, by_caller=by_caller).model_dump(mode="json")

    @property
    def _day(self) -> str:
        return self._moment.date().isoformat()

    def _limit(self, principal: str | None, entries: Entries, *, by_caller: bool) -> LimitView:
        limit = self._limits.allowed(entries, by_caller=by_caller)
        entry = entries.caller if by_caller else entries.everyone
        spent = 0
        if not by_caller or principal is not None:
            spent = self._budgets.spent(self._day, principal if by_caller else None)
        left = None if limit is None else max(limit - spent / MICRO, Decimal(0))
        by: Mapping[bool, Literal["operator", "parameter"]] = {True: "operator", False: "parameter"}
        return LimitView(
            principal=principal,
            daily_usd=None if limit is None else usd(limit),
            spent_usd=usd(spent / MICRO),
            left_usd=None if left is None else usd(left),
            set_by=None if limit is None else by[entry is not None],
        )
