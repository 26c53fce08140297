"""Ids of ModelGates are unique: the record and its marker are one write, however many jobs claim an id at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.errors import JobStateConflict, StorageFailed
from stillmotion.jobs.lifecycle import ACCEPT, ADOPT, Status
from stillmotion.jobs.markers import ProviderIdTaken, marker_key
from stillmotion.jobs.record import Job, ProviderState, new_job_id
from stillmotion.jobs.store import DynamoJobStore
from tests.faults.shaking import broken_call, call
from tests.support.aws_calls import counted_calls
from tests.support.fakes import a_job
from tests.support.function_url import cloud_with_callbacks
from tests.support.inprocess import cloud
from tests.support.requests import request

AT_ONCE, ROUNDS = 8, 10


@pytest.fixture
def store(simulator: Simulator) -> Iterator[DynamoJobStore]:
    with cloud(simulator):
        yield DynamoJobStore(boto3.resource("dynamodb").Table("jobs"))


def submitting(store: DynamoJobStore, status: Status = Status.SUBMITTING) -> Job:
    job = a_job(status, id=new_job_id(), provider=ProviderState())
    assert store.create(job)
    return job


def accept(store: DynamoJobStore, job: Job, provider_id: str) -> Any:
    """The record after the id was written, or the error."""
    transition = ACCEPT if job.status is Status.SUBMITTING else ADOPT
    try:
        known = ProviderState(job_id=provider_id, status="pending")
        return store.update(job.id, transition, claims_provider_id=provider_id, provider=known)
    except (ProviderIdTaken, JobStateConflict, StorageFailed) as error:
        return error


def marker(provider_id: str) -> dict[str, Any] | None:
    found = boto3.resource("dynamodb").Table("jobs").get_item(Key={"id": marker_key(provider_id)}).get("Item")
    return None if found is None else dict(found)


@pytest.mark.parametrize("status", [Status.SUBMITTING, Status.CONFIRMING])
def test_of_jobs_that_claim_one_id_at_once_one_has_it(store: DynamoJobStore, status: Status) -> None:
    for number in range(ROUNDS):
        provider_id, start = f"gen-{number}", threading.Barrier(AT_ONCE)
        jobs = [submitting(store, status) for _ in range(AT_ONCE)]

        def claim(job: Job, provider_id: str = provider_id, start: threading.Barrier = start) -> Any:
            start.wait(30)
            return accept(store, job, provider_id)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(claim, jobs))
        [winner] = [answer for answer in answers if isinstance(answer, Job)]
        assert {type(answer) for answer in answers if answer is not winner} == {ProviderIdTaken}
        records = store.find_many([job.id for job in jobs]).values()
        assert [record.id for record in records if record.provider.job_id == provider_id] == [winner.id]
        # Of the others nothing is written: neither the id nor the state.
        assert [record.status for record in records if record.id != winner.id] == [status] * (AT_ONCE - 1)
        held = marker(provider_id)
        assert held is not None
        assert held["job_id"] == winner.id


def test_a_record_in_another_state_leaves_no_marker(store: DynamoJobStore) -> None:
    job = submitting(store)
    store.update(job.id, ACCEPT, provider=ProviderState(job_id="gen-own", status="pending"))
    assert isinstance(accept(store, job, "gen-other"), JobStateConflict)
    assert marker("gen-other") is None


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "lost"])
def test_a_write_that_is_not_answered_is_whole_or_not_at_all(store: DynamoJobStore, lost: bool) -> None:
    job = submitting(store)
    with broken_call(call("TransactWriteItems"), 1, lost=lost):
        assert isinstance(accept(store, job, "gen-1"), StorageFailed)
    record = store.find(job.id)
    assert record is not None
    assert (record.provider.job_id, marker("gen-1") is not None) == (("gen-1", True) if lost else (None, False))


def test_a_marker_outlives_the_record_by_30_days(simulator: Simulator) -> None:
    with cloud_with_callbacks(simulator) as (stack, _), counted_calls() as calls:
        stack.finish(stack.start(request(simulator)))
        [paid] = simulator.jobs()
        held = marker(paid["id"])
        assert held is not None
        record = boto3.resource("dynamodb").Table("jobs").get_item(Key={"id": held["job_id"]})["Item"]
    assert 0 <= float(str(held["expires_at"])) - float(str(record["expires_at"])) - 30 * 86400 < 60
    written = [given["TransactItems"] for _, _, name, given in calls.made if name == "TransactWriteItems"]
    changes = [[change for part in parts for change in part.values()] for parts in written]
    keys = [{change["Key"].get("id") for change in transaction} for transaction in changes]
    assert {held["job_id"], held["id"], f"callback#{held['job_id']}"} in keys
