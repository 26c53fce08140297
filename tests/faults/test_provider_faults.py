"""Every fault of ModelGates at every call, once and for ever, through the real state machine and handlers."""

from __future__ import annotations

import pytest

from stillmotion.modelgates import client
from tests.faults.invariants import assert_invariants
from tests.faults.provider_faults import Case, cases, filled
from tests.faults.world import World, forget_modelgates

IMPATIENT = {
    "SUBMIT_SECONDS": 0.25,
    "QUERY_SECONDS": 0.25,
    "CONTENT_SECONDS": 0.25,
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    """A fault that keeps silent costs a quarter of a second a time."""
    if "hang" in case.fault.name:
        for name, value in IMPATIENT.items():
            monkeypatch.setattr(client, name, value)
        forget_modelgates()


@pytest.mark.parametrize("case", list(cases()), ids=str)
@pytest.mark.usefixtures("impatient")
def test_a_fault_has_its_planned_outcome_and_costs_nothing(world: World, case: Case) -> None:
    on, after = ("poll", 1) if case.place == "look" else (case.place, 0)
    world.simulator.fault(on, times=case.times, after=after, **filled(world, case.fault.effect))
    world.ask(case.door)
    ends = [str(job.status) for job in world.jobs()]
    if case.ends == "refused":
        assert ends == ([] if case.door == "http" else ["failed"])
        assert world.simulator.jobs() == []
    else:
        assert ends == [case.ends]
    if "Retry-After" in case.fault.effect.get("headers", {}) and case.place in ("submit", "poll"):
        assert max(world.stack.waits) >= 120
    assert_invariants(world)
