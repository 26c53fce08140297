"""Ten thousand forged, replayed, early and late callbacks at a stack whose jobs have ended."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.measure import Column, Table, silence
from local.simulator import Simulator
from tests.support.hostile_callbacks import FORGED, GENUINE, play, stack_with_ended_jobs

COLUMNS = (
    Column("played", "callbacks"),
    Column("milliseconds", "CPU ms of one", 2),
    Column("aws_calls", "AWS calls of forged ones"),
    Column("records_changed", "records changed"),
    Column("executions", "executions started"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many callbacks."""

    callbacks: int


FULL = Plan(10_000)
QUICK = Plan(200)


def run(plan: Plan) -> list[Table]:
    """One row; what changed must be nothing."""
    table = Table("callbacks", f"{len(FORGED)} kinds of forged and {len(GENUINE)} of genuine callbacks", COLUMNS)
    with Simulator() as simulator, silence(), stack_with_ended_jobs(simulator) as (_, url):
        started = time.process_time()
        played = play(url, plan.callbacks, seed=1)
        took = time.process_time() - started
    wrong = {kind: dict(played.answers[kind]) for kind in FORGED if set(played.answers[kind]) - {404}}
    if wrong:
        raise RuntimeError(f"forged callbacks were answered with {wrong}")
    table.rows["played"] = {
        "played": plan.callbacks,
        "milliseconds": took * 1e3 / plan.callbacks,
        "aws_calls": played.aws_calls_of_forged,
        "records_changed": played.records_changed,
        "executions": played.executions_started,
    }
    return [table]
