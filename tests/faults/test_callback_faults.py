"""Where ModelGates calls back: whatever breaks, nothing is paid twice, nothing is lost, and no person is needed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from local.simulator import Simulator
from stillmotion.jobs.lifecycle import Status
from tests.faults.crashes import Crasher
from tests.faults.invariants import assert_invariants, nothing_paid_waits_for_a_person
from tests.faults.lost_answers import WAYS, Way
from tests.faults.world import CALLING_BACK, World
from tests.faults.world import world as made_world
from tests.support.inprocess import Crash

JOBS = 100
MAX_EFFECTS = 12
ACCEPTED = {"TransactWriteItems", "POST /videos", "PutEvents"}
CRASHING: dict[str, tuple[str, bool, set[str]]] = {
    "CallbackFunction": ("workflow", True, {"UpdateItem", "SendTaskSuccess"}),
    "PollFunction": ("workflow", True, {"TransactWriteItems", "PutEvents"}),
    "RecordFailureFunction": ("workflow", True, {"UpdateItem"}),
    "SubmitTaskFunction": ("workflow", False, ACCEPTED),
    "SubmitApiFunction": ("http", False, ACCEPTED | {"StartExecution"}),
    "DeliverFunction": ("workflow", False, {"UpdateItem", "PutObject", "PutEvents"}),
}
"""Functions that crash: entry point, whether the answer to the submit is lost, the effects that they must have had."""


@pytest.fixture(scope="module")
def broken_world() -> Iterator[World]:
    with Simulator(**CALLING_BACK) as simulator, made_world(simulator, callbacks=True) as made:
        yield made


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("function", CRASHING)
def test_a_crash_at_any_effect_needs_no_person(world: World, function: str, when: str) -> None:
    door, lost, wanted = CRASHING[function]
    for number in range(1, MAX_EFFECTS):
        world.clean()
        crasher = Crasher(function, number, when)
        ask = world.ask_and_call_back if function == "CallbackFunction" else world.ask
        if lost:
            world.simulator.fault("submit", times=1, accept_then_lose="reset")
        with crasher.lurking():
            with suppress(Crash):
                ask(door)
            if door == "http" and crasher.died:
                world.ask(door)  # the caller got no answer, and sends the same key again
        assert_invariants(world, needs_nobody=True)
        if not crasher.died:
            assert wanted <= set(crasher.effects), crasher.effects
            return
    raise AssertionError(f"{function} has {MAX_EFFECTS} effects or more")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_of_the_sweep_that_takes_over_needs_no_person(world: World, when: str) -> None:
    for number in range(1, MAX_EFFECTS):
        world.clean()
        world.simulator.settings(webhooks=False)
        world.stack.patience = 0.0
        Way("workflow", loss="reset").take(world, 0)
        world.simulator.settings(webhooks=True)
        world.simulator.tell_again()
        crasher = Crasher("SweepFunction", number, when)
        with crasher.lurking(), suppress(Crash):
            world.stack.invoke("SweepFunction", {})
        assert_invariants(world, needs_nobody=True)
        if not crasher.died:
            assert {"TransactWriteItems", "PutEvents", "UpdateItem", "StartExecution"} <= set(crasher.effects)
            return
    raise AssertionError(f"a sweep has {MAX_EFFECTS} effects or more")


@pytest.mark.parametrize("quarter", range(4))
def test_100_lost_answers_are_100_clips_and_need_no_person(world: World, quarter: int) -> None:
    for number in range(JOBS // 4):
        WAYS[number % len(WAYS)].take(world, number)
    nothing_paid_waits_for_a_person(world)
    paid = world.simulator.jobs()
    assert len({job["request"]["prompt"] for job in paid}) == len(paid) == JOBS // 4
    assert Counter(job.status for job in world.jobs()) == {Status.COMPLETED: JOBS // 4}
    assert_invariants(world, needs_nobody=True)


EARLY = [way for way in WAYS if way.crash is None]


@pytest.mark.parametrize("way", EARLY, ids=str)
def test_a_callback_before_the_lost_answer_counts(world: World, way: Way) -> None:
    assert world.url is not None
    world.simulator.settings(complete_on_submit=True, webhook_before_answer=True, webhook_copies=2)
    world.url.lock = threading.Lock()  # another function's call is not over yet
    way.take(world, 0)
    assert [job.status for job in world.jobs()] == [Status.COMPLETED]
    assert_invariants(world, needs_nobody=True)


def test_late_callbacks_out_of_order_are_taken_up_by_the_sweep(world: World) -> None:
    world.simulator.settings(webhooks=False)
    world.stack.patience = 0.0
    for number in range(3):
        EARLY[number].take(world, number)
    assert {job.status for job in world.jobs()} == {Status.SUBMIT_UNKNOWN}
    world.simulator.settings(webhooks=True)
    for _ in range(2):
        world.simulator.tell_again(newest_first=True)
    assert_invariants(world, needs_nobody=True)
