"""Two of everything at once: whatever comes first, nothing is paid for twice and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from local.simulator import Simulator
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job
from tests.faults.invariants import assert_invariants
from tests.faults.shaking import at_once, shaken
from tests.faults.world import MAX_POLLS, World
from tests.faults.world import world as made_world
from tests.support.inprocess import OPERATOR
from tests.support.recovery import age, ended, silent_bus
from tests.support.requests import request

SEEDS = range(2)
PACE = 0.01


@pytest.fixture(scope="module")
def broken_world() -> Iterator[World]:
    """One with threads of its own for every function, and pauses that take their time."""
    settings = {"seconds_pending": 0, "seconds_to_ready": 0, "clip": "tiny"}
    with Simulator(**settings) as simulator, made_world(simulator, pace=PACE) as made:
        yield made


@pytest.fixture(params=SEEDS)
def race(request: pytest.FixtureRequest, world: World) -> Iterator[World]:
    with shaken(request.param):
        yield world


def only(world: World) -> Job:
    [job] = world.jobs()
    return job


def statuses(answers: list[Any]) -> Counter[int]:
    return Counter(answer[0] for answer in answers)


def submit(world: World, number: int = 0) -> tuple[int, dict[str, str], Any]:
    asked = request(world.simulator, prompt=f"clip {number}")
    return world.stack.http("POST", "/videos", asked, headers={"Idempotency-Key": f"order-{number}"})


def post(world: World, job: Job, what: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
    return world.stack.http("POST", f"/videos/{job.id}/{what}", body, caller=OPERATOR)


def cancel(world: World, job: Job) -> tuple[int, dict[str, str], Any]:
    return world.stack.http("DELETE", f"/videos/{job.id}")


def failed_delivery(world: World) -> Job:
    world.simulator.fault("content", times=None, status=502)
    submit(world)
    world.rest()
    world.simulator.clear_faults()
    assert only(world).status is Status.FAILED
    return only(world)


def test_submits_with_one_key(race: World) -> None:
    answers = at_once(*[lambda: submit(race)] * 6)
    assert {answer[2]["id"] for answer in answers if answer[0] in (200, 202)} == {only(race).id}
    assert len(race.simulator.jobs()) == 1
    assert set(statuses(answers)) <= {200, 202, 409}
    assert_invariants(race)
    assert only(race).status is Status.COMPLETED


def test_executions_with_one_key(race: World) -> None:
    at_once(*[lambda: race.order("workflow", 0)] * 5)
    race.rest()
    assert len(race.simulator.jobs()) == 1
    assert_invariants(race)
    assert only(race).status is Status.COMPLETED


def test_a_cancel_and_the_completion(race: World) -> None:
    submit(race)  # its execution runs by itself, to the end
    answer = cancel(race, only(race))
    race.rest()
    assert (answer[0], only(race).status) in ((200, Status.CANCELLED), (409, Status.COMPLETED))
    assert_invariants(race)


def test_a_cancel_and_the_submit(race: World) -> None:
    def cancel_early() -> int:
        while not (jobs := race.jobs()):
            pass
        return cancel(race, jobs[0])[0]

    _, answer = at_once(lambda: submit(race), cancel_early)
    assert answer in (200, 409)
    race.rest()
    assert_invariants(race)


def test_two_cancels(race: World) -> None:
    race.simulator.settings(polls_to_ready=MAX_POLLS)
    submit(race)
    answers = at_once(*[lambda: cancel(race, only(race))] * 2)
    race.rest()
    assert set(statuses(answers)) <= {200, 409}
    assert_invariants(race)


def test_two_resumes(race: World) -> None:
    job = failed_delivery(race)
    answers = at_once(*[lambda: post(race, job, "resume")] * 3)
    assert statuses(answers) == {202: 1, 409: 2}
    assert_invariants(race)
    assert only(race).status is Status.COMPLETED


def test_a_resume_and_the_sweeper(race: World) -> None:
    race.simulator.settings(polls_to_ready=MAX_POLLS + 1)
    submit(race)
    race.rest()
    job = only(race)
    age(job.id, timedelta(hours=1))
    resumed, swept = at_once(lambda: post(race, job, "resume"), lambda: race.stack.invoke("SweepFunction", {}))
    assert (resumed[0], swept["resumed"]) in ((202, 0), (409, 1))
    assert_invariants(race)
    assert only(race).status is Status.COMPLETED


def test_two_deliveries(race: World) -> None:
    job = failed_delivery(race)
    post(race, job, "resume")
    at_once(*[lambda: race.stack.invoke("DeliverFunction", {"id": job.id})] * 3)
    assert_invariants(race)
    assert only(race).status is Status.COMPLETED


def test_two_orders_to_settle(race: World) -> None:
    race.simulator.fault("submit", times=1, accept_then_lose="reset")
    submit(race)
    job, [paid] = only(race), race.simulator.jobs()
    answers = at_once(
        *[lambda: post(race, job, "settle", {"provider_job_id": paid["id"]})] * 2,
        lambda: post(race, job, "settle", {"abandon": True, "charged": False}),
    )
    won = statuses(answers)
    assert (won[202] + won[200], won[409]) == (1, 2)
    race.rest()
    if won[202]:  # what an operator gave up by mistake, he has lost
        assert_invariants(race)
        assert only(race).status is Status.COMPLETED


def test_the_end_of_an_execution_delivered_twice(race: World) -> None:
    race.simulator.settings(fail_with={"status": "failed"})
    with silent_bus("Failed"):
        submit(race)
        race.rest()
    job = only(race)
    assert job.unpublished
    event = ended(str(job.execution_arn), {"job": {"id": job.id, "submitted": True}}, "FAILED")
    answers = at_once(*[lambda: race.stack.invoke("ExecutionEndedFunction", event)] * 3)
    assert {"id": job.id} in answers
    assert all(answer in ({"id": job.id}, {"id": None}) for answer in answers)
    assert not only(race).unpublished
    assert_invariants(race)
