"""What one job uses, counted through the real definition and handlers: calls, transitions, log bytes, own CPU.

moto's time is not the functions' own, and is taken off; what runs in other threads (the simulator) never counts.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any
from unittest.mock import patch

from moto.core.botocore_stubber import BotocoreStubber
from moto.core.model_instances import reset_model_data
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from benchmarks.measure import RUN_SECONDS, Column, Table, silence
from local.simulator import Simulator
from tests.faults.world import World, world
from tests.support.aws_calls import Calls, counted_calls
from tests.support.inprocess import ACCOUNT, REGION, Cloud

AT_ONCE = 10
CLIP_BYTES = 1_000_000
COLUMNS = (
    Column("transitions", "state transitions", 2),
    Column("invocations", "Lambda calls", 2),
    Column("dynamodb", "DynamoDB requests", 2),
    Column("writes", "write units", 2),
    Column("reads", "read units", 2),
    Column("s3_puts", "S3 PUT", 2),
    Column("events", "events", 2),
    Column("log_bytes", "log bytes"),
    Column("cpu_ms", "own CPU, ms", 1),
)
CALL_COLUMNS = (
    Column("cpu_ms", "own CPU of a call, ms", 1),
    Column("calls", "calls a job", 1),
    Column("aws_calls", "AWS calls of a call", 1),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of jobs, each run on its own; jobs that are polled cost no less at one number than at another."""

    jobs: tuple[int, ...]
    polled: int


FULL = Plan((100, 1000, 3000), 100)
QUICK = Plan((2, 4), 2)


@dataclass
class Clock:
    """Own CPU time by function, in seconds, how often each was called, and the calls to AWS that it made."""

    aws_calls: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[str] = field(default_factory=Counter)


@contextmanager
def begun(plan: Plan) -> Iterator[Callable[[], list[Table]]]:
    """Count in two other processes, and go on when the most jobs alone are still being counted, on a processor of
    their own. What it yields waits for the tables."""
    wanted = [("callback", jobs) for jobs in plan.jobs] + [("polling", plan.polled)]
    with ProcessPoolExecutor(2, get_context("spawn")) as workers:
        counting = {one: workers.submit(_counted, *one) for one in sorted(wanted, key=lambda one: -one[1])}
        wait(list(counting.values())[1:])
        yield lambda: _tables({one: counting[one].result() for one in wanted})


def _tables(counted: Mapping[tuple[str, int], tuple[dict[str, float], Clock]]) -> list[Table]:
    note = "units of one job; its own CPU is without moto's, with the SDK's"
    table = Table("units", "One job, counted", COLUMNS, note=note)
    functions = Table("functions", "Functions of a job", CALL_COLUMNS)
    for (how, jobs), (row, clock) in counted.items():
        table.rows[f"{how}, {jobs:,} jobs"] = dict(row)
        for name, calls in clock.calls.items():
            # The last of its kind counts, which has the most jobs.
            milliseconds = clock.seconds[name] * 1e3 / calls
            functions.rows[f"{how}, {name}"] = {"cpu_ms": milliseconds, "calls": calls / jobs}
            functions.rows[f"{how}, {name}"]["aws_calls"] = clock.aws_calls[name] / calls
    return [table, functions]


def _counted(how: str, jobs: int) -> tuple[dict[str, float], Clock]:
    with silence():
        return count(jobs, callbacks=how == "callback")


def count(jobs: int, *, callbacks: bool) -> tuple[dict[str, float], Clock]:
    """Units a job of so many jobs with both limits; each ends after one wake, or at its second poll."""
    settings: dict[str, Any] = {"seconds_pending": 0, "clip": "tiny", "pad_to_bytes": CLIP_BYTES}
    settings |= {"seconds_to_ready": 0, "webhooks": False} if callbacks else {"polls_to_ready": 2}
    clock, out, entered = Clock(), _Bytes(), Counter[str]()
    with (
        Simulator(**settings) as simulator,
        redirect_stdout(out),
        world(simulator, callbacks=callbacks) as made,
        counted_calls() as calls,
    ):
        made.stack.patience = 60.0 if callbacks else 0.0
        _batch(made, range(1))  # not counted: reads the key and the models
        calls.made.clear()
        made.log.lines.clear()
        out.written = 0
        with _own_time(clock):
            for first in range(1, jobs + 1, AT_ONCE):
                before = len(calls.made)
                entered += _batch(made, range(first, min(first + AT_ONCE, jobs + 1)))
                for *_, given in calls.made[before:]:
                    given.pop("Body", None)  # thousands of clips
        return {name: value / jobs for name, value in _units(made, entered, calls, clock, out).items()}, clock


