"""What an execution of the batch machine was started with, read once into one of a few variants.

HandedOverBatch  {"batch": {"id", "run"}}                  by the API, which has put the batch on record
Ordered          an S3 event "Object Created"              a manifest in the folder for them
                 an event "Video Batch Requested"          the bus; its detail is an order
                 an order                                  another workflow
NotAManifest     an S3 event of another object             starts nothing
UnreadableOrder  any of these that cannot be read          refused
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillmotion.batches.manifest import SUFFIXES
from stillmotion.batches.open import Ordered
from stillmotion.batches.order import parse_order
from stillmotion.batches.record import INPUT_PREFIX, Batch, Manifest
from stillmotion.errors import InvalidRequest
from stillmotion.stepfunctions.execution_input import OBJECT_CREATED

REQUESTED = "Video Batch Requested"


@dataclass(frozen=True, slots=True)
class HandedOverBatch:
    """A batch that is on record already."""

    batch_id: str


@dataclass(frozen=True, slots=True)
class NotAManifest:
    """An object that is no manifest."""


@dataclass(frozen=True, slots=True)
class UnreadableOrder:
    """An order that cannot be read."""

    error: InvalidRequest


type BatchInput = HandedOverBatch | Ordered | NotAManifest | UnreadableOrder


def read_batch_input(data: Any) -> BatchInput:
    """The variant of an execution's input, which may be any JSON value."""
    batch = data.get("batch") if isinstance(data, Mapping) else None
    batch_id = batch.get("id") if isinstance(batch, Mapping) else None
    if isinstance(batch_id, str):
        return HandedOverBatch(batch_id)
    kind = data.get("detail-type") if isinstance(data, Mapping) else None
    try:
        if kind == OBJECT_CREATED and data.get("source") == "aws.s3":
            return _dropped(data.get("detail"))
        if kind == REQUESTED:
            return Ordered(parse_order(data.get("detail")), delivery=str(data.get("id") or "") or None, source="event")
        return Ordered(parse_order(data))
    except InvalidRequest as error:
        return UnreadableOrder(error)


def hand_over_batch(batch: Batch) -> dict[str, Any]:
    """The input of a batch's execution, read back as :class:`HandedOverBatch`."""
    return {"batch": {"id": batch.id, "run": batch.run}}


def _dropped(detail: Any) -> Ordered | NotAManifest:
    try:
        found = detail["object"]
        bucket, key = str(detail["bucket"]["name"]), str(found["key"])
        version = found.get("version-id")
        manifest = Manifest.parse({"bucket": bucket, "key": key, "etag": str(found["etag"]), "version": version})
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InvalidRequest("The event does not name the object that was created. Nothing was started.") from None
    if not key.startswith(INPUT_PREFIX) or not key.lower().endswith(SUFFIXES):
        return NotAManifest()
    return Ordered(parse_order({"manifest": manifest.address}), manifest, source="drop")
