"""The table of jobs: the source of truth for what was submitted and how far it got.

Every write is a transition of :mod:`stillmotion.jobs.lifecycle`, under a condition on the status that it starts from.
So of two writers at once only one wins, and a record that has ended is not overwritten by a late one.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from stillmotion.aws.errors import CONDITION_FAILED, code_of, storage_errors
from stillmotion.errors import JobNotFound, JobStateConflict, StorageFailed
from stillmotion.jobs.budgets import DynamoBudgets, spending
from stillmotion.jobs.index import Query
from stillmotion.jobs.items import fits_key, index_changes, new_item, read_entry, read_job, stored
from stillmotion.jobs.lifecycle import OF_PURGED, Status, Transition, check_transition
from stillmotion.jobs.markers import ProviderIdTaken, keeping_callbacks, marking
from stillmotion.jobs.record import ID_PREFIX, Job, now
from stillmotion.jobs.spend import Entries, Spend
from stillmotion.jobs.transactions import Part, transact
from stillmotion.jobs.usage import Slice
from stillmotion.ports import JobStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


ENTRIES_PER_READ = 50
ENTRIES_PER_SUM = 1000


def get_job(store: JobStore, job_id: str) -> Job:
    """The record, or :class:`JobNotFound`."""
    job = store.find(job_id)
    if job is None:
        raise _not_found(job_id)
    return job


def get_owned_job(store: JobStore, job_id: str, caller: str | None, *, operator: bool = False) -> Job:
    """The record if the caller may see it: the caller owns the job or is an operator, or the job has no owner. Else
    :class:`JobNotFound`."""
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
                self._table.put_item(Item=new_item(job), ConditionExpression="attribute_not_exists(id)")
            except ClientError as error:
                if _conditional(error):
                    return False
                raise
        return True

    def find(self, job_id: str) -> Job | None:
        # The table also holds items of callbacks, dropped objects and markers, whose keys have other prefixes.
        if not fits_key(job_id) or not job_id.startswith(ID_PREFIX):
            return None
        with _storage("read"):
            item = self._table.get_item(Key={"id": job_id}, ConsistentRead=True).get("Item")
        return None if item is None else read_job(item)

    def update(
        self,
        job_id: str,
        transition: Transition,
        *,
        only: Status | None = None,
        unchanged_since: str | None = None,
        spend: Spend | None = None,
        claims_provider_id: str | None = None,
        **changes: Any,
    ) -> Job:
        expected = transition.sources if only is None else {only}
        check_transition(transition, expected)
        if transition.target is not None:
            changes["status"] = transition.target
        changes |= {"updated_at": now()} | index_changes(job_id, transition, changes)
        removed = [field for field, value in changes.items() if value is None]
        fields = stored({field: value for field, value in changes.items() if value is not None})
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
        if transition not in OF_PURGED:
            change["ConditionExpression"] += " AND attribute_not_exists(purge_begun_at)"
        if unchanged_since is not None:
            change["ConditionExpression"] += " AND #updated_at = :unchanged_since"
            change["ExpressionAttributeValues"][":unchanged_since"] = unchanged_since
        if spend is not None or claims_provider_id is not None:
            parts = [Part({"TableName": self._table.name, **change}, lambda: self._conflict(job_id, expected))]
            with _storage("update"):
                transact(self._table.meta.client, [*parts, *self._beside(job_id, spend, claims_provider_id)])
                return get_job(self, job_id)
        with _storage("update"):
            try:
                answer = self._table.update_item(**change, ReturnValues="ALL_NEW")
            except ClientError as error:
                if _conditional(error):
                    raise self._conflict(job_id, expected) from None
                raise
        return read_job(answer["Attributes"])

    def _beside(self, job_id: str, spend: Spend | None, provider_id: str | None) -> Iterator[Part]:
        """What is changed in one transaction with the record: the day's counters, the id's marker."""
        if spend is not None:
            assert self._days is not None  # only what never counts is made without the table of days
            yield from spending(self._days, spend)
        if provider_id is not None:
            yield Part(marking(self._table.name, provider_id, job_id), lambda: ProviderIdTaken(provider_id))
            yield Part(keeping_callbacks(self._table.name, job_id))

    def entries_for(self, caller: str | None) -> Entries:
        assert self._days is not None
        return DynamoBudgets(self._days).entries(caller)

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
                found |= {str(item["id"]): read_job(item) for item in answer["Responses"].get(name, ())}
                wanted = dict(answer.get("UnprocessedKeys", {}))
        raise StorageFailed("DynamoDB did not read all job records at once (throttled). Try again.")

    def entries(
        self, query: Query, partition: str, before: str | None, *, oldest_first: bool = False
    ) -> Iterator[dict[str, Any]]:
        """The entries of one index partition, newest first, strictly before a position; read page by page."""
        index, key = ("by_owner", "owner_shard") if query.status is None else ("by_status", "status_shard")
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
                yield read_entry(item)

    def unpublished(self, partition: str) -> Iterator[str]:
        """The ids of a partition's finished jobs whose event is not yet published, oldest first; read page by page."""
        arguments = {"IndexName": "by_unpublished", "KeyConditionExpression": Key("unpublished_shard").eq(partition)}
        return (str(item["id"]) for item in self._query(arguments))

    def uninspected(self, partition: str, since: str) -> Iterator[str]:
        """The ids of a partition's completed jobs, made since that time, whose inspection is not yet published."""
        condition = Key("uninspected_shard").eq(partition) & Key("position").gte(since)
        arguments = {"IndexName": "by_uninspected", "KeyConditionExpression": condition}
        return (str(item["id"]) for item in self._query(arguments))

    def slice(self, wanted: Slice) -> Iterator[dict[str, Any]]:
        """The entries of a range of an index partition as the table holds them, oldest first; read page by page."""
        key = {"by_day": "day_shard", "by_owner": "owner_shard"}[wanted.index]
        condition = Key(key).eq(wanted.partition) & Key("position").between(wanted.low, wanted.high)
        return self._query({"IndexName": wanted.index, "KeyConditionExpression": condition}, ENTRIES_PER_SUM)

    def _query(self, arguments: dict[str, Any], at_once: int = ENTRIES_PER_READ) -> Iterator[dict[str, Any]]:
        arguments["Limit"] = at_once
        while True:
            with _storage("list"):
                answer = self._table.query(**arguments)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _conflict(self, job_id: str, expected: Collection[Status]) -> JobStateConflict:
        job = self.find(job_id)
        if job is not None and job.purge_begun_at is not None:
            return JobStateConflict(f"Job '{job_id}' is purged: nothing can be done with it any more.")
        state = "gone" if job is None else job.status
        return JobStateConflict(f"Job '{job_id}' is {state}, not {' or '.join(expected)}: another process was first.")


def _storage(action: str) -> AbstractContextManager[None]:
    return storage_errors(f"DynamoDB did not {action} the job record", "Try again; check the table and the role.")


def _conditional(error: ClientError) -> bool:
    return code_of(error) == CONDITION_FAILED


def _expression(changed: Collection[str], removed: Collection[str]) -> str:
    expression = "SET " + ", ".join(f"#{field} = :{field}" for field in changed)
    return expression + (" REMOVE " + ", ".join(f"#{field}" for field in removed) if removed else "")
