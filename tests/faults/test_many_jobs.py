"""A thousand jobs while every fifth call to ModelGates fails, and some to AWS: all end, each is paid once at most."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from tests.faults.invariants import assert_invariants
from tests.faults.provider_faults import AWAY, filled
from tests.faults.shaking import inside_a_function, shaken
from tests.faults.table import count
from tests.faults.world import World
from tests.support.inprocess import Cloud

CROWD = 250
CROWDS = int(os.environ.get("FAULT_CROWDS", "1"))
"""A crowd is a test of its own, so that several processors share them. ``make faults`` asks for four: 1,000 jobs."""
AT_ONCE = 10
SHARE, AWS_SHARE = 0.2, 0.02

FAILING: dict[str, list[dict[str, Any]]] = {
    "submit": [
        {"status": 429, "headers": {"Retry-After": "60"}},
        {"status": 503},
        {"status": 500},
        {"status": 402},
        {"accept_then_lose": "reset"},
        {"accept_then_lose": 502},
    ],
    "poll": [
        {"status": 401},
        {"status": 404},
        {"status": 429, "headers": {"Retry-After": "60"}},
        {"status": 502},
        {"reset": True},
        {"truncate": 30},
        {"html": True},
        {"job": {"status": "dreaming"}},
        {"job": {"status": "completed", "unsigned_urls": [AWAY], "polling_url": AWAY}},
    ],
    "content": [
        {"status": 401},
        {"status": 502},
        {"status": 404},
        {"reset": True},
        {"truncate": 1000},
        {"wrong_type": True},
        {"garbage": True},
        {"redirect": AWAY},
    ],
    "models": [{"status": 500}, {"html": True}, {"reset": True}],
}


@pytest.fixture
def failing(world: World) -> Iterator[World]:
    """A world in which a fifth of all calls to ModelGates fails, in all ways to the same parts."""
    world.simulator.settings(polls_to_ready=1)
    for place, effects in FAILING.items():
        left = 1.0
        for effect in effects:
            # The oldest fault that wants a call gets it, so each wants its part of what those before it leave.
            part = SHARE / len(effects)
            world.simulator.fault(place, times=None, rate=part / left, **filled(world, effect))
            left -= part
    invoke = Cloud.invoke

    def invoked(stack: Cloud, *given: Any) -> Any:
        with inside_a_function():
            return invoke(stack, *given)

    with patch.object(Cloud, "invoke", invoked):
        yield world


@pytest.mark.timeout(900)
@pytest.mark.parametrize("crowd", range(CROWDS))
def test_a_crowd_of_jobs_comes_through(failing: World, crowd: int) -> None:
    number = CROWD
    doors = ["http" if job % 5 == 0 else "workflow" for job in range(number)]
    with shaken(crowd, longest=0.0, failing=AWS_SHARE):
        for first in range(0, number, AT_ONCE):
            for job in range(first, min(first + AT_ONCE, number)):
                failing.order(doors[job], crowd * number + job)
            failing.rest()
    hits: Counter[str] = Counter()
    for fault in failing.simulator.faults():
        hits[fault["on"]] += fault["hits"]
    for place in ("submit", "poll", "content"):
        asked = len(failing.simulator.requests(place))
        assert 0.1 < hits[place] / asked < 0.3, f"{hits[place]} of {asked} calls to {place}"
    count("faults tried", hits.total() - 1)  # and one more with the invariants
    ends = Counter(str(job.status) for job in failing.jobs())
    assert ends["completed"] > number / 2, ends
    assert len(failing.simulator.jobs()) > number / 2
    assert_invariants(failing, uploads_left=number)
