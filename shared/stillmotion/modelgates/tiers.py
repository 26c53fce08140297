"""Which tier of a price list a picture size falls into, and which sizes a tier can have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fractions import Fraction
from math import ceil

SHORT_SIDES = {"480p": 480, "720p": 720, "768p": 768, "1024p": 1024, "1080p": 1080, "2k": 1440, "4k": 2160, "8k": 4320}
"""Pixels of the shorter side of the tiers in price lists."""

_SIDE_TOLERANCE = Fraction(2, 100)
_RATIO_TOLERANCE = Fraction(3, 100)
_WIDE = Fraction(16, 9)
_EVEN = 2


def short_side(tier: str) -> int | None:
    """Pixels of a tier's shorter side, ``None`` for a tier that is not understood."""
    if tier in SHORT_SIDES:
        return SHORT_SIDES[tier]
    found = re.fullmatch(r"(\d{3,4})p", tier)
    return int(found[1]) if found else None


def tier_of(width: int, height: int, tiers: Collection[str]) -> str | None:
    """The tier of a size.

    It is the tier within 2 % of the shorter side; else the nearest of the model's ``tiers`` by pixel count of a 16:9
    picture; ``None`` where the model has no tiers and none is near.
    """
    short = min(width, height)
    sides = {tier: side for tier in (*tiers, *SHORT_SIDES) if (side := short_side(tier)) is not None}
    near = [tier for tier, side in sides.items() if abs(short - side) <= side * _SIDE_TOLERANCE]
    if near:
        return min(near, key=lambda tier: abs(short - sides[tier]))
    own = [tier for tier in tiers if tier in sides]
    return min(own, key=lambda tier: abs(width * height - sides[tier] ** 2 * _WIDE), default=None)


def pixels_of(tier: str, ratio: str | None, sizes: Iterable[str], tiers: Collection[str]) -> list[int]:
    """Pixel counts that a clip of this tier and ratio can have.

    They are the listed sizes of the tier within 3 % of the ratio (all, without a ratio). Where none is listed, it is
    the larger of two: the ratio on the tier's shorter side, and the area of the tier's 16:9 picture.
    """
    listed = [size for size in map(dimensions, sizes) if size and tier_of(*size, tiers) == tier]
    wanted = None if ratio is None else _ratio(ratio)
    fitting = [size for size in listed if wanted is None or abs(Fraction(*size) - wanted) <= wanted * _RATIO_TOLERANCE]
    if fitting:
        return [width * height for width, height in fitting]
    short = short_side(tier)
    if short is None:
        return []
    stretched = _WIDE if wanted is None else max(wanted, 1 / wanted)
    # Sides are whole and even: 480 lines at 16:9 are 854x480.
    return [short * _EVEN * ceil(short * max(stretched, _WIDE) / _EVEN)]


def dimensions(size: str) -> tuple[int, int] | None:
    """Width and height of ``WIDTHxHEIGHT``, ``None`` for anything else."""
    found = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", size)
    return (int(found[1]), int(found[2])) if found else None


def _ratio(text: str) -> Fraction | None:
    found = re.fullmatch(r"(\d{1,4}(?:\.\d{1,4})?):(\d{1,4}(?:\.\d{1,4})?)", text)
    across, down = (Fraction(found[1]), Fraction(found[2])) if found else (Fraction(0), Fraction(0))
    return across / down if across and down else None
