"""A batch: what was ordered, which manifest that means, and the record that says where it stands.

preparing → running → completed
     ↘ refused    ↘ stopped
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from stillmotion.errors import Fault, InvalidRequest
from stillmotion.jobs.record import ID_PREFIX, derived_job_id, now
from stillmotion.requests.video_request import invalid_request

MAX_CONCURRENCY = 1000
MAX_DEFAULTS_BYTES = 16 * 1024
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$"
DERIVED_PREFIX = "bat_"
INPUT_PREFIX = "batches/in/"
_RESERVED = ("in", "map-runs")
"""Folders below batches/ that are no batch's: for dropped manifests, and for what Step Functions keeps of its runs."""

BatchId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]


class BatchStatus(StrEnum):
    """Where a batch stands; ``aborted`` is never on record: its execution was ended from outside."""

    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    REFUSED = "refused"
    ABORTED = "aborted"


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
    defaults: dict[str, Any] = Field(default_factory=dict, description="request fields for rows that do not say them")
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
            raise ValueError(f"'{batch_id}' is a folder of ours; choose another id")
        return batch_id

    @field_validator("defaults")
    @classmethod
    def _small(cls, defaults: dict[str, Any]) -> dict[str, Any]:
        if "item_id" in defaults:
            raise ValueError("item_id belongs to one row")
        if len(json.dumps(defaults)) > MAX_DEFAULTS_BYTES:
            raise ValueError(f"has more than {MAX_DEFAULTS_BYTES:,} bytes as JSON")
        return defaults


class Manifest(BaseModel):
    """One version of a manifest: what was there when the batch was ordered, and nothing that replaces it later."""

    model_config = ConfigDict(frozen=True)

    bucket: str
    key: str
    etag: str
    version: str | None = None

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def folder(self) -> str:
        """What relative addresses in it are relative to."""
        return f"s3://{self.bucket}/{self.key.rpartition('/')[0]}".rstrip("/") + "/"

    @property
    def batch_id(self) -> str:
        """The id that every delivery of this version gives."""
        derived = derived_job_id("manifest", self.bucket, self.key, self.version or self.etag)
        return DERIVED_PREFIX + derived.removeprefix(ID_PREFIX)


class BatchSummary(BaseModel):
    """What a run came to. ``done``, ``failed``, ``skipped`` and ``not_run`` add up to ``items``; money is USD."""

    id: str
    run: int = Field(ge=1)
    status: BatchStatus
    manifest: str
    items: int = Field(ge=0, description="rows of the manifest")
    done: int = Field(ge=0, description="videos made by this run")
    failed: int = Field(ge=0)
    skipped: int = Field(ge=0, description="done by an earlier run")
    not_run: int = Field(ge=0, description="not begun when the run was stopped")
    failed_by_reason: dict[str, int]
    cost_usd: float = Field(ge=0, description="what ModelGates charged for this run, as far as it said")
    duration_seconds: float = Field(ge=0)
    started_at: str
    ended_at: str
    results: str | None = Field(default=None, description="S3 address of the results, JSON Lines")
    error: dict[str, Any] | None = Field(default=None, description="why it was refused or stopped")

    def facts(self) -> dict[str, Any]:
        """What is written, sent and answered: the fields that say something."""
        return self.model_dump(mode="json", exclude_none=True)


class Batch(BaseModel):
    """A batch's record, of its latest run. ``items`` counts the rows; times are ISO-8601 in UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    run: int = 1
    status: BatchStatus = BatchStatus.PREPARING
    order: BatchOrder
    manifest: Manifest
    execution_arn: str
    owner: str | None = None
    delivery: str | None = None
    items: int | None = None
    prepared: dict[str, int] = Field(default_factory=dict)
    estimated_cost_usd: float | None = None
    summary: BatchSummary | None = None
    error: dict[str, Any] | None = None
    started_at: str = Field(default_factory=now)

    @property
    def items_key(self) -> str:
        return f"batches/{self.id}/items.jsonl"

    @property
    def results_key(self) -> str:
        return f"batches/{self.id}/results.jsonl"

    @property
    def summary_key(self) -> str:
        return f"batches/{self.id}/summary.json"

    def changed(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)


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
        raise invalid_request(error.errors(include_url=False)) from None
