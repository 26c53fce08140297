"""A job's life as Hypothesis makes it up: any order of asking, breaking, stopping, resuming, dying and sweeping.

The lives are the same ones in every run; other rules make other lives.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job
from tests.faults.crashes import DYING, Crasher
from tests.faults.invariants import assert_invariants, paid_twice
from tests.faults.provider_faults import FAULTS, ProviderFault, filled
from tests.faults.world import MAX_POLLS, World
from tests.support.inprocess import OPERATOR, Crash
from tests.support.recovery import age, ended

LIVES = 20
STEPS = 12
QUICK = [fault for fault in FAULTS if not {"hang", "slow"} & fault.effect.keys() and "hang" not in fault.name]
DOORS = st.sampled_from(["http", "workflow"])
NUMBERS = st.integers(min_value=0, max_value=2)
ENDINGS = st.sampled_from([None, None, "failed", "cancelled", "expired"])


def lives_in(world: World) -> type[RuleBasedStateMachine]:
    """The rules of life in one world, which is emptied for each life."""

    class Life(RuleBasedStateMachine):
        @initialize()
        def is_born(self) -> None:
            world.clean()
            self.crasher: Crasher | None = None

        @rule(door=DOORS, number=NUMBERS)
        def ask(self, door: str, number: int) -> None:
            """A new job, or the same one asked for again."""
            with suppress(Crash):
                world.order(door, number)
            world.rest()

        @rule(
            door=DOORS,
            number=NUMBERS,
            function=st.sampled_from(sorted(DYING)),
            at=st.integers(1, 6),
            after=st.booleans(),
        )
        def ask_and_die(self, door: str, number: int, function: str, at: int, after: bool) -> None:
            crasher = Crasher(function, at, "after" if after else "before")
            with crasher.lurking(), suppress(Crash):
                world.order(door, number)
            world.rest()

        @rule(
            fault=st.sampled_from(QUICK),
            place=st.sampled_from(["submit", "poll", "content", "models"]),
            times=st.integers(1, 3),
        )
        def break_something(self, fault: ProviderFault, place: str, times: int) -> None:
            if getattr(fault, place) is not None:
                world.simulator.fault(place, times=times, **filled(world, fault.effect))

        @rule()
        def mend(self) -> None:
            world.simulator.clear_faults()

        @rule(polls=st.integers(1, 2 * MAX_POLLS - 1), ending=ENDINGS)
        def expect(self, polls: int, ending: str | None) -> None:
            """How long the next jobs take at ModelGates, and how they end there."""
            world.simulator.settings(polls_to_ready=polls, fail_with=None if ending is None else {"status": ending})

        @precondition(lambda self: world.jobs())
        @rule(data=st.data(), what=st.sampled_from(["DELETE ", "POST /resume"]))
        def stop_or_resume(self, data: st.DataObject, what: str) -> None:
            method, _, path = what.partition(" ")
            status, _, _ = world.stack.http(method, f"/videos/{self.one(data).id}{path}")
            assert status in (200, 202, 409)
            world.rest()

        @precondition(lambda self: self.lost())
        @rule(data=st.data())
        def settle(self, data: st.DataObject) -> None:
            """As an operator does who looks the job up at ModelGates."""
            job = data.draw(st.sampled_from(sorted(self.lost(), key=lambda job: job.id)))
            paid = {paid["request"]["prompt"]: paid["id"] for paid in world.simulator.jobs()}
            known = paid.get(job.request["prompt"])
            order: dict[str, Any] = {"abandon": True, "charged": False} if known is None else {"provider_job_id": known}
            status, _, _ = world.stack.http("POST", f"/videos/{job.id}/settle", order, caller=OPERATOR)
            assert status in (200, 202, 400, 503)
            world.rest()

        @rule(hours=st.sampled_from([1, 2, 25]))
        def wait_and_sweep(self, hours: int) -> None:
            for job in world.jobs():
                age(job.id, timedelta(hours=hours))
            world.stack.invoke("SweepFunction", {})
            world.rest()

        @precondition(lambda self: world.jobs())
        @rule(data=st.data(), how=st.sampled_from(["ABORTED", "TIMED_OUT", "FAILED"]))
        def tell_of_an_end_again(self, data: st.DataObject, how: str) -> None:
            job = self.one(data)
            if job.execution_arn is not None:
                given = {"job": {"id": job.id, "submitted": True}}
                world.stack.invoke("ExecutionEndedFunction", ended(job.execution_arn, given, how))

        @invariant()
        def nothing_is_paid_twice(self) -> None:
            assert not paid_twice(world)

        @invariant()
        def a_video_that_was_there_stays(self) -> None:
            for job in world.jobs():
                assert (job.status is Status.COMPLETED) == bool(job.video)

        def one(self, data: st.DataObject) -> Job:
            return data.draw(st.sampled_from(sorted(world.jobs(), key=lambda job: job.id)))

        def lost(self) -> list[Job]:
            return [job for job in world.jobs() if job.status is Status.SUBMIT_UNKNOWN]

        def teardown(self) -> None:
            assert_invariants(world, uploads_left=1)

    return Life


def test_whatever_happens_in_a_life_nothing_is_lost_or_paid_twice(world: World) -> None:
    run_state_machine_as_test(
        lives_in(world),
        settings=settings(
            max_examples=LIVES,
            derandomize=True,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
