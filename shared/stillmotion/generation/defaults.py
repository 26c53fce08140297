"""What Stillmotion fills in for entry points without a person: the drop folder and batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillmotion.errors import Fault, UnsupportedByModel
from stillmotion.generation.model_choice import Wish, can_do, choose, described
from stillmotion.modelgates.models import ModelCatalogue


class Defaults:
    """Completes requests that name no model.

    Args:
        default_model: the model of requests that name none, where it can do what they ask for; empty to choose the
            cheapest that states it, as the terminal does.
    """

    def __init__(self, catalogue: ModelCatalogue, default_model: str = "") -> None:
        self._catalogue = catalogue
        self._default_model = default_model

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request with a model, and silent unless it asks for sound. It is not checked yet.

        Raises:
            UnsupportedByModel: no model states that it can do this.
            ProviderError: the list of models cannot be had.
        """
        silent = {"generate_audio": False} if request.get("generate_audio") is None else {}
        whole = {**request, **silent}
        if whole.get("model") is not None:
            return whole
        models, wish = self._catalogue.all(), _wish(whole)
        preferred = [model for model in models if self._default_model in (model.id, model.canonical_slug)]
        if preferred and can_do(preferred[0], wish):
            return whole | {"model": preferred[0].id}
        choice = choose(models, wish)
        if choice is None:
            raise UnsupportedByModel(
                f"The request names no model, and none states that it can do this: {described(wish)}. Name a model or "
                "ask for less; nothing was submitted.",
                faults=[Fault("#/model", "is missing, and none can be chosen")],
            )
        return whole | {"model": choice.model, "duration": whole.get("duration") or choice.duration}


def _wish(request: Mapping[str, Any]) -> Wish:
    """What a request asks of a model, as far as it can be read; the rest is for the checks to refuse."""
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
    return value if isinstance(value, int) and not isinstance(value, bool) else None
