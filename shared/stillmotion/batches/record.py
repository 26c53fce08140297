"""A batch: what was ordered, which manifest that means, and the record that says how far it is.

preparing → running → completed
     ↘ refused    ↘ stopped
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from stillmotion.jobs.fields import Document
from stillmotion.jobs.record import ID_PREFIX, derived_job_id, now
from stillmotion.requests.owned_names import Names, names_of

DERIVED_PREFIX = "bat_"
INPUT_PREFIX = "batches/in/"


class BatchStatus(StrEnum):
    """A batch's state; ``aborted`` is never on record: its execution was stopped from outside."""

    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    REFUSED = "refused"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Document):
    """What was ordered: the checked fields of a :class:`stillmotion.requests.batch_order.BatchOrder`."""

    manifest: str
    batch_id: str | None = None
    defaults: dict[str, Any] = field(default_factory=dict)
    max_concurrency: int | None = None
    tolerated_failure_percentage: float | None = None
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(Document):
    """One version of a manifest: what was there when the batch was ordered, and nothing that replaces it later."""

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

    def batch_id(self, owner: str | None = None) -> str:
        """The id that every delivery of this version gives, and every order of it by this owner."""
        whose = () if owner is None else (owner,)
        derived = derived_job_id("manifest", self.bucket, self.key, self.version or self.etag, *whose)
        return DERIVED_PREFIX + derived.removeprefix(ID_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSummary(Document):
    """The result of a run. ``done``, ``failed``, ``skipped`` and ``not_run`` add up to ``items``; money is USD."""

    id: str
    run: int
    status: BatchStatus
    manifest: str
    items: int
    done: int
    failed: int
    skipped: int
    not_run: int
    failed_by_reason: dict[str, int]
    cost_usd: float
    duration_seconds: float
    started_at: str
    ended_at: str
    results: str | None = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Document):
    """A batch's record, of its latest run. ``items`` counts the rows; times are ISO-8601 in UTC. ``earlier_deliveries``
    are the events that ordered runs before: one of them that is delivered again orders nothing."""

    id: str
    run: int = 1
    status: BatchStatus = BatchStatus.PREPARING
    order: Order
    manifest: Manifest
    execution_arn: str
    owner: str | None = None
    delivery: str | None = None
    earlier_deliveries: list[str] = field(default_factory=list)
    source: str = "workflow"
    items: int | None = None
    prepared: dict[str, int] = field(default_factory=dict)
    estimated_cost_usd: float | None = None
    summary: BatchSummary | None = None
    error: dict[str, Any] | None = None
    started_at: str = field(default_factory=now)

    @property
    def names(self) -> Names:
        """What its rows may name in the input bucket. Records without a source but with an owner came over HTTP."""
        source = "http" if self.owner is not None else self.source
        return names_of({"type": source, "key": self.manifest.key}, self.owner)

    @property
    def items_key(self) -> str:
        return f"batches/{self.id}/items.jsonl"

    @property
    def results_key(self) -> str:
        return f"batches/{self.id}/results.jsonl"

    @property
    def summary_key(self) -> str:
        return f"batches/{self.id}/summary.json"

    def changed(self, **changes: Any) -> Batch:
        return replace(self, **changes)
