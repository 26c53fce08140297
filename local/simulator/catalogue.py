"""The models that the simulator offers: a list as `GET /api/v1/videos/models` answers it, and what is read from it.

Without a choice it is the recorded list beside this module. Null, or a missing field, means *not stated*, never *none*.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded_models.json"
FIELDS = (
    "id",
    "canonical_slug",
    "name",
    "created",
    "description",
    "hugging_face_id",
    "supported_resolutions",
    "supported_aspect_ratios",
    "supported_sizes",
    "supported_durations",
    "supported_frame_images",
    "generate_audio",
    "seed",
    "upscale_factor",
    "creativity",
    "pricing_skus",
    "allowed_passthrough_parameters",
)


class CatalogueError(Exception):
    """A model list cannot be offered; the message names the file, the model and the field."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the simulator reads it: None is *not stated*. `offered` is the VideoModel object that it shows."""

    id: str
    offered: Mapping[str, Any]
    prices: Mapping[str, Any]
    resolutions: tuple[str, ...] | None = None
    ratios: tuple[str, ...] | None = None
    sizes: tuple[str, ...] | None = None
    durations: tuple[int, ...] | None = None
    frame_types: tuple[str, ...] | None = None
    sound: bool | None = None
    seed: bool | None = None
    upscale_factor: Mapping[str, float] | None = None
    creativity: tuple[int, ...] | None = None
    passed_through: tuple[str, ...] = ()
    prompt_optional: bool = False


class Catalogue:
    """The models on offer, in the order of the list."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)
        self._by_name = {str(model.offered["canonical_slug"]): model for model in self.models}
        self._by_name |= {model.id: model for model in self.models}

    def find(self, name: str) -> Model | None:
        """Return the model with this id or canonical slug, or None."""
        return self._by_name.get(name)

    def as_json(self) -> list[Mapping[str, Any]]:
        """Return the VideoModel objects, every field present."""
        return [model.offered for model in self.models]


def read_catalogue(path: Path = RECORDED) -> list[Model]:
    """Read the models of a JSON file `{"data": [VideoModel, …]}`; raises CatalogueError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CatalogueError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CatalogueError(f"{path} is not JSON: {error}.") from error
    entries = document.get("data") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise CatalogueError(
            f'{path} is no model list: {{"data": [VideoModel, …]}} is wanted, as GET /api/v1/videos/models answers it.'
        )
    models: dict[str, Model] = {}
    for position, entry in enumerate(entries):
        try:
            model = read_model(entry)
        except CatalogueError as error:
            raise CatalogueError(f"{path}, data[{position}]: {error}") from error
        if model.id in models:
            raise CatalogueError(f"{path}, data[{position}]: {model.id} is listed twice.")
        models[model.id] = model
    return list(models.values())


def read_model(entry: object, *, prompt_optional: bool = False) -> Model:
    """Read one VideoModel object; raises CatalogueError naming the field that cannot be used.

    Prices are kept as they are: a price that cannot be read concerns only the requests that it would be charged for.
    """
    if not isinstance(entry, dict):
        raise CatalogueError(f"a model must be an object, not {json.dumps(entry)[:80]}.")
    if not isinstance(entry.get("id"), str) or not entry["id"]:
        raise CatalogueError("'id' must be a string that is not empty.")
    prices = entry.get("pricing_skus")
    if prices is not None and not isinstance(prices, dict):
        raise _unusable(entry, "pricing_skus", "an object of names and prices, or null")
    filled = {**dict.fromkeys(FIELDS), "canonical_slug": entry["id"], **entry}
    filled["pricing_skus"] = prices or {}
    passed_through = _several(entry, "allowed_passthrough_parameters", str) or ()
    filled["allowed_passthrough_parameters"] = list(passed_through)
    return Model(
        id=entry["id"],
        offered=filled,
        prices=prices or {},
        resolutions=_several(entry, "supported_resolutions", str),
        ratios=_several(entry, "supported_aspect_ratios", str),
        sizes=_several(entry, "supported_sizes", str),
        durations=_several(entry, "supported_durations", int),
        frame_types=_several(entry, "supported_frame_images", str),
        sound=_flag(entry, "generate_audio"),
        seed=_flag(entry, "seed"),
        upscale_factor=_limits(entry),
        creativity=_several(entry, "creativity", int),
        passed_through=passed_through,
        prompt_optional=prompt_optional,
    )


def _several[T](entry: Mapping[str, Any], name: str, kind: type[T]) -> tuple[T, ...] | None:
    values = entry.get(name)
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(v, kind) and not isinstance(v, bool) for v in values):
        raise _unusable(entry, name, f"a list of {'strings' if kind is str else 'whole numbers'}, or null")
    return tuple(values)


def _flag(entry: Mapping[str, Any], name: str) -> bool | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, bool):
        raise _unusable(entry, name, "true, false or null")
    return value


def _limits(entry: Mapping[str, Any]) -> Mapping[str, float] | None:
    limits = entry.get("upscale_factor")
    if limits is None:
        return None
    ends = {end: limits.get(end) for end in ("min", "max")} if isinstance(limits, dict) else {}
    numbers = {end: n for end, n in ends.items() if isinstance(n, (int, float)) and not isinstance(n, bool)}
    if len(numbers) != 2:
        raise _unusable(entry, "upscale_factor", 'an object {"min": number, "max": number}, or null')
    return numbers


def _unusable(entry: Mapping[str, Any], name: str, wanted: str) -> CatalogueError:
    return CatalogueError(f"{entry['id']}: '{name}' must be {wanted}, not {json.dumps(entry[name])[:80]}.")
