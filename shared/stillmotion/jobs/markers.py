"""Markers: items of the table of jobs that make ModelGates' ids unique, ``provider#{ModelGates' id}``.

The write that puts an id on a job's record writes its marker in the same transaction. So no id is on two records,
whatever a callback or an answer names.
"""

from __future__ import annotations

import hashlib
from typing import Any

from stillmotion.jobs.callbacks import callback_key
from stillmotion.jobs.items import fits_key
from stillmotion.jobs.record import record_expiry

KEY_PREFIX = "provider#"
OUTLIVES_SECONDS = 30 * 86400
"""Seconds for which a marker is kept longer than its record."""


class ProviderIdTaken(Exception):
    """Another job's record holds this id of ModelGates; nothing is changed."""

    def __init__(self, provider_id: str) -> None:
        super().__init__(f"ModelGates' id '{provider_id}' is another job's.")
        self.provider_id = provider_id


def marker_key(provider_id: str) -> str:
    """The key of an id's marker; of an id that is too long for a key, by its hash."""
    key = f"{KEY_PREFIX}{provider_id}"
    return key if fits_key(key) else f"{KEY_PREFIX}sha256#{hashlib.sha256(provider_id.encode()).hexdigest()}"


def marking(table: str, provider_id: str, job_id: str) -> dict[str, Any]:
    """The part of a transaction that writes the marker, unless it is another job's."""
    return {
        "TableName": table,
        "Key": {"id": marker_key(provider_id)},
        "UpdateExpression": "SET job_id = :job, expires_at = :expires",
        "ConditionExpression": "attribute_not_exists(id) OR job_id = :job",
        "ExpressionAttributeValues": {":job": job_id, ":expires": record_expiry() + OUTLIVES_SECONDS},
    }


def keeping_callbacks(table: str, job_id: str) -> dict[str, Any]:
    """The part of a transaction that lets the job's item of callbacks expire with its record.

    The state machine writes a token there, but cannot compute when it should expire.
    """
    return {
        "TableName": table,
        "Key": {"id": callback_key(job_id)},
        "UpdateExpression": "SET expires_at = :expires",
        "ExpressionAttributeValues": {":expires": record_expiry()},
    }
