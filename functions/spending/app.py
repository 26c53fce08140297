"""Spending: what may be spent and what was, behind ``GET`` and ``PUT /limits`` and ``GET /usage``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
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
from stillmotion.api.spending_views import LimitOrder, LimitsView, LimitView, Spending
from stillmotion.jobs.spend import micro
from stillmotion.settings import SpendingSettings, load
from stillmotion.telemetry import logger

app = new_api(LimitOrder)
wiring.prepare(wiring.budgets, SpendingSettings)


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


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
