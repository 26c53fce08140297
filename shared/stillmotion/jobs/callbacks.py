"""What callbacks leave for a job: an item of its own in the table of jobs, ``callback#{job id}``.

    wakes         how many callbacks counted
    provider_id   ModelGates' id of the job, as the first callback that had one named it
    task_token    of the execution that waits for the next callback
    expires_at    unix seconds

The callback function and the state machine may write these items and no others: neither can change a job's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stillmotion.aws.errors import CONDITION_FAILED, storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.jobs.record import record_expiry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

KEY_PREFIX = "callback#"
MAX_WAKES = 5
"""The most callbacks that count for a job: ModelGates may repeat a callback without limit."""
MAX_NAMING_WAKES = 2 * MAX_WAKES
"""The most callbacks that may have counted when a first id is still accepted."""


@dataclass(frozen=True, slots=True)
class CallbackState:
    """What callbacks have left for a job so far."""

    wakes: int = 0
    provider_id: str | None = None
    task_token: str | None = None


def callback_key(job_id: str) -> str:
    """The key of a job's item."""
    return f"{KEY_PREFIX}{job_id}"


class DynamoCallbacks:
    """The items of callbacks: the :class:`~stillmotion.ports.Callbacks`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, job_id: str, provider_id: str | None) -> CallbackState | None:
        values: dict[str, Any] = {":one": 1, ":most": MAX_WAKES, ":expires": record_expiry()}
        change, condition = "SET expires_at = :expires", "attribute_not_exists(wakes) OR wakes < :most"
        if provider_id is not None:
            values |= {":id": provider_id, ":most_naming": MAX_NAMING_WAKES}
            change += ", provider_id = if_not_exists(provider_id, :id)"
            condition += " OR (attribute_not_exists(provider_id) AND wakes < :most_naming)"
        try:
            with storage_errors("DynamoDB did not record a callback"):
                before = self._table.update_item(
                    Key={"id": callback_key(job_id)},
                    UpdateExpression=f"{change} ADD wakes :one",
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_OLD",
                )
        except StorageFailed as error:
            if error.aws_code == CONDITION_FAILED:
                return None
            raise
        return _state(before.get("Attributes", {}))

    def find(self, job_id: str) -> CallbackState:
        with storage_errors("DynamoDB did not read what callbacks left for a job"):
            found = self._table.get_item(Key={"id": callback_key(job_id)}, ConsistentRead=True)
        return _state(found.get("Item", {}))

    def keep(self, job_id: str) -> CallbackState:
        with storage_errors("DynamoDB did not keep what callbacks leave for a job"):
            kept = self._table.update_item(
                Key={"id": callback_key(job_id)},
                UpdateExpression="SET expires_at = :expires",
                ExpressionAttributeValues={":expires": record_expiry()},
                ReturnValues="ALL_NEW",
            )
        return _state(kept["Attributes"])

    def drop(self, job_id: str, provider_id: str) -> None:
        try:
            with storage_errors("DynamoDB did not drop an id that a callback named"):
                self._table.update_item(
                    Key={"id": callback_key(job_id)},
                    UpdateExpression="REMOVE provider_id",
                    ConditionExpression="provider_id = :id",
                    ExpressionAttributeValues={":id": provider_id},
                )
        except StorageFailed as error:
            if error.aws_code != CONDITION_FAILED:
                raise


def _state(item: Mapping[str, Any]) -> CallbackState:
    wakes: Any = item.get("wakes", 0)
    return CallbackState(int(wakes), item.get("provider_id"), item.get("task_token"))
