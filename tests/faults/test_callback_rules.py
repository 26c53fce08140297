"""What callbacks may do and what they may not, each rule with the fault that breaks code which has not got it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.jobs.callbacks import KEY_PREFIX, MAX_WAKES
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job
from stillmotion.modelgates.callback import callback_token
from tests.faults.invariants import assert_invariants
from tests.faults.shaking import broken_call, call, change, event
from tests.faults.world import CALLING_BACK, MAX_POLLS, World
from tests.faults.world import world as made_world
from tests.support.inprocess import CALLBACK_SECRET, Cloud
from tests.support.recovery import age


@pytest.fixture(scope="module")
def broken_world() -> Iterator[World]:
    with Simulator(**CALLING_BACK) as simulator, made_world(simulator, callbacks=True) as made:
        yield made


def only(world: World) -> Job:
    [job] = world.jobs()
    return job


def call_back(world: World, job_id: str, provider_id: str | None = None) -> None:
    """A callback about a job, that names an id or cannot be read."""
    assert world.url is not None
    body = b"" if provider_id is None else json.dumps({"data": {"id": provider_id}}).encode()
    assert world.url.call("POST", f"/callbacks/{job_id}/{callback_token(CALLBACK_SECRET, job_id)}", {}, body) == 204


@contextmanager
def before_polls(world: World, *steps: Any) -> Iterator[list[str]]:
    """Run a step before each of the first polls; yields the ids of the jobs that were polled, one for each poll."""
    invoke, polled = Cloud.invoke, list[str]()

    def invoked(stack: Cloud, function: str, given: Any, *more: Any) -> Any:
        if function == "PollFunction":
            polled.append(given["id"])
            if len(polled) <= len(steps):
                assert world.url is not None
                world.url.lock = threading.Lock()  # this poll has the stack's
                steps[len(polled) - 1](given["id"])
                world.url.lock = None
        return invoke(stack, function, given, *more)

    with patch.object(Cloud, "invoke", invoked):
        yield polled


@pytest.mark.parametrize("wakes", [0, 1, 3, MAX_WAKES + 2])
def test_each_of_the_first_callbacks_leads_to_one_poll(world: World, wakes: int) -> None:
    world.simulator.settings(webhooks=False, polls_to_ready=10 * MAX_POLLS)
    world.stack.patience = 0.02
    with before_polls(world, *[lambda job_id: call_back(world, job_id)] * wakes) as polled:
        world.ask("workflow")
    assert only(world).status is Status.TIMED_OUT
    # The first poll has seen the callback that came before it; each that comes during one causes another.
    assert len(polled) == MAX_POLLS
    assert world.stack.waits == [30] * MAX_POLLS


def a_wake(name: str, given: Any) -> bool:
    return name == "UpdateItem" and "wakes" in given["UpdateExpression"]


CALLS = {
    "the wake": a_wake,
    "the waiting execution": call("SendTaskSuccess"),
    "the item of callbacks": lambda name, given: name == "UpdateItem" and KEY_PREFIX in str(given["Key"]),
    "the confirming": change(status="confirming"),
    "the takeover": change(status="in_progress"),
    "the event Submitted": event("Submitted"),
}


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "lost"])
@pytest.mark.parametrize("what", CALLS)
def test_a_call_that_aws_does_not_answer_needs_no_person(world: World, what: str, lost: bool) -> None:
    world.simulator.fault("submit", accept_then_lose="reset")
    with broken_call(CALLS[what], 1, lost=lost) as failed:
        world.ask_and_call_back("workflow")
    assert failed, f"nobody called for {what}"
    assert_invariants(world, needs_nobody=True)


def test_an_id_that_the_answer_does_not_contain_is_not_taken_over(world: World) -> None:
    world.simulator.settings(webhooks=False)
    world.simulator.fault("submit", accept_then_lose="reset")
    another = {"id": "vgen-another", "status": "completed", "model": "google/veo-3.1-lite"}
    world.simulator.fault("poll", status=200, body=another)
    with before_polls(world, lambda job_id: call_back(world, job_id, "vgen-wrong"), name_the_paid(world)):
        world.ask("workflow")
    assert only(world).provider.job_id == world.simulator.jobs()[0]["id"]
    assert_invariants(world, needs_nobody=True)


def test_an_id_that_another_job_has_is_not_taken_over(world: World) -> None:
    world.ask("workflow", 0)
    first = only(world)
    world.simulator.settings(webhooks=False)
    world.simulator.fault("submit", accept_then_lose="reset")
    with before_polls(world, lambda job_id: call_back(world, job_id, first.provider.job_id), name_the_paid(world)):
        world.ask("workflow", 1)
    paid = [job["id"] for job in world.simulator.jobs()]
    assert sorted(str(job.provider.job_id) for job in world.jobs()) == sorted(paid)
    assert_invariants(world, needs_nobody=True)


def name_the_paid(world: World) -> Any:
    """A step that names the job that was paid for last."""
    return lambda job_id: call_back(world, job_id, world.simulator.jobs()[-1]["id"])


@pytest.mark.parametrize("answered", [429, 503])
def test_a_second_claim_does_not_pay_for_a_job_that_was_named(world: World, answered: int) -> None:
    assert world.url is not None
    world.simulator.settings(complete_on_submit=True, webhook_before_answer=True)
    world.simulator.fault("submit", accept_then_lose=answered)
    world.url.lock = threading.Lock()  # the submit is not over when the callback comes
    world.ask("workflow")
    assert len(world.simulator.jobs()) == 1
    assert only(world).status is Status.COMPLETED
    assert_invariants(world, needs_nobody=True)


def test_no_callback_makes_the_time_for_confirming_longer(world: World) -> None:
    world.simulator.settings(webhooks=False)
    world.simulator.fault("submit", accept_then_lose="reset")

    def late(job_id: str) -> None:
        age(job_id, timedelta(0), confirm_until="2026-01-01T00:00:00.000Z")
        call_back(world, job_id)

    with before_polls(world, late) as polled:
        world.ask("workflow")
    assert (len(polled), only(world).status) == (1, Status.SUBMIT_UNKNOWN)
    assert_invariants(world)


def test_items_of_callbacks_expire(world: World) -> None:
    world.ask("workflow")
    found = boto3.resource("dynamodb").Table("jobs").scan()["Items"]
    assert {str(item["id"]).partition("#")[0] for item in found} == {only(world).id, "callback", "provider"}
    assert all(int(str(item["expires_at"])) > 0 for item in found)
