"""What a warm call to ``POST /videos`` costs over a call to a Powertools handler that does nothing."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from benchmarks.measure import Column, Table, interleaved, silence
from benchmarks.units import Foreign, foreign_time
from benchmarks.workflow import request
from local.simulator import Simulator
from tests.support.inprocess import Cloud, Context, api_event, cloud

COLUMNS = (
    Column("p50_ms", "p50 ms", 2),
    Column("p95_ms", "p95 ms", 2),
    Column("own_p50_ms", "own CPU p50, ms", 2),
    Column("own_p99_ms", "own CPU p99, ms", 2),
    Column("calls", "calls"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many calls of each kind, within how many seconds."""

    calls: int
    budget_seconds: float


FULL = Plan(200, 25)
QUICK = Plan(5, 5)


def run(plan: Plan) -> list[Table]:
    """From nothing at all to a paid call: every row does what the one before it does, and more."""
    with (
        Simulator(seconds_pending=0, seconds_to_ready=0, clip="tiny", complete_on_submit=True) as simulator,
        cloud(simulator) as stack,
        silence(),
        foreign_time() as foreign,
    ):
        subjects = _subjects(stack, request(simulator), foreign)
        for call in subjects.values():
            call(-1)
        found = interleaved(subjects, plan.calls, plan.budget_seconds)
    note = "p50 and p95 hold what moto and the simulator took in the same process; own CPU does not"
    table = Table("front", "POST /videos, one warm handler in process", COLUMNS, note=note)
    for name, calls in found.items():
        times, own = (sorted(call[part] * 1e3 for call in calls) for part in (0, 1))
        table.rows[name] = {
            "p50_ms": statistics.median(times),
            "p95_ms": _at(0.95, times),
            "own_p50_ms": _at(0.5, own),
            "own_p99_ms": _at(0.99, own),
            "calls": len(times),
        }
    return [table]


def _at(share: float, ordered: list[float]) -> float:
    """The value that this share of the ordered ones does not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _subjects(stack: Cloud, body: dict[str, Any], foreign: Foreign) -> dict[str, Callable[[int], tuple[float, float]]]:
    bare, validating = _nothing(), _nothing(validation=True)
    _, event = api_event("POST", "/videos", body)
    _, dry = api_event("POST", "/videos?dry_run=true", body)
    _, wrong = api_event("POST", "/videos", body | {"duration": "long"})

    def direct(app: APIGatewayRestResolver) -> Callable[[int], tuple[float, float]]:
        return lambda _: _timed(lambda: app.resolve(event, cast(Any, Context())), 200, foreign)[:2]

    def through(sent: dict[str, Any], status: int) -> Callable[[int], tuple[float, float]]:
        def call(_: int) -> tuple[float, float]:
            *times, answer = _timed(lambda: stack.invoke("SubmitApiFunction", sent), status, foreign)
            arn = json.loads(answer["body"]).get("execution_arn")
            if arn:  # what a call sets going is over before the next one is timed
                stack.finish(arn)
            return times[0], times[1]

        return call

    return {
        "Powertools handler that does nothing": direct(bare),
        "the same, validating": direct(validating),
        "refused by validation": through(wrong, 400),
        "dry run: models, price, picture looked at": through(dry, 200),
        "submitted: record, paid call, event, execution": through(event, 202),
    }


def _nothing(validation: bool = False) -> APIGatewayRestResolver:
    app = APIGatewayRestResolver(enable_validation=validation)

    @app.post("/videos")
    def nothing() -> dict[str, str]:
        return {}

    return app


def _timed(call: Callable[[], Any], status: int, foreign: Foreign) -> tuple[float, float, Any]:
    started, cpu = time.perf_counter(), time.thread_time()
    foreign.seconds = 0.0
    answer = call()
    times = time.perf_counter() - started, time.thread_time() - cpu - foreign.seconds
    if answer["statusCode"] != status:
        raise RuntimeError(f"answered {answer['statusCode']}, not {status}: {answer['body']}")
    return *times, answer
