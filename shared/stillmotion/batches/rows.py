"""From a manifest's row to a request that can be taken on, or to what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillmotion.batches.item import MAX_ITEM_ID_CHARACTERS
from stillmotion.batches.manifest import METADATA, Row
from stillmotion.errors import Fault, InvalidRequest, Refused
from stillmotion.generation.submit import request_hash
from stillmotion.modelgates.models import ModelCatalogue, VideoModel, check
from stillmotion.requests.drop_folder import whole_addresses
from stillmotion.requests.video_request import VideoRequest, parse_request

_FRAMES = ("first_frame", "last_frame")
_SHAPE = ("resolution", "aspect_ratio")


@dataclass(frozen=True, slots=True)
class ValidRow:
    """A row that asks for a video; ``item_id`` is ``None`` where the row gives none."""

    number: int
    item_id: str | None
    request: VideoRequest
    model: VideoModel

    @property
    def content_id(self) -> str:
        """What the row is called by what it asks for."""
        return f"row-{request_hash(self.request)[:20]}"


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that cannot be taken on, and why."""

    number: int
    item_id: str | None
    error: Refused


type CheckedRow = ValidRow | InvalidRow


class Rows:
    """Reads rows as requests.

    Args:
        folder: what relative addresses are relative to.
        defaults: fields of rows that do not say them themselves.
    """

    def __init__(self, catalogue: ModelCatalogue, folder: str, defaults: Mapping[str, Any]) -> None:
        self._catalogue = catalogue
        self._folder = folder
        self._defaults = flattened(defaults)

    def read(self, row: Row) -> CheckedRow:
        """What a row asks for.

        Raises:
            ProviderError: the list of models cannot be had.
        """
        item_id: str | None = None
        try:
            if row.data is None:
                raise InvalidRequest(f"Row {row.number} {row.problem}. Correct it; it was not submitted.")
            data = dict(row.data)
            item_id = _item_id(data.pop("item_id", None))
            request = parse_request(whole_addresses(merged(self._defaults, flattened(data)), self._folder))
            model = self._catalogue.find(request.model)
            check(request, model)
        except Refused as error:
            return InvalidRow(row.number, item_id, error)
        return ValidRow(row.number, item_id, request, model)


def flattened(data: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as a request has them: ``first_frame``, ``last_frame`` and ``metadata.<name>`` are short for more."""
    frames = {name: data[name] for name in _FRAMES if data.get(name) is not None}
    pairs = {name.removeprefix(METADATA): data[name] for name in data if name.startswith(METADATA)}
    plain = {name: value for name, value in data.items() if name not in _FRAMES and not name.startswith(METADATA)}
    if frames and plain.get("frame_images") is not None:
        detail = "is given together with first_frame or last_frame: give one or the others"
        raise InvalidRequest(f"frame_images {detail}.", faults=[Fault("#/frame_images", detail)])
    if frames:
        plain["frame_images"] = [
            {"type": "image_url", "image_url": {"url": url}, "frame_type": name} for name, url in frames.items()
        ]
    if pairs:
        given = plain.get("metadata")
        plain["metadata"] = (given if isinstance(given, dict) else {}) | pairs
    return plain


def merged(defaults: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its defaults. A size of the row's own puts the defaults' resolution and aspect ratio out of force."""
    kept = dict(defaults)
    if row.get("size") is not None:
        kept = {name: value for name, value in kept.items() if name not in _SHAPE}
    if any(row.get(name) is not None for name in _SHAPE):
        kept.pop("size", None)
    whole = kept | dict(row)
    both = (kept.get("metadata"), row.get("metadata"))
    if all(isinstance(pairs, dict) for pairs in both):
        whole["metadata"] = kept["metadata"] | row["metadata"]
    return whole


def _item_id(given: Any) -> str | None:
    if given is None:
        return None
    text = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if not 0 < len(text) <= MAX_ITEM_ID_CHARACTERS or not text.isprintable():
        detail = f"must be 1 to {MAX_ITEM_ID_CHARACTERS} printable characters"
        raise InvalidRequest(f"item_id {detail}.", faults=[Fault("#/item_id", detail)])
    return text
