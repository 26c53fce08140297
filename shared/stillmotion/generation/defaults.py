"""What Stillmotion fills in where no person chooses: for the drop folder and for batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillmotion.errors import Fault, UnsupportedByModel
from stillmotion.generation.model_choice import Wish, can_do, choose, described
from stillmotion.modelgates.models import ModelCatalogue, VideoModel, named


class Defaults:
    """Completes requests that name no model.

    Args:
        default_model: the model of requests that name none, where it can do what they ask for; empty to choose the
            cheapest that states it, as the terminal does.
    """

    def __init__(self, catalogue: ModelCatalogue, default_model: str = "") -> None:
        self._catalogue = catalogue
        self._default_model = default_model

    def complete(self, request: Mapping[str, Any], fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The request with a model, and silent unless it asks for sound. It is not checked yet.

        Args:
            fields: defaults of other fields; those that the request or its model rules out do not apply.

        Raises:
            UnsupportedByModel: no model states that it can do this.
            ProviderError: the list of models is not available.
        """
        silent = {"generate_audio": False} if request.get("generate_audio") is None else {}
        whole = {**request, **silent}
        offered, model, duration = self._catalogue.all() if fields or whole.get("model") is None else [], None, None
        if whole.get("model") is None:
            model, duration = self._choose(offered, _wish(whole))
            whole["model"] = model.id
        elif fields:
            model = named(offered, whole["model"])
        whole |= _fitting(fields or {}, whole, model)
        if duration is not None and whole.get("duration") is None:
            whole["duration"] = duration
        return whole

    def _choose(self, offered: Sequence[VideoModel], wish: Wish) -> tuple[VideoModel, int | None]:
        """The model of a request that names none, and the clip's length where the choice was made by price."""
        preferred = named(offered, self._default_model)
        if preferred is not None and can_do(preferred, wish):
            return preferred, None
        choice = choose(offered, wish)
        if choice is None:
            raise UnsupportedByModel(
                f"The request names no model, and none states that it can do this: {described(wish)}. Name a model or "
                "ask for less; nothing was submitted.",
                faults=[Fault("#/model", "is missing, and none can be chosen")],
            )
        return next(model for model in offered if model.id == choice.model), choice.duration


def _fitting(fields: Mapping[str, Any], request: Mapping[str, Any], model: VideoModel | None) -> dict[str, Any]:
    """The defaults for fields that a request leaves open and that neither its size nor its model rules out."""
    kept = {name: value for name, value in fields.items() if value is not None and request.get(name) is None}
    if request.get("size") is not None:
        kept = {name: value for name, value in kept.items() if name not in ("resolution", "aspect_ratio")}
    if model is None:
        return kept
    return {name: value for name, value in kept.items() if can_do(model, _wish({name: value}))}


def _wish(request: Mapping[str, Any]) -> Wish:
    """What a request asks of a model. Fields that cannot be read are left out here, and refused by the checks later."""
    frames = [frame.get("frame_type") for frame in _objects(request.get("frame_images"))]
    return Wish(
        frames=tuple(frame for frame in frames if isinstance(frame, str)),
        duration=_whole(request.get("duration")),
        resolution=_text(request.get("resolution")),
        aspect_ratio=_text(request.get("aspect_ratio")),
        size=_text(request.get("size")),
        audio=request.get("generate_audio") is True,
        references=len(_objects(request.get("input_references"))),
        seed=request.get("seed") is not None,
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    """A whole number, also as JSON libraries write it that know one kind of numbers: ``15.0``."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
