"""The process dies before and after every effect it has, and then the platform does what it does: it tries again."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.faults.crashes import DYING, Crasher
from tests.faults.invariants import assert_invariants
from tests.faults.world import World
from tests.support.inprocess import Crash

MAX_EFFECTS = 20
"""Of a clip that takes three parts to store."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("function", DYING)
def test_a_death_at_any_effect_costs_nothing(world: World, function: str, when: str) -> None:
    door, settings, wanted = DYING[function]
    for number in range(1, MAX_EFFECTS):
        world.clean()
        world.simulator.settings(**settings)
        crasher = Crasher(function, number, when)
        with crasher.lurking():
            with suppress(Crash):
                world.ask(door)
            if door == "http" and crasher.died:
                world.ask(door)  # the caller got no answer, and sends the same key again
        # Dead before it could read the upload's id, nobody can end it.
        lost = crasher.died and when == "after" and crasher.effects[-1] == "CreateMultipartUpload"
        assert_invariants(world, uploads_left=int(lost))
        if not crasher.died:
            assert wanted <= set(crasher.effects)
            return
    raise AssertionError(f"{function} has {MAX_EFFECTS} effects or more")
