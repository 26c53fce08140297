"""What an execution of the generate machine was started with, and which job that means.

Either ``{"job": {"id": …, "submitted": …}}``, handed over by the API, or a whole request with an optional
``idempotency_key`` beside its fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillmotion.addresses import shown_address
from stillmotion.errors import Fault, InvalidRequest
from stillmotion.job import Job, Status, derived_job_id, now, record_expiry

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
        job = self.data.get("job") if isinstance(self.data, Mapping) else None
        found = job.get("id") if isinstance(job, Mapping) else None
        return found if isinstance(found, str) else None

    @property
    def request(self) -> Any:
        """The request without the key beside it, not checked yet."""
        if not isinstance(self.data, Mapping):
            return self.data
        return {name: value for name, value in self.data.items() if name != "idempotency_key"}

    def job_id(self) -> str:
        """The job's id, the same for every retry and for every execution with the same key.

        Raises:
            InvalidRequest: the key is not a string of 1 to 256 characters.
        """
        if self.handed_over is not None:
            return self.handed_over
        key = self.data.get("idempotency_key") if isinstance(self.data, Mapping) else None
        if key is None:
            return self.own_id
        if not _is_key(key):
            detail = f"must be a string of 1 to {MAX_KEY_CHARACTERS} characters"
            raise InvalidRequest(
                f"idempotency_key {detail}. Nothing was submitted.", faults=[Fault("#/idempotency_key", detail)]
            )
        return derived_job_id("workflow", key)

    @property
    def own_id(self) -> str:
        """The id that belongs to this execution alone."""
        return derived_job_id("execution", self.execution_arn)

    @property
    def source(self) -> dict[str, str]:
        return {"type": "workflow", "execution_arn": self.execution_arn}

    def refused(self) -> Job:
        """A record for a request that never became a job, so that its failure can be looked up."""
        moment = now()
        return Job(
            id=self.own_id,
            status=Status.QUEUED,
            request=_kept(self.request),
            request_hash="",
            source=self.source,
            execution_arn=self.execution_arn,
            created_at=moment,
            updated_at=moment,
            expires_at=record_expiry(),
        )


def _is_key(key: Any) -> bool:
    # Half a surrogate pair is a character of JSON, but of no encoding.
    return isinstance(key, str) and 0 < len(key) <= MAX_KEY_CHARACTERS and key == key.encode(errors="replace").decode()


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
