"""What a clip costs, in USD and exact, from a model's ``pricing_skus``.

What a request leaves open (duration, tier, ratio, sound, mode) is priced at every value that it can take: the most is
the price that limits are held against, the least is told beside it, and the open points are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.price_names import Sku, Unit, parse, tier_name
from stillmotion.modelgates.tiers import dimensions, pixels_of, tier_of
from stillmotion.requests.video_request import VideoRequest

FRAMES_PER_SECOND = 24
PIXELS_PER_TOKEN = 1024
"""A second of video has width × height × 24 / 1024 tokens (assumed; the service does not state it)."""

MODES = ("text_to_video", "image_to_video", "reference")


@dataclass(frozen=True, slots=True)
class Ask:
    """What of a request decides its price. ``None`` is left open."""

    duration: int | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    size: str | None = None
    audio: bool | None = None
    frames: int = 0
    references: int = 0
    other_references: int = 0
    video_input: bool = False
    continues: bool = False

    @classmethod
    def of(cls, request: VideoRequest) -> Ask:
        kinds = [reference.type for reference in request.input_references or ()]
        return cls(
            request.duration,
            request.resolution,
            request.aspect_ratio,
            request.size,
            request.generate_audio,
            frames=len(request.frame_images or ()),
            references=kinds.count("image_url"),
            other_references=len(kinds) - kinds.count("image_url"),
            video_input="video_url" in kinds or request.previous_job_id is not None,
            continues=request.previous_job_id is not None,
        )

    @property
    def mode(self) -> str:
        if self.frames:
            return "image_to_video"
        return "reference" if self.references or self.other_references else "text_to_video"


@dataclass(frozen=True, slots=True)
class Price:
    """A request's price in USD.

    Attributes:
        at_most: the dearest reading, ``None`` where it cannot be known.
        at_least: the cheapest reading, or the model's minimum where the rest cannot be known.
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
class _Reading:
    """One value for each open point; ``pixels`` is set where tokens are counted."""

    seconds: int | None
    tier: str | None
    sound: bool
    pixels: int | None


@dataclass(frozen=True, slots=True)
class _Total:
    """The price of one reading in USD, and the names of the price list that make it."""

    usd: Decimal
    names: tuple[str, ...]
    reading: _Reading


def price(model: VideoModel, ask: Ask) -> Price:
    """The price of what is asked."""
    entries = {name: parse(name, text) for name, text in (model.pricing_skus or {}).items()}
    skus = [sku for sku in entries.values() if sku is not None]
    unread = tuple(name for name, sku in entries.items() if sku is None)
    try:
        if any(sku.unit is Unit.MEGAPIXEL_SECOND for sku in skus):
            raise _Unpriceable("it is priced by the megapixels of a video whose size is not known here")
        totals = list(_totals(model, skus, ask, [ask.mode]))
        other_modes = [] if totals else [mode for mode in MODES if mode != ask.mode]
        totals = totals or list(_totals(model, skus, ask, other_modes))
        if not totals:
            raise _Unpriceable("its price list has no rate for it")
    except _Unpriceable as why:
        return Price(None, _lowest_minimum(skus), reason=str(why), unread=unread)
    most = max(totals, key=lambda total: total.usd)
    opened = (*_open_points(totals), *(["mode"] if other_modes else []))
    return Price(most.usd, min(total.usd for total in totals), most.names, opened, unread=unread)


def _totals(model: VideoModel, skus: Sequence[Sku], ask: Ask, modes: Sequence[str]) -> Iterator[_Total]:
    """The price of every reading for which there is a rate. A tier without a rate in a mode is not made in it."""
    for mode, reading in product(modes, list(_readings(model, skus, ask))):
        try:
            yield _total(model, skus, ask, mode, reading)
        except _NoRate:
            continue


