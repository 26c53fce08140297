"""Where ModelGates does not call back: a lost answer is an unknown outcome, and costs nothing but a person's time."""

from __future__ import annotations

import pytest

from tests.faults.invariants import assert_invariants, nothing_is_stuck
from tests.faults.lost_answers import WAYS, Way
from tests.faults.world import World


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_lost_answer_without_callbacks_ends_as_ever(world: World, way: Way) -> None:
    way.take(world, 0)
    nothing_is_stuck(world)
    assert [str(job.status) for job in world.jobs()] == [way.without_callbacks]
    assert_invariants(world)
