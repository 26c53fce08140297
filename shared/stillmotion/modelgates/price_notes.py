"""The open points of a price in words: what makes it high, and what would make it lower."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.pricing import Ask, Price, price


@dataclass(frozen=True, slots=True)
class Quote:
    """The one figure that every entry point shows for a request, in USD.

    Attributes:
        at_most: what it can cost at most; limits are compared with it. ``None`` where it cannot be known.
        at_least: what it costs at least.
        basis: the names of the price list that make ``at_most``.
        notes: one sentence for each open point on which the price depends.
        reason: why there is no price, or why it cannot be relied on.
    """

    at_most: Decimal | None
    at_least: Decimal | None
    basis: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def certain(self) -> bool:
        """Whether a limit can be compared with ``at_most``."""
        return self.at_most is not None and self.reason is None

    @property
    def estimated_cost_usd(self) -> float | None:
        """``at_most`` as a JSON number."""
        return None if self.at_most is None else float(self.at_most)

    def to_json(self) -> dict[str, Any]:
        """As answers and records show it: exact amounts as decimal strings."""
        return {
            "at_most_usd": _text(self.at_most),
            "at_least_usd": _text(self.at_least),
            "basis": list(self.basis),
            "open": list(self.notes),
            "reason": self.reason,
        }


def quote(model: VideoModel, ask: Ask) -> Quote:
    """The price of what is asked, with its open points in words."""
    found = price(model, ask)
    reason = found.reason
    if reason is None and found.unread:
        reason = f"its price list has '{found.unread[0]}', which is not understood: the price may be higher"
    return Quote(found.at_most, found.at_least, found.basis, tuple(_notes(model, ask, found)), reason)


def usd(amount: Decimal) -> str:
    """An amount for a sentence: at least two decimals, more where they are not zero."""
    text = format(amount.normalize(), "f")
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents.ljust(2, '0')}"


def _notes(model: VideoModel, ask: Ask, found: Price) -> Iterator[str]:
    for point in found.open_points:
        if point == "mode":
            yield "the price list has no rate for this kind of request: the highest of its other rates counts"
            continue
        priced = list(_alternatives(model, ask, point))
        low, high = min(priced, key=_by_price, default=None), max(priced, key=_by_price, default=None)
        if low is None or high is None or low[0] == high[0]:
            continue
        yield _sentence(model, point, low, high)


def _alternatives(model: VideoModel, ask: Ask, point: str) -> Iterator[tuple[Decimal, str]]:
    """The price at each value that an open point can take, all other points as they are."""
    choices: Sequence[tuple[dict[str, Any], str]]
    if point == "duration":
        lengths = sorted(model.supported_durations or ())
        choices = [({"duration": seconds}, f"{seconds} s") for seconds in {*lengths[:1], *lengths[-1:]}]
    elif point == "resolution":
        choices = [({"resolution": name}, name) for name in model.supported_resolutions or ()]
    elif point == "sound":
        choices = [({"audio": True}, "with sound"), ({"audio": False}, "without sound")]
    else:
        choices = [({"aspect_ratio": name}, name) for name in model.supported_aspect_ratios or ()]
    for fixed, name in choices:
        at_most = price(model, replace(ask, **fixed)).at_most
        if at_most is not None:
            yield at_most, name


def _sentence(model: VideoModel, point: str, low: tuple[Decimal, str], high: tuple[Decimal, str]) -> str:
    if point == "sound" and model.generate_audio:
        return f"sound is on by default with this model: {usd(high[0])} USD; {low[1]} {usd(low[0])} USD"
    name = "aspect_ratio" if point == "size" else point
    return f"{name} is open: {usd(high[0])} USD at most ({high[1]}); {usd(low[0])} USD with {low[1]}"


def _by_price(priced: tuple[Decimal, str]) -> Decimal:
    return priced[0]


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else usd(amount)
