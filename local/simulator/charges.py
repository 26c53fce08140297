"""What the simulated service charges for a finished clip, in USD.

It knows what was really made, so nothing is left open here. It builds the names under which a model's price list may
have this clip, and looks them up. No code is shared with the estimates of the product, which are tested against it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

MODES = ("text_to_video", "image_to_video", "reference")
DEAREST_PRICE = 1000
_USD, _CENT = Decimal(1), Decimal("0.01")
_MEGAPIXEL = 1_000_000
# Tokens are counted at 24 frames a second, whatever the clip has.
_TOKEN_FRAMES, _TOKEN_PIXELS = 24, 1024
_OTHER_SPELLINGS = {"1k": "1024p", "1024p": "1k", "2k": "1440p", "1440p": "2k", "4k": "2160p", "2160p": "4k"}


class NoPriceError(Exception):
    """The price list holds nothing that can be charged for a clip."""


@dataclass(frozen=True, slots=True)
class Made:
    """A clip as it was made: `tier` in lower case, seconds of output and of video that went in."""

    mode: str
    tier: str
    width: int
    height: int
    seconds: int
    sound: bool
    frames: int = 0
    references: int = 0
    video_seconds: int = 0
    continues: bool = False
    creativity: int = 0

    @property
    def tokens(self) -> Decimal:
        """Video tokens of the clip and of the video that went in."""
        pixels = Decimal(self.width * self.height)
        return pixels * _TOKEN_FRAMES * (self.seconds + self.video_seconds) / _TOKEN_PIXELS

    @property
    def megapixel_seconds(self) -> Decimal:
        """Megapixels of a frame times seconds."""
        return Decimal(self.width * self.height * self.seconds) / _MEGAPIXEL


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of billing: how its names are spelled, each with the USD that a price of 1 means, and what is counted.

    A spelling has places for qualifiers in braces; each may be filled or left out.
    """

    spellings: Mapping[str, Decimal]
    of: str = "seconds"


SECONDS = Unit(
    {
        "{mode}duration_seconds{sound}{tier}": _USD,
        "cents_per_second_output{tier}": _CENT,
        "cents_per_video_output_second{tier}": _CENT,
        "per-video-second{dashed_tier}{dashed_sound}": _USD,
    }
)
CONTINUATIONS = Unit({"cents_per_second_video_continuation{tier}": _CENT})
TOKENS = Unit({"video_tokens{tier}{silent}{video}": _USD}, of="tokens")
CLIPS = Unit({"per-video": _USD, "generate": _USD}, of="clips")
ENLARGED = {0: "cents_per_megapixel_second_precise", 1: "cents_per_megapixel_second_creative"}


def charge(prices: Mapping[str, Any], made: Made, tiers: Sequence[str] = ()) -> Decimal:
    """Return the exact price of a clip in USD; `tiers` are all those of its model. Raises NoPriceError.

    A clip whose mode has no price is charged as one of another mode; one whose tier has none, as the most expensive
    tier.
    """
    total = _price_of_clip(prices, made, tiers)
    if images := made.frames + made.references:
        total += images * _CENT * _amount(prices, "cents_per_image_input")
    if made.references:
        total += made.references * _amount(prices, "reference_images")
    return max(total, _CENT * _amount(prices, "minimum_cents_per_generation"))


def _price_of_clip(prices: Mapping[str, Any], made: Made, tiers: Sequence[str]) -> Decimal:
    for unit in (CLIPS, *([CONTINUATIONS] if made.continues else [])):
        if (price := _priced(prices, made, unit)) is not None:
            return price
    enlarging = ENLARGED.get(made.creativity, ENLARGED[1])
    if enlarging in prices:
        return made.megapixel_seconds * _CENT * _amount(prices, enlarging)
    for unit in (SECONDS, TOKENS):
        for taken in _taken_for(made, tiers):
            found = [price for one in taken if (price := _priced(prices, one, unit)) is not None]
            if found:
                return max(found)
    raise NoPriceError(f"no price for {made.seconds} s of {made.mode} at {made.tier}; there are {', '.join(prices)}")


def _taken_for(made: Made, tiers: Sequence[str]) -> Iterator[list[Made]]:
    """Yield what a clip is charged as: itself, else one of another mode, else the most expensive of all."""
    yield [made]
    for mode in MODES:
        yield [replace(made, mode=mode)]
    yield [replace(made, mode=m, tier=t, sound=s) for m, t, s in product(MODES, tiers, (True, False))]


def _priced(prices: Mapping[str, Any], made: Made, unit: Unit) -> Decimal | None:
    """Return the price by a unit, or None where the list has none for this clip."""
    rate = _rate(prices, made, unit)
    counted = {"seconds": Decimal(made.seconds), "tokens": made.tokens, "clips": Decimal(1)}
    return None if rate is None else rate * counted[unit.of]


def _rate(prices: Mapping[str, Any], made: Made, unit: Unit) -> Decimal | None:
    """Return the rate of the most specific names that add information, the highest of several; None without any."""
    found: dict[frozenset[str], Decimal] = {}
    for spelling, usd in unit.spellings.items():
        for filled, name in _names(spelling, made):
            if name in prices:
                found[filled] = max(found.get(filled, Decimal(0)), _amount(prices, name) * usd)
    new = {
        filled: rate
        for filled, rate in found.items()
        if not any(general < filled and found[general] == rate for general in found)
    }
    return max((rate for filled, rate in new.items() if not any(filled < special for special in new)), default=None)


def _names(spelling: str, made: Made) -> Iterator[tuple[frozenset[str], str]]:
    """Yield each name that a spelling gives for a clip, with the places that are filled in it."""
    tiers = [made.tier, *([other] if (other := _OTHER_SPELLINGS.get(made.tier)) else [])]
    words = {
        "mode": [f"{made.mode}_"],
        "sound": ["_with_audio" if made.sound else "_without_audio"],
        "silent": [] if made.sound else ["_without_audio"],
        "video": ["_with_video_input"] if made.video_seconds else [],
        "tier": [f"_{tier}" for tier in tiers],
        "dashed_tier": [f"-{tier}" for tier in tiers],
        "dashed_sound": ["-with-audio" if made.sound else "-without-audio"],
    }
    places = [place for place in words if f"{{{place}}}" in spelling]
    for choice in product(*(["", *words[place]] for place in places)):
        chosen = dict(zip(places, choice, strict=True))
        filled = frozenset(place.removeprefix("dashed_") for place, word in chosen.items() if word)
        yield filled, spelling.format(**chosen)


def _amount(prices: Mapping[str, Any], name: str) -> Decimal:
    """Return a price of the list, 0 where it is missing; raises NoPriceError for one that cannot be charged."""
    value = prices.get(name, "0")
    try:
        amount = Decimal(str(value)) if not isinstance(value, bool) else Decimal("nan")
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or not 0 <= amount <= DEAREST_PRICE:
        raise NoPriceError(f"the price {name} is {value!r}")
    return amount
