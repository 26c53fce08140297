"""The shape of a clip: its tier, width and height, from what a request names and a model lists."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from local.simulator.catalogue import Model

USUAL_RESOLUTION, USUAL_RATIO = "720p", "16:9"
# Pixels of the shorter side of tiers named by thousands; others are the number before the p.
_THOUSANDS = {"1k": 1024, "2k": 1440, "4k": 2160}
_USUAL_TIERS = {f"{count}p": count for count in (360, 480, 720, 768, 1024, 1080, 1440, 2160)}
_WIDE = Fraction(16, 9)
_SIDE_TOLERANCE = Fraction(2, 100)
_RATIO_TOLERANCE = Fraction(3, 100)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a clip measures: its tier in lower case, and its width and height in pixels."""

    tier: str
    width: int
    height: int


def lines(tier: str) -> int | None:
    """Return the pixels of a tier's shorter side (`720p`: 720, `4K`: 2160), or None for a word such as `hd`."""
    match = re.fullmatch(r"(\d{1,5})([pk])", tier.lower())
    if match is None:
        return None
    number = int(match[1])
    return number if match[2] == "p" else _THOUSANDS.get(tier.lower(), number * 540)


def ratio_of(text: str) -> Fraction | None:
    """Return width over height of a ratio such as `16:9` or `2.39:1`, or None for a word such as `auto`."""
    match = re.fullmatch(r"(\d{1,4}(?:\.\d{1,4})?):(\d{1,4}(?:\.\d{1,4})?)", text)
    if match is None or not Fraction(match[1]) or not Fraction(match[2]):
        return None
    return Fraction(match[1]) / Fraction(match[2])


def sides(size: str) -> tuple[int, int] | None:
    """Return width and height of a size such as `1280x720`, or None for anything else."""
    match = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", size)
    return (int(match[1]), int(match[2])) if match else None


def own_tiers(model: Model) -> list[str]:
    """Return the tiers of a model in lower case: those that it lists, then those that only its prices name."""
    listed = [tier.lower() for tier in model.resolutions or ()]
    priced = [word for name in model.prices for word in re.split(r"[_-]", name.lower()) if lines(word)]
    return list(dict.fromkeys(listed + priced))


def frame_size(tier: str, ratio: str) -> tuple[int, int]:
    """Return width and height in pixels, both even: the tier is the shorter side."""
    short = lines(tier) or lines(USUAL_RESOLUTION) or 0
    shape = ratio_of(ratio) or _WIDE
    long = round(short * max(shape, 1 / shape) / 2) * 2
    return (long, short // 2 * 2) if shape >= 1 else (short // 2 * 2, long)


def tier_of(width: int, height: int, tiers: Sequence[str]) -> str:
    """Return the tier of a size: the one within 2 % of its shorter side, else the model's nearest by pixel count.

    `tiers` are the model's own; a size may also fall into one that the model does not name.
    """
    short = min(width, height)
    own = {tier: count for tier in tiers if (count := lines(tier))}
    known = own | {tier: count for tier, count in _USUAL_TIERS.items() if count not in own.values()}
    near = [tier for tier, count in known.items() if abs(short - count) <= count * _SIDE_TOLERANCE]
    if near:
        return min(near, key=lambda tier: abs(short - known[tier]))
    if own:
        return min(own, key=lambda tier: abs(width * height - own[tier] ** 2 * _WIDE))
    return f"{short}p"


def made_shape(model: Model, size: str | None, resolution: str | None, ratio: str | None) -> Shape:
    """Return the shape of a clip; where the request leaves it open, what the model lists first counts."""
    tiers = own_tiers(model)
    named = sides(size) if size is not None else None
    if named:
        return Shape(tier_of(*named, tiers), *named)
    resolution = resolution or (model.resolutions[0] if model.resolutions else None)
    ratio = ratio or (model.ratios[0] if model.ratios else None)
    for width, height in _fitting(model, tiers, resolution, ratio):
        return Shape(resolution.lower() if resolution else tier_of(width, height, tiers), width, height)
    usual = USUAL_RESOLUTION if not tiers or USUAL_RESOLUTION in tiers else tiers[0]
    tier = (resolution or usual).lower()
    return Shape(tier, *frame_size(tier, ratio or USUAL_RATIO))


def _fitting(model: Model, tiers: Sequence[str], resolution: str | None, ratio: str | None) -> list[tuple[int, int]]:
    """Return the listed sizes of a tier and a ratio, those nearest to the ratio first."""
    listed = [both for both in map(sides, model.sizes or ()) if both]
    if resolution is not None:
        listed = [both for both in listed if tier_of(*both, tiers) == resolution.lower()]
    wanted = ratio_of(ratio) if ratio is not None else None
    if wanted is None:
        return listed
    away = {both: abs(Fraction(*both) / wanted - 1) for both in listed}
    return sorted((both for both in listed if away[both] <= _RATIO_TOLERANCE), key=lambda both: away[both])
