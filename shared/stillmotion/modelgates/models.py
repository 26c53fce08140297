"""What a model can do, and whether a request stays within it.

Source: ``GET /api/v1/videos/models`` of ModelGates. A capability that is ``null`` is *not stated*, which never
means *not offered*: only stated limits refuse a request. Nothing is ever clamped to a limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stillmotion.errors import Fault, ProviderError, UnknownModel, UnsupportedByModel, pointer
from stillmotion.requests.video_request import VideoRequest

FRESH_SECONDS = 300.0
STALE_SECONDS = 6 * 3600.0


class VideoModel(BaseModel):
    """One entry of the model list; fields that we do not use are dropped, new ones do no harm."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    canonical_slug: str | None = None
    name: str | None = None
    description: str | None = None
    supported_resolutions: list[str] | None = None
    supported_aspect_ratios: list[str] | None = None
    supported_sizes: list[str] | None = None
    supported_durations: list[int] | None = None
    supported_frame_images: list[str] | None = None
    generate_audio: bool | None = None
    seed: bool | None = None
    upscale_factor: Mapping[str, float] | None = None
    creativity: list[int] | None = None
    pricing_skus: Mapping[str, str] | None = None
    allowed_passthrough_parameters: list[str] = Field(default_factory=list)

    @field_validator("pricing_skus", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """A price as text. Numbers have been seen among prices: one unusual entry must not invalidate the others."""
        return {name: str(price) for name, price in value.items()} if isinstance(value, Mapping) else value

    @field_validator("supported_durations")
    @classmethod
    def _real_durations(cls, value: list[int] | None) -> list[int] | None:
        """The durations that clips can have: other APIs write "any" as -1 or 0. Where none is left, none is stated."""
        return ([seconds for seconds in value if seconds > 0] or None) if value else value


def read_models(listed: Sequence[Any]) -> list[VideoModel]:
    """The models of a decoded model list; entries that are no objects, or have no ``id``, are left out."""
    models = [_model(entry) for entry in listed if isinstance(entry, Mapping)]
    return [model for model in models if model is not None]


def _model(entry: Mapping[str, Any]) -> VideoModel | None:
    """One entry of the model list. A capability of an unexpected shape counts as not stated: it must not invalidate the
    other models.
    """
    try:
        return VideoModel.model_validate(entry)
    except ValidationError as error:
        odd = {str(fault["loc"][0]) for fault in error.errors()}
    return None if "id" in odd else VideoModel.model_validate({k: v for k, v in entry.items() if k not in odd})


def named(models: Sequence[VideoModel], name: Any) -> VideoModel | None:
    """The model with this id, else the one with this canonical slug, which may be another one's id."""
    by_id = next((model for model in models if model.id == name), None)
    return by_id or next((model for model in models if model.canonical_slug == name), None)


class ModelCatalogue:
    """The model list, kept in a warm Lambda: fresh for 5 minutes, and up to 6 hours old while ModelGates is down."""

    def __init__(self, fetch: Callable[[], Sequence[VideoModel]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._models: tuple[VideoModel, ...] = ()
        self._fetched_at = float("-inf")

    def all(self) -> tuple[VideoModel, ...]:
        """Every model.

        Raises:
            ProviderError: the list is not available, and no copy younger than 6 hours is kept.
        """
        age = self._clock() - self._fetched_at
        if age >= FRESH_SECONDS:
            try:
                self._models = tuple(self._fetch())
                self._fetched_at = self._clock()
            except ProviderError:
                if age >= STALE_SECONDS:
                    raise
        return self._models

    def find(self, slug: str) -> VideoModel:
        """The model with this id or canonical slug.

        Raises:
            UnknownModel: there is none; the nearest names are given.
        """
        models = self.all()
        if (found := named(models, slug)) is not None:
            return found
        known = [model.id for model in models]
        near = get_close_matches(slug, known, n=3, cutoff=0.4) or known[:5]
        raise UnknownModel(
            f"ModelGates has no model '{slug}'. Use one of its models, for example {', '.join(near)}.",
            faults=[Fault("#/model", "is not a model of ModelGates", given=slug, allowed=known)],
        )

    def same(self, one: str, other: str) -> bool:
        """Whether two names are the id and the canonical slug of one model.

        Raises:
            ProviderError: the list of models is not available.
        """
        return any({one, other} <= {model.id, model.canonical_slug} for model in self.all())


def check(request: VideoRequest, model: VideoModel) -> None:
    """Refuse what the model states it does not offer.

    Raises:
        UnsupportedByModel: with every fault at once: the field, what was given, and what the model takes.
    """
    faults = [*_listed(request, model), *_frames(request, model), *_switches(request, model), *_options(request, model)]
    if faults:
        listed = "; ".join(f"{fault.place} {fault.detail}" for fault in faults)
        raise UnsupportedByModel(
            f"{model.id} does not offer this: {listed}. Change the request or choose another model; nothing was "
            "submitted.",
            faults=faults,
        )


def _listed(request: VideoRequest, model: VideoModel) -> Iterator[Fault]:
    for field, offered in (
        # Model lists have them in any order.
        ("duration", model.supported_durations and sorted(model.supported_durations)),
        ("resolution", model.supported_resolutions),
        ("aspect_ratio", model.supported_aspect_ratios),
        ("size", model.supported_sizes),
        ("creativity", model.creativity),
    ):
        given = getattr(request, field)
        if given is not None and offered is not None and given not in offered:
            yield _fault(f"#/{field}", given, offered)


def _frames(request: VideoRequest, model: VideoModel) -> Iterator[Fault]:
    offered = model.supported_frame_images
    for at, frame in enumerate(request.frame_images or ()):
        if offered is not None and frame.frame_type not in offered:
            yield _fault(f"#/frame_images/{at}/frame_type", frame.frame_type, offered)


def _switches(request: VideoRequest, model: VideoModel) -> Iterator[Fault]:
    if request.generate_audio and model.generate_audio is False:
        yield _fault("#/generate_audio", True, [False])
    if request.seed is not None and model.seed is False:
        yield Fault("#/seed", "is not honoured by this model: leave it out", given=request.seed)
    bounds = model.upscale_factor
    if request.upscale_factor is not None and bounds is not None:
        low, high = bounds.get("min", 0.0), bounds.get("max", float("inf"))
        if not low <= request.upscale_factor <= high:
            yield Fault("#/upscale_factor", f"must be {low} to {high}", given=request.upscale_factor)


def _options(request: VideoRequest, model: VideoModel) -> Iterator[Fault]:
    offered = model.allowed_passthrough_parameters
    for slug, options in (request.provider.options if request.provider else {}).items():
        for name in options.parameters:
            if name not in offered:
                yield _fault(pointer("provider", "options", slug, "parameters", name), name, offered)


def _fault(pointer: str, given: Any, offered: Sequence[Any]) -> Fault:
    choice = ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in offered) or "nothing"
    return Fault(pointer, f"is {given}, but the model takes {choice}", given=given, allowed=list(offered))
