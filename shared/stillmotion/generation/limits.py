"""What may be spent at most, for a job and in a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from stillmotion.errors import Fault, PriceUnknown, SpendLimitReached, pointer
from stillmotion.jobs.record import Job
from stillmotion.jobs.spend import MICRO, CeilingReached, Entries, Guard, Spend, micro
from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.price_notes import Quote, quote, usd
from stillmotion.modelgates.pricing import Ask
from stillmotion.requests.video_request import VideoRequest, parse_request

BILLED_PARAMETERS = frozenset(
    {
        *("size", "ratio", "aspectRatio", "duration", "image", "images", "last_image", "video", "videos", "audio"),
        *("keyframes", "version", "return_last_frame", "sampleCount"),
    }
)
"""Pass-through parameters that change the bill. Source: the request body of ``POST /videos``."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the stack's parameters in USD; ``None`` is no limit.

    What operators allow for all jobs, or for a caller (:class:`~stillmotion.jobs.spend.Entries`), takes the place of
    ``daily_usd`` and ``caller_daily_usd``. There, nothing is an amount like any other.
    """

    daily_usd: Decimal | None = None
    per_job_usd: Decimal | None = None
    caller_daily_usd: Decimal | None = None

    def check(self, request: VideoRequest, model: VideoModel, caller: str | None = None) -> Quote:
        """The price of one request, if the limits allow it.

        Raises:
            SpendLimitReached: it can cost more than a job, a day or a caller's day may.
            PriceUnknown: there is a limit, and what the request costs cannot be known.
        """
        found = quote(model, Ask.of(request))
        limits = [(self.per_job_usd, "job"), (self.daily_usd, "day")]
        if caller is not None:
            limits.append((self.caller_daily_usd, "caller and day"))
        for limit, what in limits:
            if limit is not None:
                require_price(request, model, found, f"this stack has a limit of {usd(limit)} USD a {what}")
                _hold(limit, what, request, found)
        return found

    def allowed(self, entries: Entries, *, by_caller: bool) -> Decimal | None:
        """What may be spent a day in USD, by all jobs or by a caller; ``None`` for no limit."""
        entry = entries.caller if by_caller else entries.everyone
        if entry is not None:
            return entry / MICRO
        return self.caller_daily_usd if by_caller else self.daily_usd

    def reserve(self, job: Job, entries: Entries, moment: datetime) -> Spend:
        """What a job changes in its day's counters when it is claimed, and what has to hold for that.

        Raises:
            SpendLimitReached: it can cost more than a whole day may, or nothing may be spent.
            PriceUnknown: there is a limit, and what the job costs cannot be known.
        """
        everyone = self.allowed(entries, by_caller=False)
        own = None if job.owner is None else self.allowed(entries, by_caller=True)
        price = Decimal(0) if job.estimated_cost_usd is None else Decimal(str(job.estimated_cost_usd))
        for limit, by_caller in ((everyone, False), (own, True)):
            if limit is not None:
                _hold_job(job, price, limit, _whose(job.owner, by_caller=by_caller))
        amount = micro(price)
        guard = Guard(
            entries,
            everyone=None if everyone is None else micro(everyone) - amount,
            caller=None if own is None else micro(own) - amount,
        )
        return Spend(moment.astimezone(UTC).date().isoformat(), amount, job.owner, guard)

    def reached(self, job: Job, spend: Spend, reached: CeilingReached, moment: datetime) -> SpendLimitReached:
        """The error when one of a day's counters leaves no room for a job.

        Its ``retry_after`` is the day's end.
        """
        entries = Entries() if spend.guard is None else spend.guard.entries
        limit = self.allowed(entries, by_caller=reached.by_caller) or Decimal(0)
        day = moment.astimezone(UTC)
        spent = reached.spent / MICRO
        return SpendLimitReached(
            f"The job is estimated at {usd(spend.micro_usd / MICRO)} USD, but of the {usd(limit)} USD that "
            f"{_whose(job.owner, by_caller=reached.by_caller)} may spend today, {usd(spent)} USD are spent or reserved "
            f"and {usd(max(limit - spent, Decimal(0)))} USD are left. The limit resets at {shown(day_end(day))}. Wait "
            f"until then, or ask an operator of the stack for a higher limit ({_RAISED_BY}); nothing was submitted.",
            retry_after=(day_end(day) - day).total_seconds(),
        )


_RAISED_BY = "PUT /limits, stillmotion limits set, or the stack's parameters"


def day_end(moment: datetime) -> datetime:
    """When the counters of a moment's day end: the next midnight in UTC."""
    day = moment.astimezone(UTC)
    return (day + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def shown(moment: datetime) -> str:
    """A moment of whole seconds as answers write it, ISO-8601 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _whose(owner: str | None, *, by_caller: bool) -> str:
    return f"the caller '{owner}'" if by_caller else "the whole stack"


def _hold_job(job: Job, price: Decimal, limit: Decimal, who: str) -> None:
    """Refuse a job that is on record and could not be paid even on a day without any other."""
    if not limit:
        raise SpendLimitReached(
            f"Spending is stopped: an operator has set what {who} may spend a day to 0 USD. Ask an operator of the "
            "stack to allow it again (PUT /limits, stillmotion limits); nothing was submitted."
        )
    known = job.estimated_cost_usd is not None and (job.price is None or job.price.reason is None)
    if not known or passes_on_billed(parse_request(job.request)):
        raise PriceUnknown(
            f"What job '{job.id}' costs on {job.model} cannot be known, and {who} may spend {usd(limit)} USD a day. "
            "Give a duration, choose another model, or leave out what the request passes on to the model; nothing was "
            "submitted."
        )
    if price > limit:
        raise SpendLimitReached(
            f"The job can cost {usd(price)} USD, and {who} may spend {usd(limit)} USD a day. Ask for less, choose "
            f"another model, or ask an operator of the stack for a higher limit ({_RAISED_BY}); nothing was submitted."
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
