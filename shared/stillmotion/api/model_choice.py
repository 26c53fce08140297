"""Choosing a model: which ones can do what is wished for, and what each would cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stillmotion.api.views import PricedModel
from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.pricing import estimate


@dataclass(frozen=True, slots=True)
class Wish:
    """What a model should be able to do; ``None`` and empty leave it open. ``duration`` is in seconds."""

    frames: tuple[str, ...] = ()
    duration: int | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    audio: bool | None = None


def choose(models: Sequence[VideoModel], wish: Wish, *, by_price: bool = False) -> list[dict[str, Any]]:
    """The models that do not state that they cannot do it, each with its estimated price, unknown prices last."""
    priced = [_priced(model, wish) for model in models if not any(_against(model, wish))]
    if by_price:
        priced.sort(key=lambda model: (model.estimated_cost_usd is None, model.estimated_cost_usd or 0.0, model.id))
    return [model.model_dump(mode="json") for model in priced]


def _against(model: VideoModel, wish: Wish) -> Iterator[bool]:
    for wished, offered in (
        (wish.duration, model.supported_durations),
        (wish.resolution, model.supported_resolutions),
        (wish.aspect_ratio, model.supported_aspect_ratios),
        *((frame, model.supported_frame_images) for frame in wish.frames),
    ):
        yield wished is not None and offered is not None and wished not in offered
    yield wish.audio is True and model.generate_audio is False


def _priced(model: VideoModel, wish: Wish) -> PricedModel:
    price = estimate(model, duration=wish.duration, resolution=wish.resolution, audio=wish.audio)
    facts = model.model_dump(include=set(PricedModel.model_fields))
    return PricedModel(**facts, estimated_cost_usd=None if price is None else float(price))
