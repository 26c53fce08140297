"""Answers about models and what they cost, apart from the others: who does not price does not load the price list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from stillmotion.api.views import PriceView
from stillmotion.generation.model_choice import Choice, Offer
from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.price_notes import Quote


def show_dry_run(model: VideoModel, quote: Quote, warnings: list[str], chosen: Mapping[str, str]) -> dict[str, Any]:
    """What ``?dry_run=true`` answers for a request that would be taken."""
    price = _price(quote)
    shown = DryRun(
        dry_run=True,
        model=model.id,
        estimated_cost_usd=quote.estimated_cost_usd,
        price=price,
        warnings=warnings,
        chosen=dict(chosen),
    )
    return shown.model_dump()


def show_models(offers: Sequence[Offer], choice: Choice | None) -> dict[str, Any]:
    """What ``GET /models`` answers."""
    listed = [
        PricedModel(
            **offer.model.model_dump(include=set(PricedModel.model_fields)),
            estimated_cost_usd=offer.quote.estimated_cost_usd,
            price=_price(offer.quote),
        )
        for offer in offers
    ]
    chosen = None
    if choice is not None:
        chosen = ModelChoice(
            model=choice.model,
            duration=choice.duration,
            estimated_cost_usd=choice.quote.estimated_cost_usd,
            price=_price(choice.quote),
            reason=choice.reason,
        )
    return ModelList(data=listed, choice=chosen).model_dump(mode="json")


def _price(quote: Quote) -> PriceView:
    return PriceView.model_validate(quote.to_json())


class DryRun(BaseModel):
    """A request that would be taken, and what it costs at most in USD (``null`` where that cannot be known)."""

    dry_run: bool
    model: str
    estimated_cost_usd: float | None
    price: PriceView
    warnings: list[str]
    chosen: dict[str, str]


class PricedModel(BaseModel):
    """A model that can do what was asked. A ``null`` list is not stated by the model, which never means that there is
    none.
    """

    id: str
    name: str | None
    description: str | None
    supported_resolutions: list[str] | None
    supported_aspect_ratios: list[str] | None
    supported_sizes: list[str] | None
    supported_durations: list[int] | None
    supported_frame_images: list[str] | None
    generate_audio: bool | None
    seed: bool | None
    pricing_skus: dict[str, str] | None
    estimated_cost_usd: float | None = Field(
        description="what the asked clip costs at most, in USD; null where that cannot be known"
    )
    price: PriceView


class ModelChoice(BaseModel):
    """The model that Stillmotion takes where a request names none: the cheapest that *states* what is asked, with the
    clip's length in seconds."""

    model: str
    duration: int
    estimated_cost_usd: float | None
    price: PriceView
    reason: str


class ModelList(BaseModel):
    """Models, in ModelGates' order or cheapest first; ``choice`` is ``null`` where none states that it can do this."""

    data: list[PricedModel]
    choice: ModelChoice | None
