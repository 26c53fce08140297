"""A key rotation, a stack update and a poisoned picture while ten jobs run: ten videos arrive.

All three happen in one process. The update is what one does to jobs that run: functions start anew, with new settings
and nothing that they remembered, and the machine's definition is replaced, while executions keep theirs. What
CloudFormation itself does on the way is not covered here.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.requests.owned_names import upload_prefix
from tests.support.inprocess import ACCOUNT, CALLER, HANDLERS, REGION, VALUES, Cloud, cloud, forget
from tests.support.pictures import picture
from tests.support.requests import request
from tests.support.template import definition, function_environment

JOBS, MAX_POLLS = 10, 5000
PATIENCE = 60
NEW_KEY = "mg-rotated-key-0123456789"
UPDATED = {"PollIntervalSeconds": "7", "LinkSeconds": "600"}
POISON = (b"<html><script>fetch('//inner')</script></html>", picture("PNG")[:40], b"%PDF-1.7 a picture, honestly", b"")


@pytest.fixture
def stack(simulator: Simulator) -> Iterator[Cloud]:
    simulator.fault("poll", times=None, job={"status": "in_progress"})
    with cloud(simulator, max_polls=MAX_POLLS) as made:
        yield made
        simulator.settings(api_key="mg-local-key")


def ordered(stack: Cloud, simulator: Simulator, number: int) -> dict[str, Any]:
    """A job with a picture of its own in the input bucket."""
    key = f"{upload_prefix(CALLER)}{number}.png"
    boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=picture("PNG"))
    frame = {"type": "image_url", "image_url": {"url": f"s3://pictures/{key}"}, "frame_type": "first_frame"}
    status, _, job = stack.http("POST", "/videos", request(simulator, seed=number, frame_images=[frame]))
    assert status == 202, job
    found: dict[str, Any] = job
    return found


def polled_by_all(simulator: Simulator) -> None:
    """Return when ModelGates has been asked for every job since now."""
    before, deadline = len(simulator.requests("poll")), time.monotonic() + PATIENCE
    wanted = {job["id"] for job in simulator.jobs()}
    while time.monotonic() < deadline:
        asked = [str(seen) for seen in simulator.requests("poll")[before:]]
        if all(any(job_id in one for one in asked) for job_id in wanted):
            return
        time.sleep(0.05)
    raise AssertionError("not every job was polled again")


def rotate_the_key(stack: Cloud, simulator: Simulator) -> None:
    with stack.lock:
        simulator.settings(api_key=NEW_KEY)
        boto3.client("secretsmanager").put_secret_value(SecretId="modelgates-key", SecretString=NEW_KEY)


def update_the_stack(stack: Cloud) -> None:
    with stack.lock:
        stack.values |= UPDATED
        for function in HANDLERS:
            os.environ.update(function_environment(function, stack.values) | {"POWERTOOLS_TRACE_DISABLED": "true"})
        stack._modules.clear()
        forget()
        arns = {f"{name}Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" for name in HANDLERS}
        numbers = {"PollIntervalSeconds": UPDATED["PollIntervalSeconds"], "MaxPollAttempts": "1"}
        machine = definition(**arns, **numbers, Callbacks="false", JobTableName=VALUES["JobTable"])
        states = boto3.client("stepfunctions")
        states.update_state_machine(stateMachineArn=stack.machine_arn, definition=json.dumps(machine))


def poison_the_pictures(stack: Cloud, simulator: Simulator) -> None:
    """Pictures of running jobs become something else, and new requests that name such ones are refused."""
    paid = len(simulator.jobs())
    for number, poison in enumerate(POISON):
        key = f"{upload_prefix(CALLER)}{number}.png"
        boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=poison, ContentType="image/png")
        frame = {"type": "image_url", "image_url": {"url": f"s3://pictures/{key}"}, "frame_type": "first_frame"}
        with stack.lock:
            status, _, problem = stack.http("POST", "/videos", request(simulator, frame_images=[frame]))
        assert (status, problem["code"]) == (422, "ImageNotUsable")
    assert len(simulator.jobs()) == paid


@pytest.mark.timeout(110)
def test_ten_videos_arrive_whatever_happens_meanwhile(stack: Cloud, simulator: Simulator) -> None:
    with patch.dict(os.environ):
        with stack.lock:
            jobs = [ordered(stack, simulator, number) for number in range(JOBS)]
        polled_by_all(simulator)
        rotate_the_key(stack, simulator)
        polled_by_all(simulator)
        update_the_stack(stack)
        polled_by_all(simulator)
        poison_the_pictures(stack, simulator)
        polled_by_all(simulator)
        simulator.clear_faults()
        ends = [stack.finish(job["execution_arn"])["status"] for job in jobs]
        assert ends == ["SUCCEEDED"] * JOBS
        listed = boto3.client("s3").list_objects_v2(Bucket="clips", Prefix="videos/")["Contents"]
        stored = {one["Key"] for one in listed if one["Key"].endswith(".mp4")}
        assert stored == {f"videos/{job['id']}.mp4" for job in jobs}
        assert len(simulator.jobs()) == JOBS
        stack.invoke("InspectFunction", {"detail": {"id": jobs[0]["id"]}})
        [clip] = stack.job(jobs[0]["id"])["inspection"]["videos"]
        assert "problem" in clip["likeness"][0]
        assert simulator.settings()["api_key"] == NEW_KEY