def _batch(made: World, numbers: range) -> Counter[str]:
    """Jobs at once, from order to clip; with callbacks, they come when all wait for one.

    Returns how often each state was entered.
    """
    before = made.stack.began_to_wait
    for number in numbers:
        made.order("workflow", number)
    if made.url is not None:
        deadline = time.monotonic() + RUN_SECONDS
        while made.stack.began_to_wait < before + len(numbers) or made.simulator.untold():
            if time.monotonic() > deadline:
                raise RuntimeError("executions do not come to wait for their callbacks")
            time.sleep(0.05)
        made.simulator.tell_again(*(job["id"] for job in made.simulator.jobs()[-len(numbers) :]))
    made.rest()
    ends = Counter(str(job.status) for job in made.jobs())
    if ends != {"completed": len(numbers)}:
        raise RuntimeError(f"not all of {len(numbers)} jobs completed: {ends}")
    entered = _entered(made)
    _take_away(made)
    return entered


def _take_away(made: World) -> None:
    """Remove what the batch left: moto copies a table for every transaction, looks at all that it holds, and keeps
    whatever it ever made."""
    made.forget_ended()
    made.stack.events()
    dynamodb_backends[ACCOUNT][REGION].tables["jobs"].items.clear()
    s3_backends[ACCOUNT]["aws"].buckets["clips"].keys.clear()
    reset_model_data()


def _units(made: World, entered: Counter[str], calls: Calls, clock: Clock, out: _Bytes) -> dict[str, float]:
    clock.aws_calls.update(function for function, _, _, _ in calls.made)
    waits = entered["WaitForCallback"]
    writes, reads = float(waits), 0.0
    for _, service, name, given in calls.made:
        if service == "dynamodb":
            write, read = _request_units(name, given)
            writes, reads = writes + write, reads + read
    return {
        "transitions": entered.total(),
        "invocations": clock.calls.total(),
        "dynamodb": len(calls.to("dynamodb")) + waits,
        "writes": writes,
        "reads": reads,
        "s3_puts": calls.to("s3").count("PutObject"),
        "events": calls.to("events").count("PutEvents"),
        "log_bytes": sum(len(line.encode()) + 1 for line in made.log.lines) + out.written,
        "cpu_ms": sum(clock.seconds.values()) * 1e3,
    }


def _entered(made: World) -> Counter[str]:
    """How often each state was entered, by all executions."""
    backend = stepfunctions_parser_backends[ACCOUNT][REGION]
    entered: Counter[str] = Counter()
    for execution in made.ended():
        events = backend.get_execution_history(execution["executionArn"])["events"]
        begun = (event.get("stateEnteredEventDetails") for event in events)
        entered.update(details["name"] for details in begun if details)
    return entered


def _request_units(name: str, given: dict[str, Any]) -> tuple[float, float]:
    """Write and read units of a request: a record has 1 to 2 KB and is in three indexes (see :data:`INDEXED`)."""
    if name == "TransactWriteItems":
        # A check of a condition counts as a write of its item does.
        changes = [change for part in given["TransactItems"] for change in part.values()]
        return sum(2.0 * _written(change.get("Key") or change["Item"]) for change in changes), 0.0
    if name in ("UpdateItem", "PutItem"):
        return _written(given.get("Key") or given["Item"]), 0.0
    return 0.0, 1.0


RECORD_UNITS, INDEX_UNITS = 2.0, 2.0
"""Of a write to a job's record: its 1 to 2 KB, and the entries of the indexes that a change of its state moves."""


def _written(key: dict[str, Any]) -> float:
    return RECORD_UNITS + INDEX_UNITS if str(key.get("id", "")).startswith("vid_") else 1.0


@contextmanager
def _own_time(clock: Clock) -> Iterator[None]:
    """Take down the CPU time of each function's calls without what moto needs to answer them."""
    invoke = Cloud.invoke

    def invoked(stack: Cloud, function: str, *given: Any) -> Any:
        before, foreign.seconds = time.thread_time(), 0.0
        try:
            return invoke(stack, function, *given)
        finally:
            clock.seconds[function] += time.thread_time() - before - foreign.seconds
            clock.calls[function] += 1

    with foreign_time() as foreign, patch.object(Cloud, "invoke", invoked):
        yield


class Foreign(threading.local):
    """CPU seconds of this thread that moto took to answer; whoever measures sets them to 0."""

    seconds = 0.0


@contextmanager
def foreign_time() -> Iterator[Foreign]:
    """Take down what moto takes of each thread's CPU time."""
    answer, foreign = BotocoreStubber.__call__, Foreign()

    def answered(stubber: Any, *given: Any, **named: Any) -> Any:
        before = time.thread_time()
        try:
            return answer(stubber, *given, **named)
        finally:
            foreign.seconds += time.thread_time() - before

    with patch.object(BotocoreStubber, "__call__", answered):
        yield foreign


class _Bytes(io.TextIOBase):
    """Counts what is written; metrics go to standard output, as log lines on Lambda."""

    written = 0

    def write(self, text: str) -> int:
        self.written += len(text.encode())
        return len(text)


def as_json(tables: list[Table]) -> str:
    """The counted units, as docs/cost.md is made from them."""
    return json.dumps({table.name: table.rows for table in tables}, indent=2) + "\n"
