"""What an execution of the generate machine was started with, and which job that means.

One of

    {"job": {"id": …, "submitted": …, "outcome": …}}        handed over by the API, or resumed; "wait_seconds" beside
                                                            them where it must not be submitted at once
    an S3 event "Object Created"                            the drop folder
    an event "Video Generation Requested"                   the bus; its detail is a request
    {"batch": {"id", "item_id", "attempt"}, "request": …}   an item of a batch
    a request                                               another workflow

and a request may have an ``idempotency_key`` beside its fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillmotion.batches.item import BatchItem
from stillmotion.errors import Fault, InvalidRequest
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, derived_job_id, now, record_expiry
from stillmotion.outbound.addresses import shown_address
from stillmotion.requests.drop_folder import Drop

OBJECT_CREATED = "Object Created"
REQUESTED = "Video Generation Requested"
# The second is what a parent workflow adds so that the console shows the two as related.
_BESIDE = frozenset({"idempotency_key", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"})
MAX_KEPT_BYTES = 32 * 1024
MAX_KEY_CHARACTERS = 256
_ADDRESS = re.compile(r"data:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MachineInput:
    """One execution's input and ARN."""

    data: Any
    execution_arn: str

    @property
    def handed_over(self) -> str | None:
        """The id of a job that is on record already, or ``None`` when the input is a request."""
        found = _inside(self.data, "job", "id")
        return found if isinstance(found, str) else None

    @property
    def drop(self) -> Drop | None:
        """The dropped object, when an S3 event started the execution."""
        if self._detail_type != OBJECT_CREATED or _inside(self.data, "source") != "aws.s3":
            return None
        return Drop.from_event(_inside(self.data, "detail") or {})

    @property
    def batch_item(self) -> BatchItem | None:
        """The item, when a batch started the execution.

        Raises:
            InvalidRequest: it is not named.
        """
        return BatchItem.from_input(self.data["batch"]) if self._of_batch else None

    @property
    def _of_batch(self) -> bool:
        return isinstance(self.data, Mapping) and "batch" in self.data and self._detail_type is None

    @property
    def request(self) -> Any:
        """The request without what may stand beside it, not checked yet; an event's is its detail."""
        if self._of_batch:
            return self.data.get("request")
        found = self.data.get("detail") if self._detail_type == REQUESTED else self.data
        if not isinstance(found, Mapping):
            return found
        return {name: value for name, value in found.items() if name not in _BESIDE}

    def job_id(self) -> str:
        """The job's id, the same for every retry, every delivery of one event, and every use of one key.

        Raises:
            InvalidRequest: the key is not a string of 1 to 256 characters.
        """
        if self.handed_over is not None:
            return self.handed_over
        item = self.batch_item
        if item is not None:
            return item.job_id
        drop = self.drop
        if drop is not None:
            return derived_job_id("drop", drop.bucket, drop.key, drop.version)
        event = self._detail_type == REQUESTED
        key = _inside(self.data, "detail", "idempotency_key") if event else _inside(self.data, "idempotency_key")
        if key is not None:
            return derived_job_id("event" if event else "workflow", _checked_key(key))
        return derived_job_id("event-id", str(self.data["id"])) if event and "id" in self.data else self.own_id

    @property
    def own_id(self) -> str:
        """The id that belongs to this execution alone."""
        return derived_job_id("execution", self.execution_arn)

    @property
    def refused_id(self) -> str:
        """The id of a refusal's record: one for each event however often it is delivered, else the execution's."""
        source = self.source
        once = {"drop": ("bucket", "key", "version"), "event": ("event_id",)}.get(source["type"])
        return self.own_id if once is None else derived_job_id("refused", *(source[part] for part in once))

    @property
    def source(self) -> dict[str, str]:
        """Which door the request came through, for the record."""
        try:
            drop, item = self.drop, self.batch_item
        except InvalidRequest:
            drop = item = None
        if item is not None:
            return item.source
        if drop is not None:
            return {"type": "drop", "bucket": drop.bucket, "key": drop.key, "version": drop.version}
        if self._detail_type == REQUESTED:
            sender = str(_inside(self.data, "source") or "")[:128]
            return {"type": "event", "event_id": str(_inside(self.data, "id") or "")[:64], "event_source": sender}
        return {"type": "workflow", "execution_arn": self.execution_arn}

    @property
    def owner(self) -> str | None:
        """Who started the batch that the request belongs to, ``None`` for nobody in particular."""
        found = _inside(self.data, "batch", "owner") if self._of_batch else None
        return found if isinstance(found, str) else None

    @property
    def _detail_type(self) -> Any:
        return _inside(self.data, "detail-type")

    def refused(self) -> Job:
        """A record for a request that never became a job, so that its failure can be looked up."""
        moment, source = now(), self.source
        return Job(
            id=self.refused_id,
            status=Status.QUEUED,
            request={} if source["type"] == "drop" else _kept(self.request),
            request_hash="",
            source=source,
            owner=self.owner,
            execution_arn=self.execution_arn,
            created_at=moment,
            updated_at=moment,
            expires_at=record_expiry(),
        )


def _is_key(key: Any) -> bool:
    # Half a surrogate pair is a character of JSON, but of no encoding.
    return isinstance(key, str) and 0 < len(key) <= MAX_KEY_CHARACTERS and key == key.encode(errors="replace").decode()


def _inside(data: Any, *path: str) -> Any:
    """What lies at a path of nested objects, ``None`` when there is nothing."""
    for name in path:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _checked_key(key: Any) -> str:
    if not _is_key(key):
        detail = f"must be a string of 1 to {MAX_KEY_CHARACTERS} characters"
        raise InvalidRequest(
            f"idempotency_key {detail}. Nothing was submitted.", faults=[Fault("#/idempotency_key", detail)]
        )
    return str(key)


def _kept(request: Any) -> dict[str, Any]:
    """As much of a refused request as fits a record: nobody has checked it, so it may be anything."""
    try:
        kept = _repeatable(request)
        fits = isinstance(kept, dict) and len(json.dumps(kept)) <= MAX_KEPT_BYTES
    except RecursionError:
        return {}
    return kept if fits else {}


def _repeatable(value: Any) -> Any:
    """A JSON value without image data and without the query strings of addresses, wherever they stand in it."""
    if isinstance(value, Mapping):
        return {name: _repeatable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_repeatable(part) for part in value]
    if isinstance(value, str) and _ADDRESS.match(value.strip()):
        return shown_address(value.strip())
    return value
