"""Reads a manifest's row as a valid request, or says what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stillmotion.batches.item import MAX_ITEM_ID_CHARACTERS
from stillmotion.batches.manifest_row import Row
from stillmotion.errors import Fault, InvalidRequest, Refused, UnknownModel
from stillmotion.generation.defaults import Defaults
from stillmotion.modelgates.models import ModelCatalogue, VideoModel, check
from stillmotion.requests.merging import flattened, merged
from stillmotion.requests.relative_addresses import whole_addresses
from stillmotion.requests.video_request import VideoRequest, parse_request


@dataclass(frozen=True, slots=True)
class ValidRow:
    """A row that asks for a video.

    Attributes:
        item_id: ``None`` where the row gives none.
        filled: the fields of the request that neither the row nor the batch gives: a model was chosen, for example.
    """

    number: int
    item_id: str | None
    request: VideoRequest
    model: VideoModel
    filled: frozenset[str] = frozenset()

    @property
    def content_id(self) -> str:
        """An id made of what the row asks for: the same on every run, whatever is filled in then."""
        asked = {name: value for name, value in self.request.as_given().items() if name not in self.filled}
        canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return f"row-{hashlib.sha256(canonical.encode()).hexdigest()[:20]}"


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that is refused, and why.

    Attributes:
        item_id: as the row gives it, made fit to be shown; ``None`` where it gives none.
        unusable_id: the ``item_id`` itself is invalid, so it cannot name the item.
    """

    number: int
    item_id: str | None
    error: Refused
    unusable_id: bool = False


type CheckedRow = ValidRow | InvalidRow


class Rows:
    """Reads rows as requests.

    Args:
        folder: what relative addresses are relative to.
        defaults: fields for rows that do not give them.
        default_model: the model of rows for which neither names one; empty to choose the cheapest.
        admit: refuses a request that names what the batch may not.
    """

    def __init__(
        self,
        catalogue: ModelCatalogue,
        folder: str,
        defaults: Mapping[str, Any],
        default_model: str = "",
        admit: Callable[[VideoRequest], None] = lambda _: None,
    ) -> None:
        self._catalogue = catalogue
        self._folder = folder
        self._admit = admit
        self._defaults = flattened(defaults)
        self._fill = Defaults(catalogue, default_model)

    def read(self, row: Row) -> CheckedRow:
        """What a row asks for.

        Raises:
            ProviderError: the list of models is not available.
        """
        given = row.item_id if row.data is None else row.data.get("item_id")
        try:
            item_id = _item_id(given)
        except InvalidRequest as error:
            return InvalidRow(row.number, _shown_id(given), _located(row, error), unusable_id=True)
        try:
            if row.data is None:
                raise InvalidRequest(f"{row.place} {row.problem}. Correct it; it was not submitted.")
            data = flattened({name: row.data[name] for name in row.data if name != "item_id"})
            asked = whole_addresses(merged(self._defaults, data), self._folder)
            whole = self._fill.complete(asked)
            request = parse_request(whole)
            self._admit(request)
            model = self._catalogue.find(request.model)
            check(request, model)
        except Refused as error:
            return InvalidRow(row.number, item_id, error if row.data is None else _located(row, error))
        filled = frozenset(name for name in whole if whole[name] is not None and asked.get(name) is None)
        return ValidRow(row.number, item_id, request, model, filled)

    def as_submitted(self, row: ValidRow, earlier: Mapping[str, Any]) -> ValidRow:
        """A row with the values that were filled in when its job was made: choosing again could give another request.

        Args:
            earlier: the request on the job's record.
        """
        asked = {name: value for name, value in row.request.as_given().items() if name not in row.filled}
        kept = {name: earlier[name] for name in row.filled if earlier.get(name) is not None}
        try:
            request = parse_request(asked | {"model": row.request.model} | kept)
            return replace(row, request=request, model=self._catalogue.find(request.model))
        except UnknownModel:
            return replace(row, request=request)


def _located[R: Refused](row: Row, error: R) -> R:
    """The same refusal with the row's place in front."""
    return type(error)(
        f"{row.place}: {error.detail}",
        faults=error.faults,
        provider_message=error.provider_message,
        retry_after=error.retry_after,
    )


def _item_id(given: Any) -> str | None:
    if given is None:
        return None
    number = int(given) if isinstance(given, float) and given.is_integer() else given
    text = str(number) if isinstance(number, str | int) and not isinstance(number, bool) else ""
    if not 0 < len(text) <= MAX_ITEM_ID_CHARACTERS or not text.isprintable():
        detail = f"must be 1 to {MAX_ITEM_ID_CHARACTERS} printable characters"
        shown = _shown_id(given)
        raise InvalidRequest(f"item_id '{shown}' {detail}.", faults=[Fault("#/item_id", detail, given=shown)])
    return text


def _shown_id(given: Any) -> str:
    text = given if isinstance(given, str) else json.dumps(given)
    plain = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return plain if len(plain) <= MAX_ITEM_ID_CHARACTERS else f"{plain[: MAX_ITEM_ID_CHARACTERS - 1]}…"
