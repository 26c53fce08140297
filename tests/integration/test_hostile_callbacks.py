"""A thousand forged, replayed, early and late callbacks: no record changes, and a forged one makes no call to AWS.

``make bench`` plays ten thousand.
"""

from __future__ import annotations

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.jobs.callbacks import MAX_NAMING_WAKES
from tests.support.hostile_callbacks import FORGED, GENUINE, play, stack_with_ended_jobs


@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_callbacks_change_no_record(simulator: Simulator, seed: int) -> None:
    with stack_with_ended_jobs(simulator) as (stack, url):
        stack.events()
        played = play(url, 500, seed)
        assert {kind: set(played.answers[kind]) for kind in FORGED} == {kind: {404} for kind in FORGED}
        assert {kind: set(played.answers[kind]) for kind in GENUINE} == {kind: {204} for kind in GENUINE}
        assert (played.aws_calls_of_forged, played.records_changed, played.executions_started) == (0, 0, 0)
        assert stack.events() == []
        items = boto3.resource("dynamodb").Table("jobs").scan()["Items"]
        wakes = [int(str(item["wakes"])) for item in items if "wakes" in item]
        assert max(wakes) <= MAX_NAMING_WAKES
        assert len(simulator.jobs()) == 4
