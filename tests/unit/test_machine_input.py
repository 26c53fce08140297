"""What an execution was started with."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.errors import InvalidRequest
from stillmotion.jobs.lifecycle import Status
from stillmotion.stepfunctions.execution_input import MAX_KEPT_BYTES, MachineInput
from tests.support.fakes import FRAME_URL

ARN = "arn:aws:states:eu-central-1:123456789012:execution:generate-video:one"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
inputs = json_values | st.dictionaries(st.sampled_from(["job", "id", "idempotency_key", "model"]), json_values)


def test_a_job_that_was_handed_over_keeps_its_id() -> None:
    started = MachineInput({"job": {"id": "vid_1", "submitted": True}}, ARN)
    assert started.handed_over == started.job_id() == "vid_1"


@pytest.mark.parametrize("data", [{}, {"job": None}, {"job": {}}, {"job": {"id": 5}}, [], None, "vid_1"])
def test_anything_else_is_a_request(data: Any) -> None:
    assert MachineInput(data, ARN).handed_over is None


def test_the_key_beside_the_fields_is_no_part_of_the_request() -> None:
    assert MachineInput({"model": "m", "idempotency_key": "k"}, ARN).request == {"model": "m"}


def test_the_id_belongs_to_the_key_or_else_to_the_execution() -> None:
    keyed = [MachineInput({"idempotency_key": "k"}, arn).job_id() for arn in (ARN, ARN + "2")]
    assert keyed[0] == keyed[1]
    plain = [MachineInput({}, arn).job_id() for arn in (ARN, ARN, ARN + "2")]
    assert plain[0] == plain[1] != plain[2]
    assert len({*keyed, *plain}) == 3
    assert MachineInput({"idempotency_key": "k"}, ARN).own_id == plain[0]


@pytest.mark.parametrize("key", ["", "x" * 257, 5, ["k"], {}, "\ud800"])
def test_a_key_that_will_not_do_is_refused_by_name(key: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        MachineInput({"idempotency_key": key}, ARN).job_id()
    assert [fault.pointer for fault in refused.value.faults] == ["#/idempotency_key"]


@given(inputs)
def test_any_input_gives_an_id_or_a_refusal_and_always_a_record(data: Any) -> None:
    started = MachineInput(data, ARN)
    with suppress(InvalidRequest):
        assert started.job_id()
    job = started.refused()
    assert (job.id, job.status, job.execution_arn) == (started.own_id, Status.QUEUED, ARN)
    assert len(json.dumps(job.request)) <= MAX_KEPT_BYTES


def test_the_record_of_a_refused_request_expires_like_every_other() -> None:
    assert MachineInput({}, ARN).refused().expires_at is not None


def test_a_refused_request_is_kept_without_pictures_and_signed_links() -> None:
    picture = "data:image/png;base64," + "QUJD" * 100
    data = {
        "model": "m",
        "prompt": "is this a cat? yes",
        "frame_images": [{"image_url": {"url": FRAME_URL + "?sig=secret"}}],
        "image": picture,
        "odd": {"deeper": [" " + picture, "S3://b/k?sig=secret"]},
    }
    kept = MachineInput(data, ARN).refused().request
    assert kept["model"] == "m"
    assert kept["prompt"] == "is this a cat? yes"
    assert kept["frame_images"] == [{"image_url": {"url": FRAME_URL + "?…"}}]
    assert "secret" not in json.dumps(kept)
    assert "QUJD" * 20 not in json.dumps(kept)


def test_a_refused_request_that_is_too_large_or_too_deep_is_not_kept() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    for data in ({"x": "x" * MAX_KEPT_BYTES}, {"x": deep}, [], None):
        assert MachineInput(data, ARN).refused().request == {}
