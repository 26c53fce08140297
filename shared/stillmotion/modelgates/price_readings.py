"""The readings of a request: one value for each point that it leaves open and that its price may depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.price_names import Sku, Unit, tier_name
from stillmotion.modelgates.tiers import dimensions, pixels_of, tier_of
from stillmotion.requests.video_request import VideoRequest


@dataclass(frozen=True, slots=True)
class Ask:
    """The fields of a request that decide its price. ``None`` is left open."""

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
class Reading:
    """One value for each open point; ``pixels`` is set where tokens are counted.

    ``likely`` readings are those that the request names or the model states: one without a rate leaves the price
    unknown. The others, such as a tier that only the price list names, count where they have a rate.
    """

    seconds: int | None
    tier: str | None
    sound: bool
    pixels: int | None
    likely: bool


def readings(model: VideoModel, skus: Sequence[Sku], ask: Ask) -> Iterator[Reading]:
    """Every reading of a request: one value for each of its open points.

    Prices grow with seconds and pixels, so of these the smallest and the largest are enough.
    """
    durations: Sequence[int | None] = (
        [ask.duration] if ask.duration else _ends(model.supported_durations or ()) or [None]
    )
    counts_tokens = any(sku.unit is Unit.TOKEN for sku in skus)
    for tier, pixels, likely in _shapes(model, skus, ask, counts_tokens):
        for seconds, (sound, expected) in product(durations, _sounds(model, skus, ask)):
            yield Reading(seconds, tier, sound, pixels, likely and expected)


def _sounds(model: VideoModel, skus: Sequence[Sku], ask: Ask) -> list[tuple[bool, bool]]:
    """With or without sound, and whether that is likely: a model that makes sound does so by default."""
    if ask.audio is not None:
        return [(ask.audio, True)]
    if model.generate_audio is False or not any("sound" in sku.qualifiers for sku in skus):
        return [(False, True)]
    return [(False, model.generate_audio is None), (True, True)]


def _shapes(
    model: VideoModel, skus: Sequence[Sku], ask: Ask, counts_tokens: bool
) -> Iterator[tuple[str | None, int | None, bool]]:
    """The tiers that a request can fall into, the pixel counts where tokens are counted, and whether it is likely."""
    stated = [tier_name(resolution) for resolution in model.supported_resolutions or ()]
    priced = [sku.qualifiers["tier"] for sku in skus if "tier" in sku.qualifiers]
    tiers = list(dict.fromkeys([*stated, *priced]))
    size = dimensions(ask.size) if ask.size else None
    if size is not None:
        yield tier_of(*size, tiers), size[0] * size[1], True
        return
    for tier, likely in _open_tiers(model, ask, stated, tiers):
        if not counts_tokens:
            yield tier, None, likely
            continue
        counts = _pixel_counts(model, ask, tier, tiers)
        yield from ((tier, pixels, likely) for pixels in _ends(counts))
        if not counts:
            yield tier, None, likely


def _open_tiers(
    model: VideoModel, ask: Ask, stated: Sequence[str], tiers: Sequence[str]
) -> list[tuple[str | None, bool]]:
    """The tiers where no size is given; a model that states none may make one that its prices do not name."""
    if ask.resolution:
        return [(tier_name(ask.resolution), True)]
    if stated:
        return [(tier, tier in stated) for tier in tiers]
    sizes = [size for size in map(dimensions, model.supported_sizes or ()) if size]
    of_sizes = list(dict.fromkeys(tier_of(*size, tiers) for size in sizes))
    if of_sizes:
        return [(tier, True) for tier in of_sizes] + [(tier, False) for tier in tiers if tier not in of_sizes]
    return [(tier, False) for tier in (*tiers, None)]


def _pixel_counts(model: VideoModel, ask: Ask, tier: str | None, tiers: Sequence[str]) -> list[int]:
    """The pixel counts that a clip of this tier can have: of the ratio that is asked for, else of all."""
    ratios = [ask.aspect_ratio] if ask.aspect_ratio else [None, *(model.supported_aspect_ratios or ())]
    sizes = model.supported_sizes or ()
    return [] if tier is None else [count for ratio in ratios for count in pixels_of(tier, ratio, sizes, tiers)]


def _ends(values: Sequence[int]) -> list[int]:
    """The smallest and the largest of some values; one value where they are equal, none without values."""
    return sorted({min(values), max(values)}) if values else []
