"""A job's record as an item of the table, with the attributes that only its indexes need.

    by_owner        owner_shard · position        every job
    by_status       status_shard · position       every job
    by_unpublished  unpublished_shard · position  finished jobs whose event is not yet published
    by_uninspected  uninspected_shard · position  completed jobs whose inspection is not yet published
    by_day          day_shard · position          jobs whose paid call was made, by its day (UTC)
    by_model        model_key · stored_at         completed jobs

An index holds the items that have both its keys, so a job leaves one when a key is removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from stillmotion.jobs.fields import to_json
from stillmotion.jobs.index import (
    day_partition,
    owner_partition,
    position_of,
    status_partition,
    uninspected_partition,
    unpublished_partition,
)
from stillmotion.jobs.lifecycle import (
    ADOPT_QUEUED,
    BEGIN_PURGE,
    CLAIM,
    COMPLETE,
    PUBLISH_INSPECTION,
    RELEASE,
    TERMINAL,
    Transition,
)
from stillmotion.jobs.record import Job

MAX_KEY_BYTES = 2048
"""Of a partition key, also of an index (*Amazon DynamoDB constraints*)."""

_AS_TEXT = frozenset({"request", "error"})
"""Fields kept as JSON text: callers' numbers and strings may be anything JSON allows, DynamoDB's may not."""


def new_item(job: Job) -> dict[str, Any]:
    """The item of a new record."""
    keys = {
        "model": job.model,
        "owner_shard": owner_partition(job.owner, job.id),
        "status_shard": status_partition(job.status, job.id),
        "position": position_of(job.created_at, job.id),
    }
    if job.unpublished:
        keys["unpublished_shard"] = unpublished_partition(job.id)
    if job.uninspected:
        keys["uninspected_shard"] = uninspected_partition(job.id)
    if fits_key(job.model):  # the model of a refused request may be any text
        keys["model_key"] = job.model
    return stored(job.as_json()) | keys


def index_changes(job_id: str, transition: Transition, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The index keys that a transition changes; ``None`` removes one."""
    keys: dict[str, Any] = {}
    if transition.target is not None:
        keys["status_shard"] = status_partition(transition.target, job_id)
        keys["unpublished_shard"] = unpublished_partition(job_id) if transition.target in TERMINAL else None
    if changes.get("published_at") is not None:
        keys["unpublished_shard"] = None
    if transition in (PUBLISH_INSPECTION, BEGIN_PURGE):
        keys["uninspected_shard"] = None
    if transition in (CLAIM, ADOPT_QUEUED):
        reserved = changes.get("reserved")
        day = datetime.now(UTC).date().isoformat() if reserved is None else reserved.day
        keys["day_shard"] = day_partition(day, job_id)
    if transition == RELEASE:
        keys["day_shard"] = None
    if transition == COMPLETE:
        keys["stored_at"] = changes["completed_at"]
        keys["uninspected_shard"] = uninspected_partition(job_id)
    return keys


def stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Field values as DynamoDB takes them: no floats, and the caller's own documents as text."""
    plain = {name: to_json(value) for name, value in fields.items()}
    texts = {name: json.dumps(plain.pop(name)) for name in _AS_TEXT & plain.keys()}
    numbers: dict[str, Any] = json.loads(json.dumps(plain), parse_float=Decimal)
    return numbers | texts


def read_job(item: Mapping[str, Any]) -> Job:
    """The record in an item.

    Raises:
        MalformedRecord: the item is not a record.
    """
    return Job.parse(read_entry(item))


def read_entry(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item, or an index's part of one, as decoded JSON."""
    return {name: json.loads(value) if name in _AS_TEXT else _plain(value) for name, value in item.items()}


def fits_key(text: str) -> bool:
    """Whether DynamoDB takes a text as a partition key."""
    return 0 < len(text.encode(errors="replace")) <= MAX_KEY_BYTES


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
