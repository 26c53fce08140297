"""Accepted submits whose answers are lost, at every point where they can be: with callbacks, and without."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Column, Table, silence
from local.simulator import Simulator
from stillmotion.jobs.lifecycle import Status
from tests.faults.invariants import nothing_is_stuck, paid_twice
from tests.faults.lost_answers import WAYS
from tests.faults.world import CALLING_BACK, world

COLUMNS = (
    Column("lost", "answers lost"),
    Column("paid", "paid"),
    Column("paid_twice", "paid twice"),
    Column("delivered", "delivered"),
    Column("persons", "wait for a person"),
    Column("as_expected", "end as their way says"),
)


SETTINGS: dict[str, Any] = dict(CALLING_BACK)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many answers are lost."""

    answers: int


FULL, QUICK = Plan(100), Plan(4)


def run(plan: Plan) -> list[Table]:
    """One row with callbacks, one without; each loses its answers in every way, in turn."""
    note = "the sweep has run; what still waits for a person is settled by an operator"
    table = Table("recovery", f"{plan.answers} accepted submits, answers lost in {len(WAYS)} ways", COLUMNS, note=note)
    for name, callbacks in (("with callbacks", True), ("without", False)):
        table.rows[name] = dict(_lose(plan.answers, callbacks=callbacks))
    return [table]


def _lose(answers: int, *, callbacks: bool) -> dict[str, float]:
    ways = [WAYS[number % len(WAYS)] for number in range(answers)]
    with Simulator(**SETTINGS) as simulator, silence(), world(simulator, callbacks=callbacks) as made:
        for number, way in enumerate(ways):
            way.take(made, number)
        nothing_is_stuck(made)
        ends = Counter(job.status for job in made.jobs())
        expected = Counter(Status.COMPLETED if callbacks else Status(way.without_callbacks) for way in ways)
        return {
            "lost": answers,
            "paid": len(simulator.jobs()),
            "paid_twice": len(paid_twice(made)),
            "delivered": ends[Status.COMPLETED],
            "persons": ends.total() - ends[Status.COMPLETED],
            "as_expected": (ends & expected).total(),
        }
