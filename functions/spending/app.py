"""Spending: what may be spent and what was, behind ``GET`` and ``PUT /limits`` and ``GET /usage``."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api.resolver import (
    answer,
    canonical_principal,
    current_caller,
    documented,
    is_operator,
    new_api,
    require_operator,
)
from stillmotion.api.spending_views import LimitOrder, LimitsView, LimitView, Spending, UsageView, view_usage
from stillmotion.errors import Fault, InvalidRequest
from stillmotion.jobs.spend import micro
from stillmotion.jobs.usage import MAX_DAYS, Asked, By, sum_up
from stillmotion.settings import SpendingSettings, load
from stillmotion.telemetry import logger

app = new_api(LimitOrder)
wiring.prepare(wiring.budgets, SpendingSettings)
DEFAULT_DAYS = 30


def _spending(settings: SpendingSettings) -> Spending:
    return Spending(wiring.limits_of(settings), wiring.budgets(settings), datetime.now(UTC))


@app.get("/limits", responses=documented({200: LimitsView}), tags=["spending"])
def show_limits() -> Response[str]:
    """What the caller may spend today and has spent; for operators also the whole stack, and what they have set."""
    settings = load(SpendingSettings, os.environ)
    who = current_caller(app)
    return answer(200, _spending(settings).limits(who, operator=is_operator(who, settings.operator_arns)))


@app.put("/limits", responses=documented({200: LimitView}, 413, 415), tags=["spending"])
def change_limit(order: LimitOrder) -> Response[str]:
    """Set what a principal may spend a day, as an operator. It takes the place of the stack's parameter from the next
    paid call on. `{"principal": "*", "daily_usd": "0"}` stops all spending."""
    settings = load(SpendingSettings, os.environ)
    require_operator(app, settings.operator_arns)
    principal, who = canonical_principal(order.principal), str(current_caller(app))
    budgets = wiring.budgets(settings)
    if order.daily_usd is None:
        budgets.remove(principal)
    else:
        budgets.set(principal, micro(Decimal(order.daily_usd)), who)
    logger.warning("limit changed", extra={"principal": principal, "daily_usd": order.daily_usd, "operator": who})
    return answer(200, _spending(settings).limit(principal))


@app.get("/usage", responses=documented({200: UsageView}), tags=["spending"])
def show_usage(
    first: Annotated[str | None, Query(alias="from", description="the first day, YYYY-MM-DD, UTC")] = None,
    last: Annotated[str | None, Query(alias="to", description="the last day, YYYY-MM-DD, UTC")] = None,
    by: Annotated[By, Query(description="what to sum up by; tag is the stack's UsageTagKey")] = By.DAY,
    next_token: Annotated[str | None, Query(max_length=400)] = None,
) -> Response[str]:
    """What was spent, of the caller's own jobs; for operators of everybody's. Equal to the sum of the jobs' records.

    At most 92 days; without days, the last 30.
    """
    settings = load(SpendingSettings, os.environ)
    who = current_caller(app)
    owner = None if is_operator(who, settings.operator_arns) else who or ""
    asked = Asked(by, *_days(first, last), owner, _tag(by, settings))
    return answer(200, view_usage(asked, sum_up(wiring.job_store(settings).slice, asked, next_token)))


def _tag(by: By, settings: SpendingSettings) -> str:
    if by is By.TAG and not settings.usage_tag_key:
        detail = "is tag, and this stack names no key of the metadata in UsageTagKey"
        raise InvalidRequest(
            f"by {detail}. Sum up by day, model or caller, or deploy with that parameter.",
            faults=[Fault("#/by", detail, given="tag", allowed=[one for one in By if one is not By.TAG])],
        )
    return settings.usage_tag_key


def _days(first: str | None, last: str | None) -> tuple[date, date]:
    until = datetime.now(UTC).date() if last is None else _day("to", last)
    before = timedelta(days=min(DEFAULT_DAYS - 1, (until - date.min).days))
    since = until - before if first is None else _day("from", first)
    if not 0 <= (until - since).days < MAX_DAYS:
        detail = f"has to be at most {MAX_DAYS - 1} days before to, which is {until}, and not after it"
        raise InvalidRequest(
            f"from {detail}. Ask for a shorter time, and for what is before it in another call.",
            faults=[Fault("#/from", detail, given=since.isoformat())],
        )
    return since, until


def _day(name: str, text: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        detail = "must be a day of the calendar as YYYY-MM-DD, for example 2026-11-22"
        raise InvalidRequest(f"{name} {detail}.", faults=[Fault(f"#/{name}", detail, given=text[:80])]) from None


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
