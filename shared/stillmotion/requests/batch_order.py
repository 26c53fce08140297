"""The order for a batch, as callers and events send it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from stillmotion.errors import Fault, InvalidRequest
from stillmotion.requests.video_request import MAX_FREE_FORM_DEPTH, depth, invalid_request

MAX_CONCURRENCY = 1000
MAX_DEFAULTS_BYTES = 16 * 1024
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$"
_RESERVED = ("in", "map-runs")
"""Folders below batches/ that are no batch's: for dropped manifests, and for what Step Functions keeps of its runs."""

BatchId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]


class BatchOrder(BaseModel):
    """A batch to run: each row of the manifest is a request, with ``defaults`` for what it does not say."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    manifest: str = Field(
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$",
        max_length=1200,
        examples=["s3://pictures/uploads/rows.csv"],
        description="S3 address",
    )
    batch_id: BatchId | None = Field(default=None, description="yours; naming one that has ended runs it again")
    defaults: dict[str, Any] = Field(default_factory=dict, description="request fields for rows that do not have them")
    max_concurrency: int | None = Field(default=None, ge=1, le=MAX_CONCURRENCY, description="items at a time")
    tolerated_failure_percentage: float | None = Field(
        default=None, ge=0, le=100, description="of the items that are run; beyond it the batch is stopped"
    )
    budget_usd: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="refuse the batch when its estimate is over this"
    )

    @field_validator("batch_id")
    @classmethod
    def _free(cls, batch_id: str | None) -> str | None:
        if batch_id in _RESERVED:
            raise ValueError(f"'{batch_id}' is a folder that Stillmotion uses itself; choose another id")
        return batch_id

    @field_validator("defaults")
    @classmethod
    def _small(cls, defaults: dict[str, Any]) -> dict[str, Any]:
        if "item_id" in defaults:
            raise ValueError("item_id belongs to one row")
        if depth(defaults) > MAX_FREE_FORM_DEPTH:
            raise ValueError(f"is nested more than {MAX_FREE_FORM_DEPTH} levels deep")
        if len(json.dumps(defaults)) > MAX_DEFAULTS_BYTES:
            raise ValueError(f"has more than {MAX_DEFAULTS_BYTES:,} bytes as JSON")
        return defaults


def parse_order(data: Any) -> BatchOrder:
    """A checked order from decoded JSON.

    Raises:
        InvalidRequest: with every fault at once, each with its JSON pointer.
    """
    if not isinstance(data, dict):
        raise InvalidRequest(
            f"The order is not a JSON object but {type(data).__name__}. Send an object with at least 'manifest'.",
            faults=[Fault("#", "must be a JSON object", given=type(data).__name__)],
        )
    try:
        return BatchOrder.model_validate(data)
    except ValidationError as error:
        raise invalid_request(error.errors(include_url=False), body=BatchOrder) from None
