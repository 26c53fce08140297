"""The real state machine on moto's interpreter, with its tasks in the real handlers, all in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks.measure import RUN_SECONDS, Column, Table, silence
from local.simulator import Simulator
from tests.support.inprocess import cloud

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

COLUMNS = (
    Column("seconds", "seconds", 2),
    Column("cpu_seconds", "CPU seconds", 2),
    Column("milliseconds_per_poll", "CPU ms per poll", 1),
    Column("state_bytes", "largest state, bytes"),
    Column("history_events", "history events of one"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many executions at once, of how many polls each."""

    executions: int
    polls: int


FULL = Plan(10, 60)
QUICK = Plan(2, 5)


def run(plan: Plan) -> list[Table]:
    """Executions of many polls, against as many of one poll and against the same whose tasks do nothing."""
    note = "waits are not waited for; Step Functions takes 262,144 bytes of state and 25,000 events"
    table = Table("workflow", f"{plan.executions} executions at once, on moto", COLUMNS, note=note)
    many = f"{plan.polls} polls each"
    subjects = {f"{many}, empty tasks": (plan.polls, True), "1 poll each": (1, False), many: (plan.polls, False)}
    with Simulator(seconds_pending=0, seconds_to_ready=0, clip="tiny") as simulator, silence():
        _run(simulator, 1, 1, empty=False)  # not counted: the first one loads the interpreter of definitions
        for name, (polls, empty) in subjects.items():
            row = _run(simulator, plan.executions, polls, empty=empty)
            row["milliseconds_per_poll"] = row["cpu_seconds"] * 1e3 / plan.executions / polls
            table.rows[name] = dict(row)
    return [table]


def _run(simulator: Simulator, executions: int, polls: int, *, empty: bool) -> dict[str, float]:
    simulator.reset()
    simulator.settings(polls_to_ready=polls)
    with cloud(simulator) as stack:
        if empty:
            stack.invoke = _empty_tasks(polls)  # type: ignore[method-assign]
        machines = boto3.client("stepfunctions")
        started, cpu = time.perf_counter(), time.process_time()
        arns = [stack.start(request(simulator)) for _ in range(executions)]
        for arn in arns:
            _finish(machines, arn)
        took = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
        return took | _sizes(machines, arns[-1])


def _empty_tasks(polls: int) -> Callable[..., dict[str, Any]]:
    """Answers in place of the functions: what remains is the interpreter's own time."""

    def invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
        outcome = "completed" if event.get("polls") == polls else "waiting"
        return {"id": "vid_1", "outcome": outcome, "wait_seconds": 30, "wakes": "0"}

    return invoke


def _finish(machines: SFNClient, arn: str) -> None:
    """Wait for an execution, looking seldom: every look is work in the process that is measured."""
    deadline = time.monotonic() + RUN_SECONDS
    while (ended := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise RuntimeError("an execution does not end")
        time.sleep(0.1)
    if ended["status"] != "SUCCEEDED":
        raise RuntimeError(f"an execution ended {ended['status']}: {ended.get('cause')}")


def request(simulator: Simulator) -> dict[str, Any]:
    """A request with a picture that the simulator serves."""
    frame = {"type": "image_url", "image_url": {"url": simulator.image_url()}, "frame_type": "first_frame"}
    given = {"model": "google/veo-3.1-lite", "prompt": "a slow push in", "duration": 4, "frame_images": [frame]}
    return given | {"resolution": "720p", "aspect_ratio": "16:9"}


def _sizes(machines: SFNClient, arn: str) -> dict[str, float]:
    pages = machines.get_paginator("get_execution_history").paginate(executionArn=arn)
    history = [event for page in pages for event in page["events"]]
    states = (event["stateEnteredEventDetails"] for event in history if "stateEnteredEventDetails" in event)
    return {
        "history_events": len(history),
        "state_bytes": max(len(state.get("input", "").encode()) for state in states),
    }
