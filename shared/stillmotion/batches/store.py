"""The table of batches: one record for each batch, and one entry for each item's outcome.

    id         entry              data
    my-batch   batch              the record of its latest run
    my-batch   0001#00000001      the outcome of the first row in the first run

So the outcomes of a run are one sorted range, read page by page, and never mix with those of an earlier run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, Key

from stillmotion.aws.errors import CONDITION_FAILED, storage_errors
from stillmotion.batches.record import Batch
from stillmotion.errors import BatchNotFound, StorageFailed
from stillmotion.jobs.record import record_expiry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

RECORD = "batch"


class DynamoBatchStore:
    """The :class:`~stillmotion.ports.BatchStore` in DynamoDB, partition key ``id``, sort key ``entry``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, batch_id: str) -> Batch | None:
        """The record as last written, or ``None``."""
        with _storage("read"):
            answer = self._table.get_item(Key={"id": batch_id, "entry": RECORD}, ConsistentRead=True)
        item = answer.get("Item")
        return None if item is None else Batch.parse(json.loads(str(item["data"])))

    def get(self, batch_id: str, caller: str | None = None, *, operator: bool = False) -> Batch:
        """The record if the caller may see it: it ordered the batch or is an operator, or the batch has no owner.

        Raises:
            BatchNotFound: there is none, or it belongs to another caller.
        """
        batch = self.find(batch_id)
        if batch is None or not (operator or batch.owner in (None, caller)):
            raise BatchNotFound(f"There is no batch '{batch_id}'. Check the id; records are kept for 90 days.")
        return batch

    def claim(self, batch: Batch) -> bool:
        """Write the record of a new run; ``False`` when another run was first."""
        earlier = Attr("run").eq(batch.run - 1) if batch.run > 1 else Attr("id").not_exists()
        try:
            with _storage("write"):
                self._table.put_item(Item=_record(batch), ConditionExpression=earlier)
        except StorageFailed as error:
            if error.aws_code == CONDITION_FAILED:
                return False
            raise
        return True

    def save(self, batch: Batch) -> None:
        """Write the state of a run, unless a newer run has followed it."""
        try:
            with _storage("write"):
                self._table.put_item(Item=_record(batch), ConditionExpression=Attr("run").eq(batch.run))
        except StorageFailed as error:
            if error.aws_code != CONDITION_FAILED:
                raise

    def record(self, batch_id: str, run: int, outcomes: Iterable[Mapping[str, Any]]) -> None:
        """Write outcomes, each under its ``row``; the same row again replaces it."""
        with _storage("write"), self._table.batch_writer(overwrite_by_pkeys=["id", "entry"]) as writer:
            for outcome in outcomes:
                entry, data = _entry(run, int(outcome["row"])), json.dumps(outcome)
                writer.put_item(Item={"id": batch_id, "entry": entry, "data": data, "expires_at": record_expiry()})

    def outcomes(self, batch_id: str, run: int) -> Iterator[dict[str, Any]]:
        """The outcome of each row of a run, by row; at most a page of 1 MB is held at a time."""
        query: dict[str, Any] = {
            "KeyConditionExpression": Key("id").eq(batch_id) & Key("entry").begins_with(f"{run:04}#"),
            "ConsistentRead": True,
        }
        while True:
            with _storage("read"):
                answer = self._table.query(**query)
            for item in answer["Items"]:
                yield json.loads(str(item["data"]))
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _entry(run: int, row: int) -> str:
    return f"{run:04}#{row:08}"


def _record(batch: Batch) -> dict[str, Any]:
    record = {"id": batch.id, "entry": RECORD, "run": batch.run, "data": json.dumps(batch.as_json())}
    return record | {"expires_at": record_expiry()}


def _storage(action: str) -> AbstractContextManager[None]:
    return storage_errors(f"DynamoDB did not {action} a batch's record")
