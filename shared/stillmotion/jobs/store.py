"""The table of jobs: the source of truth for what was submitted and how far it got.

Every change is conditional on the status it starts from, so two of anything at once cannot both win, and a
terminal record is never overwritten by something that comes late.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from boto3.dynamodb.conditions import Key
from botocore.exceptions import BotoCoreError, ClientError

from stillmotion.aws_errors import code_of
from stillmotion.errors import JobNotFound, JobStateConflict, StorageFailed
from stillmotion.jobs.fields import to_json
from stillmotion.jobs.index import (
    Query,
    owner_partition,
    position_of,
    status_partition,
    untold_partition,
)
from stillmotion.jobs.lifecycle import TERMINAL, Status, check_transition
from stillmotion.jobs.record import Job, now
from stillmotion.jobs.spend import CeilingReached, Spend

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


MAX_KEY_BYTES = 2048
"""Of a partition key (*Amazon DynamoDB constraints*)."""


ENTRIES_PER_READ = 50
TRANSACTION_ATTEMPTS = 8


class JobStore(Protocol):
    """Where job records live."""

    def create(self, job: Job) -> bool:
        """Write a new record; ``False`` when one with this id is already there."""

    def find(self, job_id: str) -> Job | None:
        """The record as last written, or ``None``."""

    def update(
        self,
        job_id: str,
        *,
        expected: Collection[Status],
        unchanged_since: str | None = None,
        spend: Spend | None = None,
        **changes: Any,
    ) -> Job:
        """Change fields of a record that is in one of the expected states and return the new record.

        A field that is changed to ``None`` is removed. A ``spend`` changes its day's counter in the same transaction.

        Raises:
            JobStateConflict: it is in another state, or its ``updated_at`` is not ``unchanged_since``; nothing is
                changed.
            CeilingReached: the day's counter leaves no room; nothing is changed.
        """


def get_job(store: JobStore, job_id: str) -> Job:
    """The record, or :class:`JobNotFound`."""
    job = store.find(job_id)
    if job is None:
        raise _not_found(job_id)
    return job


def get_owned_job(store: JobStore, job_id: str, caller: str | None, *, operator: bool = False) -> Job:
    """The record if the caller may see it: it made the job, or nobody in particular did, or it is an operator.
    Else :class:`JobNotFound`."""
    job = get_job(store, job_id)
    if not operator and job.owner is not None and job.owner != caller:
        raise _not_found(job_id)
    return job


def _not_found(job_id: str) -> JobNotFound:
    return JobNotFound(f"There is no job '{job_id}'. Check the id; records are kept for a limited time.")


class DynamoJobStore:
    """Job records in DynamoDB, one item a job, partition key ``id``, consistent reads."""

    def __init__(self, table: Table, days: Table | None = None) -> None:
        self._table = table
        self._days = days

    def create(self, job: Job) -> bool:
        with _storage("write"):
            try:
                self._table.put_item(Item=_item(job), ConditionExpression="attribute_not_exists(id)")
            except ClientError as error:
                if _conditional(error):
                    return False
                raise
        return True

    def find(self, job_id: str) -> Job | None:
        if not 0 < len(job_id.encode(errors="replace")) <= MAX_KEY_BYTES:
            return None
        with _storage("read"):
            item = self._table.get_item(Key={"id": job_id}, ConsistentRead=True).get("Item")
        return None if item is None else _job(item)

    def update(
        self,
        job_id: str,
        *,
        expected: Collection[Status],
        unchanged_since: str | None = None,
        spend: Spend | None = None,
        **changes: Any,
    ) -> Job:
        if "status" in changes:
            check_transition(expected, changes["status"])
        changes |= {"updated_at": now()} | _indexed(job_id, changes)
        removed = [field for field, value in changes.items() if value is None]
        fields = _stored({field: value for field, value in changes.items() if value is not None})
        names = {f"#{field}": field for field in (*fields, *removed, "status")}
        values = {f":{field}": value for field, value in fields.items()}
        states = {f":from{at}": str(status) for at, status in enumerate(expected)}
        change: dict[str, Any] = {
            "Key": {"id": job_id},
            "UpdateExpression": _expression(fields, removed),
            "ConditionExpression": f"#status IN ({', '.join(states)})",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values | states,
        }
        if unchanged_since is not None:
            change["ConditionExpression"] += " AND #updated_at = :unchanged_since"
            change["ExpressionAttributeValues"][":unchanged_since"] = unchanged_since
        if spend is not None:
            return self._update_with(spend, job_id, change, expected)
        with _storage("update"):
            try:
                answer = self._table.update_item(**change, ReturnValues="ALL_NEW")
            except ClientError as error:
                if _conditional(error):
                    raise self._conflict(job_id, expected) from None
                raise
        return _job(answer["Attributes"])

    def _update_with(self, spend: Spend, job_id: str, change: dict[str, Any], expected: Collection[Status]) -> Job:
        """The record's change and the counter's in one transaction."""
        assert self._days is not None  # whoever limits spending gives the table of days
        counter = {"TableName": self._days.name, **_counting(spend)}
        items: list[Any] = [{"Update": counter}, {"Update": {"TableName": self._table.name, **change}}]
        token = str(uuid4())  # a retry of a lost answer is the same transaction
        with _storage("update"):
            for attempt in range(TRANSACTION_ATTEMPTS):
                try:
                    self._table.meta.client.transact_write_items(TransactItems=items, ClientRequestToken=token)
                    return get_job(self, job_id)
                except ClientError as error:
                    codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
                    if codes[1:] == ["ConditionalCheckFailed"]:
                        raise self._conflict(job_id, expected) from None
                    if codes[:1] == ["ConditionalCheckFailed"]:
                        raise CeilingReached(self.spent(spend.day)) from None
                    if "TransactionConflict" not in codes or attempt == TRANSACTION_ATTEMPTS - 1:
                        raise
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - spreads load, hides nothing
        raise AssertionError("the last attempt returns or raises")

    def spent(self, day: str) -> int:
        """What is counted for a day (``YYYY-MM-DD``), in micro-USD."""
        with _storage("read"):
            item = (
                None if self._days is None else self._days.get_item(Key={"day": day}, ConsistentRead=True).get("Item")
            )
        return 0 if item is None else int(Decimal(str(item["micro_usd"])))

    def find_many(self, job_ids: Collection[str]) -> dict[str, Job]:
        """The records there are of at most 100 ids, by id."""
        name = self._table.name
        wanted: dict[str, Any] = {name: {"Keys": [{"id": job_id} for job_id in job_ids], "ConsistentRead": True}}
        found: dict[str, Job] = {}
        with _storage("read"):
            for pause in (0.0, 0.1, 0.5, 2.0):
                if not wanted.get(name, {}).get("Keys"):
                    return found
                time.sleep(pause)
                answer = self._table.meta.client.batch_get_item(RequestItems=wanted)
                found |= {str(item["id"]): _job(item) for item in answer["Responses"].get(name, ())}
                wanted = dict(answer.get("UnprocessedKeys", {}))
        raise StorageFailed("DynamoDB did not read all job records at once (throttled). Try again.")

    def entries(
        self, query: Query, partition: str, before: str | None, *, oldest_first: bool = False
    ) -> Iterator[dict[str, Any]]:
        """The entries of one index partition, newest first, strictly before a position; read page by page."""
        index, key = ("by_owner", "listing") if query.status is None else ("by_status", "status_shard")
        # A position begins with its time, so a time alone compares as the first position of its millisecond.
        low, high = query.created_after or "0", before or "9"
        if low > high:
            return
        arguments: dict[str, Any] = {
            "IndexName": index,
            "KeyConditionExpression": Key(key).eq(partition) & Key("position").between(low, high),
            "ScanIndexForward": oldest_first,
        }
        for item in self._query(arguments):
            if item["position"] != before:
                yield _entry(item)

    def untold(self, partition: str) -> Iterator[str]:
        """The ids of one partition's jobs that have ended and nobody was told of, oldest first; read page by page."""
        arguments = {"IndexName": "by_untold", "KeyConditionExpression": Key("untold_shard").eq(partition)}
        return (str(item["id"]) for item in self._query(arguments))

    def _query(self, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        arguments["Limit"] = ENTRIES_PER_READ
        while True:
            with _storage("list"):
                answer = self._table.query(**arguments)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _conflict(self, job_id: str, expected: Collection[Status]) -> JobStateConflict:
        job = self.find(job_id)
        state = "gone" if job is None else job.status
        return JobStateConflict(f"Job '{job_id}' is {state}, not {' or '.join(expected)}: something else was first.")


@contextmanager
def _storage(action: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise StorageFailed(
            f"DynamoDB did not {action} the job record ({code_of(error)}). Try again; check the table and the role."
        ) from error


def _conditional(error: ClientError) -> bool:
    return code_of(error) == "ConditionalCheckFailedException"


_AS_TEXT = frozenset({"request", "error"})
"""Fields kept as JSON text: callers' numbers and strings may be anything JSON allows, DynamoDB's may not."""


def _item(job: Job) -> dict[str, Any]:
    """The record, and what its indexes sort it by."""
    return _stored(job.as_json()) | {
        "model": job.model,
        "listing": owner_partition(job.owner, job.id),
        "status_shard": status_partition(job.status, job.id),
        "position": position_of(job.created_at, job.id),
        **({"untold_shard": untold_partition(job.id)} if job.untold else {}),
    }


def _indexed(job_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What the indexes make of a change. Only jobs that have ended and were not told of are in the one of those."""
    indexed: dict[str, Any] = {}
    if "status" in changes:
        indexed["status_shard"] = status_partition(changes["status"], job_id)
        indexed["untold_shard"] = untold_partition(job_id) if changes["status"] in TERMINAL else None
    if changes.get("announced_at") is not None:
        indexed["untold_shard"] = None
    return indexed


def _counting(spend: Spend) -> dict[str, Any]:
    """The change of a day's counter, which disappears by itself after a year."""
    gone = int(datetime.fromisoformat(spend.day).timestamp()) + 366 * 86400
    change: dict[str, Any] = {
        "Key": {"day": spend.day},
        "UpdateExpression": "ADD micro_usd :amount SET expires_at = :gone",
        "ExpressionAttributeValues": {":amount": spend.micro_usd, ":gone": gone},
    }
    if spend.ceiling is not None:
        # A day without an item stands at nothing, and a ceiling below nothing was refused before.
        change["ConditionExpression"] = "attribute_not_exists(micro_usd) OR micro_usd <= :ceiling"
        change["ExpressionAttributeValues"][":ceiling"] = spend.ceiling
    return change


def _expression(changed: Collection[str], removed: Collection[str]) -> str:
    expression = "SET " + ", ".join(f"#{field} = :{field}" for field in changed)
    return expression + (" REMOVE " + ", ".join(f"#{field}" for field in removed) if removed else "")


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Field values as DynamoDB takes them: no floats, and the caller's own documents as text."""
    plain = {name: to_json(value) for name, value in fields.items()}
    texts = {name: json.dumps(plain.pop(name)) for name in _AS_TEXT & plain.keys()}
    numbers: dict[str, Any] = json.loads(json.dumps(plain), parse_float=Decimal)
    return numbers | texts


def _job(item: Mapping[str, Any]) -> Job:
    return Job.parse(_entry(item))


def _entry(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.loads(value) if name in _AS_TEXT else _plain(value) for name, value in item.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
