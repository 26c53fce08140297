"""What an execution of the generate machine was started with, read once into one of a few variants.

    HandedOver     {"job": {"id", "submitted", "outcome"}}        by the API or to resume a job, which is on record;
                                                                  "wait_seconds" beside them where it must not be
                                                                  submitted at once
    DroppedObject  an S3 event "Object Created"                   the drop folder
    BusEvent       an event "Video Generation Requested"          the bus; its detail is a request
    BatchRow       {"batch": {"id", "item_id", "attempt"}, "request": …}
    DirectRequest  a request                                      another workflow
    Unreadable     any of these with a part that cannot be read   refused

A request may have an ``idempotency_key`` beside its fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillmotion.batches.item import BatchItem
from stillmotion.drops.folder import Drop
from stillmotion.errors import Fault, InvalidRequest
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, derived_job_id, now, record_expiry
from stillmotion.modelgates.job import Outcome
from stillmotion.outbound.redaction import redact_url

OBJECT_CREATED = "Object Created"
REQUESTED = "Video Generation Requested"
# The second is what a parent workflow adds so that the console shows the two as related.
_BESIDE = frozenset({"idempotency_key", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"})
MAX_KEPT_BYTES = 32 * 1024
MAX_KEY_CHARACTERS = 256
_ADDRESS = re.compile(r"data:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What is known of every execution.

    Args:
        job_id: the same for every retry, every delivery of one event, and every use of one key.
        source: where the request comes from, for the record.
        owner: who started the batch that the request belongs to, ``None`` where it has no owner.
        request: not checked yet; without what may be given beside its fields.
    """

    execution_arn: str
    job_id: str
    source: Mapping[str, str]
    owner: str | None = None
    request: Any = None

    @property
    def own_id(self) -> str:
        """The id that belongs to this execution alone."""
        return derived_job_id("execution", self.execution_arn)

    @property
    def refused_id(self) -> str:
        """The id of a refusal's record: one for each event however often it is delivered, else the execution's."""
        once = {"drop": ("bucket", "key", "version"), "event": ("event_id",)}.get(self.source["type"])
        return self.own_id if once is None else derived_job_id("refused", *(self.source[part] for part in once))

    def refused(self) -> Job:
        """A record for a request that never became a job, so that its failure can be looked up."""
        moment = now()
        return Job(
            id=self.refused_id,
            status=Status.QUEUED,
            request=_kept(self.request),
            request_hash="",
            source=dict(self.source),
            owner=self.owner,
            execution_arn=self.execution_arn,
            created_at=moment,
            updated_at=moment,
            expires_at=record_expiry(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver(Started):
    """A job that is on record already; nothing more than its id is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedObject(Started):
    """An object in the drop folder; its request is in the bucket."""

    drop: Drop


@dataclass(frozen=True, slots=True, kw_only=True)
class BusEvent(Started):
    """A request in an event on the bus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow(Started):
    """A row of a batch, as the attempt that its item names."""

    item: BatchItem


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectRequest(Started):
    """A request that started the execution itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable(Started):
    """An input that is refused: its key, its item or its object cannot be read. Its ``job_id`` is the execution's."""

    error: InvalidRequest


type ExecutionInput = HandedOver | DroppedObject | BusEvent | BatchRow | DirectRequest | Unreadable


def read_input(data: Any, execution_arn: str) -> ExecutionInput:
    """The variant of an execution's input, which may be any JSON value."""
    own_id = derived_job_id("execution", execution_arn)
    direct = {"type": "workflow", "execution_arn": execution_arn}
    handed_over = _inside(data, "job", "id")
    if isinstance(handed_over, str):
        return HandedOver(execution_arn=execution_arn, job_id=handed_over, source=direct, request=_request(data))
    detail_type = _inside(data, "detail-type")
    if detail_type == OBJECT_CREATED and _inside(data, "source") == "aws.s3":
        return _dropped(data, execution_arn, own_id, direct)
    if detail_type == REQUESTED:
        return _bus_event(data, execution_arn, own_id)
    if detail_type is None and isinstance(data, Mapping) and "batch" in data:
        return _batch_row(data, execution_arn, own_id, direct)
    request = _request(data)
    try:
        key = _checked_key(_inside(data, "idempotency_key"))
    except InvalidRequest as error:
        return Unreadable(execution_arn=execution_arn, job_id=own_id, source=direct, request=request, error=error)
    job_id = own_id if key is None else derived_job_id("workflow", key)
    return DirectRequest(execution_arn=execution_arn, job_id=job_id, source=direct, request=request)


def hand_over(job: Job, outcome: Outcome, wait_seconds: int = 0) -> dict[str, Any]:
    """The input of an execution that continues a job, read back as :class:`HandedOver`: ids, never a body."""
    known = {"id": job.id, "submitted": job.provider.job_id is not None, "outcome": str(outcome)}
    return {"job": known | ({"wait_seconds": wait_seconds} if wait_seconds else {})}


def _dropped(data: Any, execution_arn: str, own_id: str, direct: dict[str, str]) -> ExecutionInput:
    try:
        drop = Drop.from_event(_inside(data, "detail") or {})
    except InvalidRequest as error:
        return Unreadable(
            execution_arn=execution_arn, job_id=own_id, source=direct, request=_request(data), error=error
        )
    return DroppedObject(
        execution_arn=execution_arn,
        job_id=derived_job_id("drop", drop.bucket, drop.key, drop.version),
        source={"type": "drop", "bucket": drop.bucket, "key": drop.key, "version": drop.version},
        drop=drop,
    )


def _bus_event(data: Any, execution_arn: str, own_id: str) -> ExecutionInput:
    sender = str(_inside(data, "source") or "")[:128]
    source = {"type": "event", "event_id": str(_inside(data, "id") or "")[:64], "event_source": sender}
    request = _request(_inside(data, "detail"))
    try:
        key = _checked_key(_inside(data, "detail", "idempotency_key"))
    except InvalidRequest as error:
        return Unreadable(execution_arn=execution_arn, job_id=own_id, source=source, request=request, error=error)
    if key is not None:
        # One sender's keys are nothing to another's.
        account, whole = str(_inside(data, "account") or ""), str(_inside(data, "source") or "")
        job_id = derived_job_id("event", account, whole, key)
    else:
        job_id = derived_job_id("event-id", str(data["id"])) if "id" in data else own_id
    return BusEvent(execution_arn=execution_arn, job_id=job_id, source=source, request=request)


def _batch_row(data: Mapping[str, Any], execution_arn: str, own_id: str, direct: dict[str, str]) -> ExecutionInput:
    owner, request = _inside(data, "batch", "owner"), data.get("request")
    owner = owner if isinstance(owner, str) else None
    try:
        item = BatchItem.from_input(data["batch"])
    except InvalidRequest as error:
        return Unreadable(
            execution_arn=execution_arn, job_id=own_id, source=direct, owner=owner, request=request, error=error
        )
    return BatchRow(
        execution_arn=execution_arn, job_id=item.job_id, source=item.source, owner=owner, request=request, item=item
    )


def _inside(data: Any, *path: str) -> Any:
    """What lies at a path of nested objects, ``None`` when there is nothing."""
    for name in path:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _request(data: Any) -> Any:
    """A request without what may be given beside its fields."""
    if not isinstance(data, Mapping):
        return data
    return {name: value for name, value in data.items() if name not in _BESIDE}


def _checked_key(key: Any) -> str | None:
    """The idempotency key, ``None`` where none is given."""
    # Half a surrogate pair is a character of JSON, but of no encoding.
    text = key if isinstance(key, str) and key == key.encode(errors="replace").decode() else ""
    if key is not None and not 0 < len(text) <= MAX_KEY_CHARACTERS:
        detail = f"must be a string of 1 to {MAX_KEY_CHARACTERS} characters"
        raise InvalidRequest(
            f"idempotency_key {detail}. Nothing was submitted.", faults=[Fault("#/idempotency_key", detail)]
        )
    return text or None


def _kept(request: Any) -> dict[str, Any]:
    """As much of a refused request as fits a record: it is not checked, so it may be anything."""
    try:
        kept = _repeatable(request)
        fits = isinstance(kept, dict) and len(json.dumps(kept)) <= MAX_KEPT_BYTES
    except RecursionError:
        return {}
    return kept if fits else {}


def _repeatable(value: Any) -> Any:
    """A JSON value without image data and without the query strings of addresses, wherever they are in it."""
    if isinstance(value, Mapping):
        return {name: _repeatable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_repeatable(part) for part in value]
    if isinstance(value, str) and _ADDRESS.match(value.strip()):
        return redact_url(value.strip())
    return value
