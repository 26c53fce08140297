"""What may be spent at most, for a job and in a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from stillmotion.errors import Fault, PriceUnknown, SpendLimitReached, pointer
from stillmotion.jobs.spend import MICRO, Spend, micro
from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.price_notes import Quote, quote, usd
from stillmotion.modelgates.pricing import Ask
from stillmotion.requests.video_request import VideoRequest

BILLED_PARAMETERS = frozenset(
    {
        *("size", "ratio", "aspectRatio", "duration", "image", "images", "last_image", "video", "videos", "audio"),
        *("keyframes", "version", "return_last_frame", "sampleCount"),
    }
)
"""Pass-through parameters that change the bill. Source: the request body of ``POST /videos``."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The stack's limits in USD; ``None`` is no limit."""

    daily_usd: Decimal | None = None
    per_job_usd: Decimal | None = None

    def check(self, request: VideoRequest, model: VideoModel) -> Quote:
        """The price of one request, if the limits allow it.

        Raises:
            SpendLimitReached: it can cost more than a job or a day may.
            PriceUnknown: there is a limit, and what the request costs cannot be known.
        """
        found = quote(model, Ask.of(request))
        for limit, what in ((self.per_job_usd, "job"), (self.daily_usd, "day")):
            if limit is not None:
                require_price(request, model, found, f"this stack has a limit of {usd(limit)} USD a {what}")
                _hold(limit, what, request, found)
        return found

    def reserve(self, price: Decimal | None, now: datetime) -> Spend | None:
        """What a job of this price changes in the day's counter when it is claimed; ``None`` without a limit."""
        if self.daily_usd is None or price is None:
            return None
        amount = micro(price)
        return Spend(now.astimezone(UTC).date().isoformat(), amount, ceiling=micro(self.daily_usd) - amount)

    def reached(self, price: Decimal, spent: int, now: datetime) -> SpendLimitReached:
        """The error when a day's counter, at ``spent`` micro-USD, leaves no room for a job of this price.

        Its ``retry_after`` is the day's end.
        """
        day = now.astimezone(UTC)
        tomorrow = (day + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        left = max((self.daily_usd or Decimal(0)) - spent / MICRO, Decimal(0))
        return SpendLimitReached(
            f"The job is estimated at {price} USD, but {left} USD is left of today's {self.daily_usd} USD. The limit "
            f"resets at {tomorrow.isoformat().replace('+00:00', 'Z')}. Wait until then or raise DailySpendLimitUsd; "
            "nothing was submitted.",
            retry_after=(tomorrow - day).total_seconds(),
        )


def require_price(request: VideoRequest, model: VideoModel, found: Quote, limit: str) -> None:
    """Refuse a request whose price cannot be relied on, where something limits it.

    Args:
        limit: what limits it, for the message: ``this stack has a limit of 3.00 USD a day``.

    Raises:
        PriceUnknown: the model's list does not give the price, or the request passes on what changes it.
    """
    billed = list(_billed(request))
    if billed:
        names = ", ".join(fault.given for fault in billed)
        raise PriceUnknown(
            f"The request passes {names} on to the model, which can change what it costs, and {limit}. Use the "
            "request's own fields instead, or leave it out; nothing was submitted.",
            faults=billed,
        )
    if not found.certain:
        least = f" It costs {usd(found.at_least)} USD at least." if found.at_least else ""
        raise PriceUnknown(
            f"What this costs on {model.id} cannot be known ({found.reason}), and {limit}.{least} Give a duration, or "
            "choose another model; nothing was submitted.",
            faults=[Fault("#/model", "states no price for this request", given=model.id)],
        )


def passes_on_billed(request: VideoRequest) -> bool:
    """Whether a request passes on what changes its price, so that the price list does not hold for it."""
    return any(True for _ in _billed(request))


def _hold(limit: Decimal, what: str, request: VideoRequest, found: Quote) -> None:
    at_most = found.at_most or Decimal(0)
    if at_most <= limit:
        return
    cheaper = f" What makes it expensive: {'; '.join(found.notes)}." if found.notes else ""
    raise SpendLimitReached(
        f"The request can cost {usd(at_most)} USD; the limit is {usd(limit)} USD a {what}.{cheaper} Ask for less, "
        "choose another model, or raise the limit; nothing was submitted.",
        faults=[Fault("#/duration", f"makes it {usd(at_most)} USD", given=request.duration)],
    )


def _billed(request: VideoRequest) -> Iterator[Fault]:
    for slug, options in (request.provider.options if request.provider else {}).items():
        for name in options.parameters:
            if name in BILLED_PARAMETERS:
                where = pointer("provider", "options", slug, "parameters", name)
                yield Fault(where, "can change what the clip costs, and there is a limit: leave it out", given=name)
