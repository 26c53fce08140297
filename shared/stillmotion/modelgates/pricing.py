"""What a clip costs, in USD and exact, from a model's ``pricing_skus``.

What a request leaves open (duration, tier, ratio, sound, mode) is priced at every value that it can take: the highest
price is the one that limits are compared with, the lowest is shown beside it, and the open points are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.price_names import Sku, Unit, parse
from stillmotion.modelgates.price_readings import Ask, Reading, readings

__all__ = ["MODES", "Ask", "Price", "price"]

FRAMES_PER_SECOND = 24
PIXELS_PER_TOKEN = 1024
"""A second of video has width × height × 24 / 1024 tokens (assumed; the service does not state it)."""

MODES = ("text_to_video", "image_to_video", "reference")
_POINTS = (
    ("duration", "seconds", ("tier", "sound", "pixels")),
    # The pixels of a clip follow from its tier, so of these the fewest and the most are compared.
    ("resolution", "tier", ("seconds", "sound")),
    ("sound", "sound", ("seconds", "tier", "pixels")),
    ("size", "pixels", ("seconds", "tier", "sound")),
)
"""The open points, the field of a reading that holds each, and the fields that are alike when it is compared."""


@dataclass(frozen=True, slots=True)
class Price:
    """A request's price in USD.

    Attributes:
        at_most: the highest price of a reading, ``None`` where it cannot be known.
        at_least: the lowest price of a reading, or the model's minimum where the rest cannot be known.
        basis: the price-list names that make ``at_most``.
        open_points: what the request leaves open and the price depends on.
        reason: why there is no price.
        unread: names of the price list that are not understood.
    """

    at_most: Decimal | None
    at_least: Decimal | None
    basis: tuple[str, ...] = ()
    open_points: tuple[str, ...] = ()
    reason: str | None = None
    unread: tuple[str, ...] = ()


class _Unpriceable(Exception):
    """Why a request has no price that can be known."""


class _NoRate(Exception):
    """The price list has no rate for one reading of a request."""


@dataclass(frozen=True, slots=True)
class _Total:
    """The price of one reading in USD, and the names of the price list that make it."""

    usd: Decimal
    names: tuple[str, ...]
    reading: Reading
    mode: str


def price(model: VideoModel, ask: Ask) -> Price:
    """The price of what is asked."""
    entries = {name: parse(name, text) for name, text in (model.pricing_skus or {}).items()}
    skus = [sku for sku in entries.values() if sku is not None]
    unread = tuple(name for name, sku in entries.items() if sku is None)
    try:
        if any(sku.unit is Unit.MEGAPIXEL_SECOND for sku in skus):
            raise _Unpriceable("it is priced by the megapixels of a video whose size is not known here")
        totals = _totals(model, skus, ask)
    except _Unpriceable as why:
        return Price(None, _lowest_minimum(skus), reason=str(why), unread=unread)
    most = max(totals, key=lambda total: total.usd)
    least = min(total.usd for total in totals)
    return Price(most.usd, least, most.names, tuple(_open_points(totals, ask.mode)), unread=unread)


def _totals(model: VideoModel, skus: Sequence[Sku], ask: Ask) -> list[_Total]:
    """The price of every reading, in the request's mode, else in the others.

    Raises:
        _Unpriceable: a likely reading has no rate in any mode, or no reading has one.
    """
    own = {reading: list(_in_modes(model, skus, ask, [ask.mode], reading)) for reading in readings(model, skus, ask)}
    others = [mode for mode in MODES if mode != ask.mode]
    none_in_own_mode = not any(own.values())
    found: list[_Total] = []
    for reading, totals in own.items():
        if not totals and (reading.likely or none_in_own_mode):
            totals = list(_in_modes(model, skus, ask, others, reading))
            if not totals and reading.likely:
                raise _Unpriceable(f"its price list has no rate for {_in_words(reading)}")
        found += totals
    if not found:
        raise _Unpriceable("its price list has no rate for it")
    return found


def _in_modes(
    model: VideoModel, skus: Sequence[Sku], ask: Ask, modes: Sequence[str], reading: Reading
) -> Iterator[_Total]:
    for mode in modes:
        try:
            yield _total(model, skus, ask, mode, reading)
        except _NoRate:
            continue


def _in_words(reading: Reading) -> str:
    return f"{reading.tier or 'it'} {'with' if reading.sound else 'without'} sound"


def _total(model: VideoModel, skus: Sequence[Sku], ask: Ask, mode: str, reading: Reading) -> _Total:
    """The price of one reading.

    Raises:
        _NoRate: the list has none for it.
        _Unpriceable: it cannot be known.
    """
    facts = {"mode": mode, "sound": "with_audio" if reading.sound else "without_audio"}
    if reading.tier is not None:
        facts["tier"] = reading.tier
    if ask.video_input:
        facts["video"] = "with_video_input"

    def rate(unit: Unit) -> tuple[Decimal, str] | None:
        return _highest_rate([sku for sku in skus if sku.unit is unit and sku.applies(facts)])

    flat = rate(Unit.VIDEO)
    total, names = (flat[0], [flat[1]]) if flat else _by_length(model, ask, reading, rate)
    for unit, count in ((Unit.IMAGE, ask.frames + ask.references), (Unit.REFERENCE_IMAGE, ask.references)):
        fee = rate(unit) if count else None
        if fee is not None:
            total += fee[0] * count
            names.append(fee[1])
    floor = rate(Unit.MINIMUM)
    if floor is not None and floor[0] > total:
        return _Total(floor[0], (floor[1],), reading, mode)
    return _Total(total, tuple(names), reading, mode)


def _by_length(
    model: VideoModel, ask: Ask, reading: Reading, rate: Callable[[Unit], tuple[Decimal, str] | None]
) -> tuple[Decimal, list[str]]:
    """The price of the clip's seconds or tokens."""
    found = rate(Unit.CONTINUED_SECOND) if ask.continues else None
    found = found or rate(Unit.SECOND)
    seconds = reading.seconds
    if found is not None:
        if seconds is None or (model.supported_durations is None and not found[1].startswith("per-video")):
            raise _Unpriceable("it states no durations: the length follows the input")
        return found[0] * seconds, [found[1]]
    found = rate(Unit.TOKEN)
    if found is None:
        raise _NoRate
    if model.supported_durations is None:
        raise _Unpriceable("it states no durations: the length follows the input")
    if ask.video_input:
        raise _Unpriceable("the seconds of the input video count, and its length is not known here")
    if seconds is None or reading.pixels is None:
        raise _Unpriceable("it is priced by pixels, and the clip's size is not known")
    return found[0] * reading.pixels * FRAMES_PER_SECOND * seconds / PIXELS_PER_TOKEN, [found[1]]


