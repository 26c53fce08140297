"""The names of a model's ``pricing_skus``, parsed into a unit and the qualifiers under which it applies.

Source: the names seen in recorded model lists of the service, and those of its documentation example
(``per-video-second-1080p``), which do not occur in live data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property

DEAREST = Decimal(1000)
CENT = Decimal("0.01")


class Unit(StrEnum):
    """What a price is paid for."""

    SECOND = "second"
    CONTINUED_SECOND = "continued second"
    TOKEN = "token"  # noqa: S105 - a unit of video, no secret
    VIDEO = "video"
    IMAGE = "image"
    REFERENCE_IMAGE = "reference image"
    MINIMUM = "minimum"
    MEGAPIXEL_SECOND = "megapixel second"


_SAME_TIER = {"1k": "1024p", "1440p": "2k", "2160p": "4k"}
_TIER = r"(?:_(?P<tier>\d{3,4}p|[1248]k))?"
_SOUND = r"(?:_(?P<sound>with_audio|without_audio|audio))?"
_NAMES: tuple[tuple[Unit, Decimal, re.Pattern[str]], ...] = tuple(
    (unit, Decimal(factor), re.compile(pattern))
    for unit, factor, pattern in (
        (
            Unit.SECOND,
            "1",
            rf"(?:(?P<mode>text_to_video|image_to_video|reference)_)?duration_seconds{_SOUND}{_TIER}",
        ),
        (Unit.SECOND, "0.01", rf"cents_per_second_output{_TIER}"),
        (Unit.SECOND, "0.01", rf"cents_per_video_output_second{_TIER}"),
        (Unit.CONTINUED_SECOND, "0.01", rf"cents_per_second_video_continuation{_TIER}"),
        (Unit.IMAGE, "0.01", "cents_per_image_input"),
        (Unit.REFERENCE_IMAGE, "1", "reference_images"),
        (Unit.MINIMUM, "0.01", "minimum_cents_per_generation"),
        (Unit.TOKEN, "1", rf"video_tokens{_TIER}{_SOUND}(?:_(?P<video>with_video_input))?"),
        (Unit.MEGAPIXEL_SECOND, "0.01", "cents_per_megapixel_second_(?:precise|creative)"),
        (Unit.SECOND, "1", rf"per_video_second{_TIER}{_SOUND}"),
        (Unit.SECOND, "1", rf"per_video_second{_SOUND}{_TIER}"),
        (Unit.VIDEO, "1", rf"per_video{_TIER}{_SOUND}"),
        (Unit.VIDEO, "1", "generate"),
    )
)


@dataclass(frozen=True)
class Sku:
    """One entry of a price list; ``qualifiers`` are those that its name states: mode, sound, video, tier."""

    name: str
    unit: Unit
    factor: Decimal
    qualifiers: Mapping[str, str]
    text: str

    @cached_property
    def usd(self) -> Decimal | None:
        """USD for one unit; ``None`` where the entry is no decimal from 0 to 1,000."""
        try:
            value = Decimal(self.text)
            if value.is_finite() and 0 <= value <= DEAREST and value.adjusted() > -30:
                return value * self.factor
        except (InvalidOperation, ArithmeticError):
            pass
        return None

    def applies(self, facts: Mapping[str, str]) -> bool:
        """Whether each of its qualifiers equals the request's."""
        return all(facts.get(name) == value for name, value in self.qualifiers.items())

    def is_more_specific_than(self, other: Sku) -> bool:
        return self.qualifiers.items() > other.qualifiers.items()


def parse(name: str, text: str) -> Sku | None:
    """The entry, or ``None`` for a name that is not understood."""
    plain = name.strip().lower().replace("-", "_")
    for unit, factor, pattern in _NAMES:
        found = pattern.fullmatch(plain)
        if found is not None:
            stated = {key: value for key, value in found.groupdict().items() if value is not None}
            if stated.get("sound") == "audio":
                stated["sound"] = "with_audio"
            if "tier" in stated:
                stated["tier"] = tier_name(stated["tier"])
            return Sku(name, unit, factor, stated, text)
    return None


def tier_name(resolution: str) -> str:
    """The tier of a resolution: lower case, of two names for the same side always the same one (``1k``: ``1024p``)."""
    tier = resolution.strip().lower()
    return _SAME_TIER.get(tier, tier)
