"""The table of jobs and its stand-in, held to the same contract."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from stillmotion.errors import JobNotFound, JobStateConflict, StorageFailed
from stillmotion.jobs.index import (
    Query,
    day_partition,
    status_partition,
    uninspected_partitions,
    unpublished_partitions,
)
from stillmotion.jobs.lifecycle import (
    ACCEPT,
    BEGIN_DELIVERY,
    CLAIM,
    COMPLETE,
    END,
    NOTE_INSPECTION,
    PUBLISH,
    PUBLISH_INSPECTION,
    RELEASE,
    REQUEUE,
    TERMINAL,
    TRANSITIONS,
    ForbiddenTransition,
    Status,
    Transition,
)
from stillmotion.jobs.record import Job, JobError, ProviderState, StoredVideo, Usage, now
from stillmotion.jobs.spend import Reservation
from stillmotion.jobs.store import ENTRIES_PER_READ, DynamoJobStore, JobStore, get_job, get_owned_job
from tests.support.fakes import MODEL, MemoryJobStore, a_job, a_request
from tests.support.template import resources

VIDEO = StoredVideo(bucket="clips", key="videos/vid_1.mp4", bytes=7, content_type="video/mp4", checksum="sha256:0")
free_form = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=10,
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def table() -> Iterator[Any]:
    with mock_aws():
        keys = resources("AWS::DynamoDB::Table")["JobTable"]
        wanted = {name: keys[name] for name in ("BillingMode", "AttributeDefinitions", "KeySchema")}
        indexes = {"GlobalSecondaryIndexes": found} if (found := keys.get("GlobalSecondaryIndexes")) else {}
        yield boto3.resource("dynamodb", region_name="eu-central-1").create_table(TableName="jobs", **wanted, **indexes)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest, table: Any) -> JobStore:
    if request.param == "memory":
        return MemoryJobStore()
    for item in table.scan()["Items"]:
        table.delete_item(Key={"id": item["id"]})
    return DynamoJobStore(table)


def full_job(status: Status = Status.FAILED, **changes: Any) -> Job:
    """A record with every field set."""
    given = {
        "provider": ProviderState(job_id="j", generation_id="g", status="s", polling_url="/p", error="e"),
        "polls": 3,
        "usage": Usage(cost_usd=0.1),
        "video": [VIDEO, VIDEO],
        "error": JobError(code="X", message="m", provider_message="p", faults=[{"pointer": "#", "given": 1.5}]),
        "metadata": {"a": "", "b/c": "ü"},
        "owner": "arn:alice",
        "execution_arn": "arn:x",
        "published_at": now(),
        "completed_at": now(),
        "expires_at": 1_900_000_000,
    }
    return a_job(status, **(given | changes))


@pytest.mark.parametrize(
    ("transition", "only"),
    [
        (replace(BEGIN_DELIVERY, sources=frozenset({Status.QUEUED})), None),
        (replace(BEGIN_DELIVERY, by="poll"), None),
        (replace(END[Status.FAILED], sources=frozenset()), None),
        (BEGIN_DELIVERY, Status.QUEUED),
    ],
)
def test_a_write_that_the_table_does_not_have_is_refused(
    store: JobStore, transition: Transition, only: Status | None
) -> None:
    store.create(a_job(Status.QUEUED))
    with pytest.raises(ForbiddenTransition):
        store.update("vid_1", transition, only=only)
    assert get_job(store, "vid_1").status is Status.QUEUED


def test_a_record_comes_back_as_it_was_written(store: JobStore) -> None:
    for job in (a_job(Status.QUEUED), full_job(id="vid_2")):
        assert store.create(job) is True
        assert store.find(job.id) == job


@pytest.mark.parametrize("job_id", ["vid_none", "", "x" * 3000, "ü" * 1500, "\ud800"])
def test_what_is_not_there_is_not_found(store: JobStore, job_id: str) -> None:
    assert store.find(job_id) is None
    with pytest.raises(JobNotFound):
        get_job(store, job_id)


def test_an_id_is_taken_once_and_the_first_record_stays(store: JobStore) -> None:
    assert store.create(a_job(Status.COMPLETED, request_hash="first")) is True
    assert store.create(a_job(Status.QUEUED, request_hash="second")) is False
    found = get_job(store, "vid_1")
    assert (found.status, found.request_hash) == (Status.COMPLETED, "first")


@pytest.mark.parametrize(
    "changes",
    [
        {"provider": ProviderState(job_id="j"), "usage": Usage(cost_usd=0.1 + 0.2)},
        {"video": [VIDEO], "completed_at": now()},
        {"polls": 59},
        {"error": JobError(code="X", message="m", faults=[{"given": 1e300, "allowed": [1, 2.5, None]}])},
        {"usage": Usage(cost_usd=2)},
        {"usage": Usage()},
        {"published_at": None},
    ],
)
def test_an_update_changes_what_it_names_and_nothing_else(store: JobStore, changes: dict[str, Any]) -> None:
    store.create(full_job(status=Status.SUBMITTING))
    before = get_job(store, "vid_1")
    after = store.update("vid_1", ACCEPT, **changes)
    assert after == get_job(store, "vid_1")
    assert after.updated_at >= before.updated_at
    assert after == replace(before, **changes | {"status": Status.IN_PROGRESS, "updated_at": after.updated_at})


@pytest.mark.slow
@pytest.mark.parametrize("status", Status)
def test_an_update_from_another_state_is_refused_and_changes_nothing(store: JobStore, status: Status) -> None:
    store.create(a_job(status))
    before = store.find("vid_1")
    others = [transition for transition in TRANSITIONS if status not in transition.sources]
    for transition in others:
        with pytest.raises(JobStateConflict, match=str(status)):
            store.update("vid_1", transition, polls=9, completed_at=now())
    narrowed = [(each, only) for each in TRANSITIONS for only in each.sources - {status}]
    for transition, only in narrowed:
        with pytest.raises(JobStateConflict, match=str(status)):
            store.update("vid_1", transition, only=only, polls=9, completed_at=now())
    assert store.find("vid_1") == before


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_terminal_record_is_never_overwritten_by_a_step_on_the_way(store: JobStore, status: Status) -> None:
    store.create(a_job(status))
    late = [transition for transition in TRANSITIONS if not transition.sources & TERMINAL]
    assert {transition.by for transition in late} >= {"submit", "poll", "deliver", "record_failure"}
    for transition in late:
        with pytest.raises(JobStateConflict):
            store.update("vid_1", transition, completed_at=now())


def test_a_record_that_is_gone_cannot_be_changed_and_is_not_made_anew(store: JobStore) -> None:
    with pytest.raises(JobStateConflict, match="gone"):
        store.update("vid_1", END[Status.FAILED])
    assert store.find("vid_1") is None


def test_of_many_claims_exactly_one_wins(store: JobStore) -> None:
    store.create(a_job(Status.QUEUED))
    ready, won = threading.Barrier(8), []

    def claim() -> None:
        ready.wait()
        with suppress(JobStateConflict):
            won.append(store.update("vid_1", CLAIM))

    # Memory and moto take one call at a time, as a partition does.
    lock = threading.Lock()
    update: Callable[..., Job] = store.update

    def one_at_a_time(*args: Any, **changes: Any) -> Job:
        with lock:
            return update(*args, **changes)

    with patch.object(store, "update", one_at_a_time):
        threads = [threading.Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(won) == 1


@pytest.mark.slow
@given(
    trace=free_form, parameters=free_form, value=free_form, cost=st.floats(0, 1e6).filter(lambda cost: cost > 1e-100)
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_json_callers_send_survives_exactly(
    table: Any, trace: Any, parameters: Any, value: Any, cost: float
) -> None:
    store = DynamoJobStore(table)
    table.delete_item(Key={"id": "vid_1"})
    request = a_request(trace=trace, provider={"options": {"a": {"parameters": parameters}}})
    store.create(a_job(Status.QUEUED, request=request.as_given()))
    job = store.update(
        "vid_1",
        REQUEUE,
        error=JobError(code="X", message="m", faults=[{"given": value}]),
        usage=Usage(cost_usd=cost),
    )
    held = get_job(store, "vid_1")
    assert held == job
    assert json.dumps(held.request["trace"]) == json.dumps(trace)
    assert json.dumps(held.request["provider"]["options"]["a"].get("parameters", {})) == json.dumps(parameters)
    assert json.dumps(held.error.faults[0]["given"]) == json.dumps(value)  # type: ignore[union-attr, index]
    assert held.usage.cost_usd == cost


@pytest.mark.parametrize(
    ("owner", "caller", "seen"),
    [
        ("arn:alice", "arn:alice", True),
        ("arn:alice", "arn:bob", False),
        ("arn:alice", None, False),
        (None, "arn:bob", True),
        (None, None, True),
    ],
)
def test_only_its_owner_sees_a_job_and_others_hear_that_there_is_none(
    store: JobStore, owner: str | None, caller: str | None, seen: bool
) -> None:
    store.create(a_job(owner=owner))
    if seen:
        assert get_owned_job(store, "vid_1", caller).id == "vid_1"
        return
    assert get_owned_job(store, "vid_1", caller, operator=True).id == "vid_1"
    with pytest.raises(JobNotFound) as hidden:
        get_owned_job(store, "vid_1", caller)
    with pytest.raises(JobNotFound) as missing:
        get_owned_job(store, "vid_2", caller, operator=True)
    assert hidden.value.detail == missing.value.detail.replace("vid_2", "vid_1")


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "no"}}, "any"),
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "any"),
        ConnectTimeoutError(endpoint_url="https://dynamodb"),
    ],
)
def test_an_unreachable_table_is_reported_as_failed_storage(error: Exception) -> None:
    class Down:
        def __getattr__(self, name: str) -> Any:
            def refuse(**_: Any) -> None:
                raise error

            return refuse

    table: Any = Down()
    store = DynamoJobStore(table)
    calls: list[Callable[[], Any]] = [
        lambda: store.create(a_job()),
        lambda: store.find("vid_1"),
        lambda: store.update("vid_1", REQUEUE, polls=1),
    ]
    for call in calls:
        with pytest.raises(StorageFailed, match=r"DynamoDB did not (write|read|update)"):
            call()


@pytest.mark.slow
def test_a_partition_is_read_from_either_end(table: Any) -> None:
    store = DynamoJobStore(table)
    ids = [f"vid_either_{each:03}" for each in range(3 * ENTRIES_PER_READ)]
    for each, job_id in enumerate(ids):
        moment = f"2026-01-01T00:{each // 60:02}:{each % 60:02}.000Z"
        store.create(a_job(Status.IN_PROGRESS, id=job_id, created_at=moment))
        store.update(job_id, END[Status.EXPIRED], completed_at=now())
    query, before = Query(None, Status.EXPIRED, created_after="2026-01-01T00:00:10.000Z"), "2026-01-01T00:02:00.000Z"
    for partition in query.partitions:
        wanted = [job_id for job_id in ids[10:120] if status_partition(Status.EXPIRED, job_id) == partition]
        oldest_first = store.entries(query, partition, before, oldest_first=True)
        assert [entry["id"] for entry in oldest_first] == wanted
        assert [entry["id"] for entry in store.entries(query, partition, before)] == wanted[::-1]
    unpublished = [job_id for partition in unpublished_partitions() for job_id in store.unpublished(partition)]
    assert sorted(set(unpublished) & set(ids)) == ids


def entries_of(table: Any, index: str, key: str) -> dict[str, dict[str, Any]]:
    """All entries of an index: the ids it holds, and what it knows of each."""
    found = table.scan(IndexName=index)["Items"]
    return {entry["id"]: entry for entry in found if key in entry}


def test_a_job_is_in_the_index_by_day_from_its_paid_call_on(table: Any) -> None:
    store = DynamoJobStore(table)
    for name in ("vid_waiting", "vid_throttled", "vid_paid"):
        store.create(a_job(Status.QUEUED, id=name, owner="arn:alice", metadata={"team": "a"}))
    reserved = Reservation(day="2026-02-28", micro_usd=250_000)
    store.update("vid_throttled", CLAIM, reserved=reserved)
    store.update("vid_throttled", RELEASE, reserved=None)
    store.update("vid_paid", CLAIM, reserved=reserved)
    store.update("vid_paid", ACCEPT, usage=Usage(cost_usd=0.1))
    found = entries_of(table, "by_day", "day_shard")
    assert not found.keys() & {"vid_waiting", "vid_throttled"}
    entry = found["vid_paid"]
    assert entry["day_shard"] == day_partition("2026-02-28", "vid_paid")
    assert (entry["owner"], entry["model"], entry["metadata"]) == ("arn:alice", MODEL, {"team": "a"})
    assert (entry["usage"]["cost_usd"], entry["reserved"]["micro_usd"]) == (Decimal("0.1"), 250_000)


def test_a_callers_own_list_knows_what_each_job_cost_and_on_which_day(table: Any) -> None:
    store = DynamoJobStore(table)
    store.create(a_job(Status.QUEUED, id="vid_own", owner="arn:alice", estimated_cost_usd=0.25))
    store.update("vid_own", CLAIM, reserved=Reservation(day="2026-02-28", micro_usd=250_000))
    entry = entries_of(table, "by_owner", "owner_shard")["vid_own"]
    assert (entry["day_shard"], entry["estimated_cost_usd"]) == (
        day_partition("2026-02-28", "vid_own"),
        Decimal("0.25"),
    )
    assert entry["reserved"] == {"day": "2026-02-28", "micro_usd": 250_000}


def test_a_job_without_a_reservation_is_counted_on_the_day_of_its_claim(table: Any) -> None:
    store = DynamoJobStore(table)
    store.create(a_job(Status.QUEUED, id="vid_today"))
    days = {datetime.now(UTC).date().isoformat()}
    store.update("vid_today", CLAIM)
    days |= {datetime.now(UTC).date().isoformat()}
    assert entries_of(table, "by_day", "day_shard")["vid_today"]["day_shard"].partition("#")[0] in days


def test_only_a_completed_job_is_in_the_index_by_model(table: Any) -> None:
    store = DynamoJobStore(table)
    moment = "2026-01-01T00:05:00.000Z"
    for name in ("vid_done", "vid_failed"):
        store.create(a_job(Status.DELIVERING, id=name, submitted_at="2026-01-01T00:00:00.000Z"))
    store.update("vid_failed", END[Status.FAILED], completed_at=moment)
    store.update("vid_done", COMPLETE, completed_at=moment)
    found = entries_of(table, "by_model", "stored_at")
    assert "vid_failed" not in found
    assert (found["vid_done"]["model_key"], found["vid_done"]["stored_at"]) == (MODEL, moment)
    assert found["vid_done"]["submitted_at"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize("model", ["", "m" * 3000, "ü" * 1025])
def test_a_refused_request_with_an_unusable_model_is_recorded_all_the_same(table: Any, model: str) -> None:
    job = a_job(Status.FAILED, id=f"vid_refused_{len(model)}", request={"model": model})
    assert DynamoJobStore(table).create(job) is True
    assert job.id not in entries_of(table, "by_model", "model_key")


def test_a_published_job_leaves_the_index_of_unpublished_ones(table: Any) -> None:
    store = DynamoJobStore(table)
    store.create(a_job(Status.IN_PROGRESS, id="vid_told"))
    assert "vid_told" not in entries_of(table, "by_unpublished", "unpublished_shard")
    store.update("vid_told", END[Status.FAILED], completed_at=now())
    assert "vid_told" in entries_of(table, "by_unpublished", "unpublished_shard")
    store.update("vid_told", PUBLISH, published_at=now())
    assert "vid_told" not in entries_of(table, "by_unpublished", "unpublished_shard")


def test_a_completed_job_is_among_the_uninspected_until_that_is_published(table: Any) -> None:
    store = DynamoJobStore(table)

    def listed(since: str = "2") -> list[str]:
        return [job_id for partition in uninspected_partitions() for job_id in store.uninspected(partition, since)]

    moment = "2026-01-01T00:00:00.000Z"
    store.create(a_job(Status.DELIVERING, id="vid_to_inspect", created_at=moment))
    assert "vid_to_inspect" not in listed()
    store.update("vid_to_inspect", COMPLETE, completed_at=now())
    store.update("vid_to_inspect", PUBLISH, published_at=now())
    store.update("vid_to_inspect", NOTE_INSPECTION, inspection={"videos": [{"psnr_db": 41.5}]})
    assert "vid_to_inspect" in listed(moment)
    assert "vid_to_inspect" not in listed("2026-01-01T00:00:00.001Z")
    job = store.update("vid_to_inspect", PUBLISH_INSPECTION, inspection_published_at=now())
    assert "vid_to_inspect" not in listed()
    assert job.inspection == {"videos": [{"psnr_db": 41.5}]}
