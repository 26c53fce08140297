"""What may be spent at most, for a job and in a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from stillmotion.errors import Fault, SpendLimitReached
from stillmotion.jobs.spend import MICRO, Spend, micro
from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.pricing import Ask, price
from stillmotion.requests.video_request import VideoRequest


@dataclass(frozen=True, slots=True)
class Limits:
    """The stack's limits in USD; ``None`` is no limit."""

    daily_usd: Decimal | None = None
    per_job_usd: Decimal | None = None

    @classmethod
    def from_text(cls, daily: str, per_job: str) -> Limits:
        """Limits from settings, where empty and 0 mean none."""
        return cls(*(Decimal(text) if text and Decimal(text) else None for text in (daily, per_job)))

    def check(self, request: VideoRequest, model: VideoModel) -> Decimal | None:
        """The estimated price of one request, if it may be asked for at all.

        Raises:
            SpendLimitReached: it costs more than a job or a day may, or its price cannot be known and there is a limit.
        """
        found = price(model, Ask.of(request))
        for limit, what in ((self.per_job_usd, "job"), (self.daily_usd, "day")):
            if limit is None:
                continue
            if found.at_most is None or found.unread:
                why = found.reason or f"its price list has '{found.unread[0]}', which is not understood"
                raise SpendLimitReached(
                    f"{model.id} does not state a price for this request ({why}), and this stack has a limit of "
                    f"{limit} USD a {what}. Give a duration, choose another model, or raise the limit; nothing was "
                    "submitted.",
                    faults=[Fault("#/model", "states no price", given=model.id)],
                )
            if found.at_most > limit:
                raise SpendLimitReached(
                    f"The request is estimated at {found.at_most} USD; the limit is {limit} USD a {what}. Ask for a "
                    "shorter clip or another model, or raise the limit; nothing was submitted.",
                    faults=[Fault("#/duration", f"makes it {found.at_most} USD", given=request.duration)],
                )
        return found.at_most

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
