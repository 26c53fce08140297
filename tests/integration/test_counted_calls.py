"""What a clip costs in calls: six to AWS for its delivery, and at most fourteen to DynamoDB for all of its life."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.simulator import Simulator
from tests.support.aws_calls import counted_calls
from tests.support.function_url import cloud_with_callbacks
from tests.support.inprocess import Cloud, cloud
from tests.support.requests import request

SMALL = [400_000, 1_600_000]
LIMITS = {"DailySpendLimitUsd": "100", "PerJobSpendLimitUsd": "10"}


def finished(stack: Cloud, simulator: Simulator, asked: dict[str, Any] | None = None) -> str:
    """Make a clip by the workflow; the execution's ARN."""
    arn = stack.start(asked or request(simulator))
    ended = stack.finish(arn)
    assert ended["status"] == "SUCCEEDED", ended
    return arn


@pytest.mark.parametrize("size", SMALL)
def test_a_small_clip_is_delivered_by_six_calls_to_aws(simulator: Simulator, size: int) -> None:
    simulator.settings(pad_to_bytes=size)
    with cloud(simulator) as stack, counted_calls() as calls:
        finished(stack, simulator)  # reads the key, which is kept for later ones
        calls.made.clear()
        finished(stack, simulator)
    assert calls.of("DeliverFunction") == [
        "UpdateItem",  # claimed and read
        "PutObject",  # the clip
        "UpdateItem",  # completed
        "PutObject",  # the note beside it
        "PutEvents",
        "UpdateItem",  # published
    ]
    [clip, _] = [given for caller, _, name, given in calls.made if (caller, name) == ("DeliverFunction", "PutObject")]
    assert (len(clip["Body"]), "ChecksumCRC32" in clip) == (size, True)
    assert [seen["range"] for seen in simulator.requests("content")] == [None, None]  # one for each clip, whole


def test_a_delivery_that_was_begun_before_looks_for_what_is_stored(simulator: Simulator) -> None:
    simulator.fault("content", status=502, times=1)
    with cloud(simulator) as stack, counted_calls() as calls:
        finished(stack, simulator)
    assert calls.of("DeliverFunction").count("GetObject") == 1


def test_a_whole_job_makes_at_most_fourteen_requests_to_dynamodb(simulator: Simulator) -> None:
    simulator.settings(seconds_to_ready=0.3)
    with cloud_with_callbacks(simulator, **LIMITS) as (stack, url), counted_calls() as calls:
        stack.patience = 20.0
        arn = finished(stack, simulator)
        states = stack.states(arn)
        job = stack.job(json.loads(stack.finish(arn)["output"])["id"])
    assert (url.answers, states.count("WaitForCallback"), states.count("Poll")) == ([204], 1, 1)
    assert job["estimated_cost_usd"] > 0
    made = [call for call in calls.made if call[1] == "dynamodb" and call[0] != "JobsFunction"]
    # One more is the workflow's own: it writes its task token.
    assert len(made) + 1 <= 14, [(caller, operation) for caller, _, operation, _ in made]
