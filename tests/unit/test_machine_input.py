"""What an execution was started with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.jobs.lifecycle import Status
from stillmotion.modelgates.job import Outcome
from stillmotion.stepfunctions.execution_input import (
    MAX_KEPT_BYTES,
    BatchRow,
    BusEvent,
    DirectRequest,
    DroppedObject,
    HandedOver,
    Started,
    Unreadable,
    hand_over,
    read_input,
)
from tests.support.fakes import FRAME_URL, a_job

ARN = "arn:aws:states:eu-central-1:123456789012:execution:generate-video:one"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
inputs = json_values | st.dictionaries(st.sampled_from(["job", "id", "idempotency_key", "model"]), json_values)


def test_a_job_that_was_handed_over_keeps_its_id() -> None:
    started = read_input({"job": {"id": "vid_1", "submitted": True}}, ARN)
    assert isinstance(started, HandedOver)
    assert started.job_id == "vid_1"


@pytest.mark.parametrize("data", [{}, {"job": None}, {"job": {}}, {"job": {"id": 5}}, [], None, "vid_1"])
def test_anything_else_is_a_request(data: Any) -> None:
    assert isinstance(read_input(data, ARN), DirectRequest)


def test_the_key_beside_the_fields_is_no_part_of_the_request() -> None:
    assert read_input({"model": "m", "idempotency_key": "k"}, ARN).request == {"model": "m"}


def test_the_id_belongs_to_the_key_or_else_to_the_execution() -> None:
    keyed = [read_input({"idempotency_key": "k"}, arn).job_id for arn in (ARN, ARN + "2")]
    assert keyed[0] == keyed[1]
    plain = [read_input({}, arn).job_id for arn in (ARN, ARN, ARN + "2")]
    assert plain[0] == plain[1] != plain[2]
    assert len({*keyed, *plain}) == 3
    assert read_input({"idempotency_key": "k"}, ARN).own_id == plain[0]


@pytest.mark.parametrize("key", ["", "x" * 257, 5, ["k"], {}, "\ud800"])
def test_a_key_that_will_not_do_is_refused_by_name(key: Any) -> None:
    for data in (
        {"idempotency_key": key},
        {"detail-type": "Video Generation Requested", "id": "e", "detail": {"idempotency_key": key}},
    ):
        started = read_input(data, ARN)
        assert isinstance(started, Unreadable)
        assert [fault.pointer for fault in started.error.faults] == ["#/idempotency_key"]


@given(inputs)
def test_any_input_gives_an_id_or_a_refusal_and_always_a_record(data: Any) -> None:
    started = read_input(data, ARN)
    assert started.job_id
    job = started.refused()
    assert (job.id, job.status, job.execution_arn) == (started.own_id, Status.QUEUED, ARN)
    assert len(json.dumps(job.request)) <= MAX_KEPT_BYTES


def test_the_record_of_a_refused_request_expires_like_every_other() -> None:
    assert read_input({}, ARN).refused().expires_at is not None


def test_a_refused_request_is_kept_without_pictures_and_signed_links() -> None:
    picture = "data:image/png;base64," + "QUJD" * 100
    data = {
        "model": "m",
        "prompt": "is this a cat? yes",
        "frame_images": [{"image_url": {"url": FRAME_URL + "?sig=secret"}}],
        "image": picture,
        "odd": {"deeper": [" " + picture, "HTTPS://b/k?sig=secret", "s3://b/a #1?.jpg"]},
    }
    kept = read_input(data, ARN).refused().request
    assert kept["model"] == "m"
    assert kept["prompt"] == "is this a cat? yes"
    assert kept["frame_images"] == [{"image_url": {"url": FRAME_URL + "?…"}}]
    assert kept["odd"]["deeper"][2] == "s3://b/a #1?.jpg"  # of a key everything belongs to it
    assert "secret" not in json.dumps(kept)
    assert "QUJD" * 20 not in json.dumps(kept)


def test_a_refused_request_that_is_too_large_or_too_deep_is_not_kept() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    for data in ({"x": "x" * MAX_KEPT_BYTES}, {"x": deep}, [], None):
        assert read_input(data, ARN).refused().request == {}


S3_EVENT = {
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "pictures"}, "object": {"key": "drop/a.png", "version-id": "v"}},
}
BUS_EVENT = {"detail-type": "Video Generation Requested", "source": "shop", "id": "e-1", "detail": {"model": "m"}}
ROW = {"batch": {"id": "b", "item_id": "i", "attempt": 2, "owner": "alice"}, "request": {"model": "m"}}
PARENT = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
DROP = {"type": "drop", "bucket": "pictures", "key": "drop/a.png", "version": "v"}
DIRECT = {"type": "workflow", "execution_arn": ARN}


@pytest.mark.parametrize(
    ("data", "kind", "source", "owner", "kept"),
    [
        ({"job": {"id": "vid_1"}}, HandedOver, DIRECT, None, {"job": {"id": "vid_1"}}),
        ({"model": "m"}, DirectRequest, DIRECT, None, {"model": "m"}),
        ({"model": "m", PARENT: "arn"}, DirectRequest, DIRECT, None, {"model": "m"}),
        (BUS_EVENT, BusEvent, {"type": "event", "event_id": "e-1", "event_source": "shop"}, None, {"model": "m"}),
        (S3_EVENT, DroppedObject, DROP, None, None),
        (ROW, BatchRow, {"type": "batch", "batch_id": "b", "item_id": "i"}, "alice", {"model": "m"}),
        (S3_EVENT | {"detail": {}}, Unreadable, DIRECT, None, S3_EVENT | {"detail": {}}),
        (S3_EVENT | {"source": "shop"}, DirectRequest, DIRECT, None, S3_EVENT | {"source": "shop"}),
        ({"batch": {"owner": "alice"}, "request": 7}, Unreadable, DIRECT, "alice", 7),
    ],
)
def test_each_way_to_start_an_execution_is_a_variant_of_its_own(
    data: Any, kind: type[Started], source: dict[str, str], owner: str | None, kept: Any
) -> None:
    started = read_input(data, ARN)
    assert type(started) is kind
    assert (started.source, started.owner, started.request) == (source, owner, kept)
    assert started.execution_arn == ARN


def test_the_same_event_object_or_key_is_the_same_job_in_every_execution() -> None:
    keyed = BUS_EVENT | {"detail": {"model": "m", "idempotency_key": "k"}}
    ids = set()
    for data in (BUS_EVENT, keyed, S3_EVENT, ROW, {"idempotency_key": "k"}, {"job": {"id": "vid_1"}}):
        first, second = read_input(data, ARN), read_input(data, ARN + "2")
        assert first.job_id == second.job_id
        ids.add(first.job_id)
    assert len(ids) == 6
    assert read_input(keyed | {"id": "e-2"}, ARN).job_id == read_input(keyed, ARN).job_id


def test_keys_of_events_belong_to_their_source_and_account() -> None:
    keyed = BUS_EVENT | {"account": "123456789012", "detail": {"model": "m", "idempotency_key": "k"}}
    others = [
        {"source": "warehouse"},
        {"account": "210987654321"},
        {"source": "", "account": "123456789012shop"},
        {"source": "shop" * 100},
        {"source": "shop" * 101},
    ]
    ids = [read_input(keyed | other, ARN).job_id for other in ({}, *others)]
    assert len(set(ids)) == len(ids)
    assert [read_input(keyed | other | {"id": "again"}, ARN).job_id for other in ({}, *others)] == ids


def test_what_is_handed_over_is_read_back_as_such() -> None:
    for wait_seconds in (0, 120):
        given = hand_over(a_job(), Outcome.WAITING, wait_seconds)
        assert given["job"].get("wait_seconds", 0) == wait_seconds
        assert isinstance(read_input(json.loads(json.dumps(given)), ARN), HandedOver)