def _readings(model: VideoModel, skus: Sequence[Sku], ask: Ask) -> Iterator[_Reading]:
    """Every reading of a request: one value for each of its open points.

    Prices grow with seconds and pixels, so of these the smallest and the largest are enough.
    """
    durations: Sequence[int | None] = (
        [ask.duration] if ask.duration else _ends(model.supported_durations or ()) or [None]
    )
    mentions_sound = any("sound" in sku.qualifiers for sku in skus)
    if ask.audio is not None:
        sounds = [ask.audio]
    else:
        sounds = [False, True] if mentions_sound and model.generate_audio is not False else [False]
    counts_tokens = any(sku.unit is Unit.TOKEN for sku in skus)
    for tier, pixels in _shapes(model, skus, ask, counts_tokens):
        for seconds, sound in product(durations, sounds):
            yield _Reading(seconds, tier, sound, pixels)


def _shapes(
    model: VideoModel, skus: Sequence[Sku], ask: Ask, counts_tokens: bool
) -> Iterator[tuple[str | None, int | None]]:
    """The tiers that a request can fall into, with the pixel counts where tokens are counted."""
    stated = [tier_name(resolution) for resolution in model.supported_resolutions or ()]
    tiers = list(dict.fromkeys([*stated, *(sku.qualifiers["tier"] for sku in skus if "tier" in sku.qualifiers)]))
    size = dimensions(ask.size) if ask.size else None
    if size is not None:
        yield tier_of(*size, tiers), size[0] * size[1]
        return
    asked: Sequence[str | None] = [tier_name(ask.resolution)] if ask.resolution else tiers or [None]
    for tier in asked:
        if not counts_tokens:
            yield tier, None
            continue
        ratios = [ask.aspect_ratio] if ask.aspect_ratio else [None, *(model.supported_aspect_ratios or ())]
        counts: list[int] = []
        if tier is not None:
            for ratio in ratios:
                counts += pixels_of(tier, ratio, model.supported_sizes or (), tiers)
        yield from ((tier, pixels) for pixels in _ends(counts))
        if not counts:
            yield tier, None


def _total(model: VideoModel, skus: Sequence[Sku], ask: Ask, mode: str, reading: _Reading) -> _Total:
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
        return _dearest([sku for sku in skus if sku.unit is unit and sku.applies(facts)])

    flat = rate(Unit.VIDEO)
    total, names = (flat[0], [flat[1]]) if flat else _by_length(model, ask, reading, rate)
    for unit, count in ((Unit.IMAGE, ask.frames + ask.references), (Unit.REFERENCE_IMAGE, ask.references)):
        fee = rate(unit) if count else None
        if fee is not None:
            total += fee[0] * count
            names.append(fee[1])
    floor = rate(Unit.MINIMUM)
    if floor is not None and floor[0] > total:
        return _Total(floor[0], (floor[1],), reading)
    return _Total(total, tuple(names), reading)


def _by_length(
    model: VideoModel, ask: Ask, reading: _Reading, rate: Callable[[Unit], tuple[Decimal, str] | None]
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


def _dearest(applying: Sequence[Sku]) -> tuple[Decimal, str] | None:
    """The price of one unit and its name.

    A name falls away where a less specific one has the same value, then where a more specific one applies; of the rest
    the dearest counts.

    Raises:
        _Unpriceable: one of them is no decimal from 0 to 1,000.
    """
    valued = [(sku, usd) for sku in applying if (usd := sku.usd) is not None]
    if len(valued) < len(applying):
        raise _Unpriceable("its price list has an entry for it that is no price")
    told = [
        (sku, usd)
        for sku, usd in valued
        if not any(sku.is_more_specific_than(other) and usd == same for other, same in valued)
    ]
    left = [(sku, usd) for sku, usd in told if not any(other.is_more_specific_than(sku) for other, _ in told)]
    return max(((usd, sku.name) for sku, usd in left), default=None)


def _ends(values: Sequence[int]) -> list[int]:
    """The smallest and the largest of some values, one where they are equal, none of none."""
    return sorted({min(values), max(values)}) if values else []


def _lowest_minimum(skus: Sequence[Sku]) -> Decimal | None:
    """The least that the model states for any clip."""
    return min((sku.usd for sku in skus if sku.unit is Unit.MINIMUM and sku.usd is not None), default=None)


def _open_points(totals: Sequence[_Total]) -> Iterator[str]:
    """The points in which the readings differ."""
    for name, field in (("duration", "seconds"), ("resolution", "tier"), ("sound", "sound"), ("size", "pixels")):
        if len({getattr(total.reading, field) for total in totals}) > 1:
            yield name