def _highest_rate(applying: Sequence[Sku]) -> tuple[Decimal, str] | None:
    """The price of one unit and its name.

    A name is dropped where a less specific one has the same value, then where a more specific one applies; of the rest
    the highest price counts.

    Raises:
        _Unpriceable: one of them is no decimal from 0 to 1,000.
    """
    valued = [(sku, usd) for sku in applying if (usd := sku.usd) is not None]
    if len(valued) < len(applying):
        raise _Unpriceable("its price list has an entry for it that is no price")
    distinct = [
        (sku, usd)
        for sku, usd in valued
        if not any(sku.is_more_specific_than(other) and usd == same for other, same in valued)
    ]
    left = [(sku, usd) for sku, usd in distinct if not any(other.is_more_specific_than(sku) for other, _ in distinct)]
    return max(((usd, sku.name) for sku, usd in left), default=None)


def _lowest_minimum(skus: Sequence[Sku]) -> Decimal | None:
    """The least that the model states for any clip."""
    return min((sku.usd for sku in skus if sku.unit is Unit.MINIMUM and sku.usd is not None), default=None)


def _open_points(totals: Sequence[_Total], mode: str) -> Iterator[str]:
    """The points on which the price depends: with all others alike, it differs."""
    for name, field, alike in _POINTS:
        prices: dict[tuple[object, ...], dict[object, set[Decimal]]] = {}
        for total in totals:
            rest = (total.mode, *(getattr(total.reading, other) for other in alike))
            prices.setdefault(rest, {}).setdefault(getattr(total.reading, field), set()).add(total.usd)
        if any(len({(min(usd), max(usd)) for usd in values.values()}) > 1 for values in prices.values()):
            yield name
    if any(total.mode != mode for total in totals):
        yield "mode"
