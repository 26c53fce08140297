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
from benchmarks.workflow import request
from local.simulator import Simulator
from tests.support.inprocess import Cloud, Context, api_event, cloud

COLUMNS = (
    Column("p50_ms", "p50 ms", 2),
    Column("p95_ms", "p95 ms", 2),
    Column("cpu_ms", "CPU ms", 2),
    Column("calls", "calls"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many calls of each kind, within how many seconds."""

    calls: int
    budget_seconds: float


FULL = Plan(100, 15)
QUICK = Plan(5, 5)


def run(plan: Plan) -> list[Table]:
    """From nothing at all to a paid call: every row does what the one before it does, and more."""
    with (
        Simulator(seconds_pending=0, seconds_to_ready=0, clip="tiny", complete_on_submit=True) as simulator,
        cloud(simulator) as stack,
        silence(),
    ):
        subjects = _subjects(stack, request(simulator))
        for call in subjects.values():
            call(-1)
        found = interleaved(subjects, plan.calls, plan.budget_seconds)
    note = "moto and the simulator answer in the same process, and their time is in these figures"
    table = Table("front", "POST /videos, one warm handler in process", COLUMNS, note=note)
    for name, calls in found.items():
        times = sorted(seconds * 1e3 for seconds, _ in calls)
        table.rows[name] = {
            "p50_ms": statistics.median(times),
            "p95_ms": times[min(len(times) - 1, int(len(times) * 0.95))],
            "cpu_ms": statistics.median(cpu * 1e3 for _, cpu in calls),
            "calls": len(times),
        }
    return [table]


def _subjects(stack: Cloud, body: dict[str, Any]) -> dict[str, Callable[[int], tuple[float, float]]]:
    bare, validating = _nothing(), _nothing(validation=True)
    _, event = api_event("POST", "/videos", body)
    _, dry = api_event("POST", "/videos?dry_run=true", body)
    _, wrong = api_event("POST", "/videos", body | {"duration": "long"})

    def direct(app: APIGatewayRestResolver) -> Callable[[int], tuple[float, float]]:
        return lambda _: _timed(lambda: app.resolve(event, cast(Any, Context())), 200)[:2]

    def through(sent: dict[str, Any], status: int) -> Callable[[int], tuple[float, float]]:
        def call(_: int) -> tuple[float, float]:
            *times, answer = _timed(lambda: stack.invoke("SubmitApiFunction", sent), status)
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


def _timed(call: Callable[[], Any], status: int) -> tuple[float, float, Any]:
    started, cpu = time.perf_counter(), time.thread_time()
    answer = call()
    times = time.perf_counter() - started, time.thread_time() - cpu
    if answer["statusCode"] != status:
        raise RuntimeError(f"answered {answer['statusCode']}, not {status}: {answer['body']}")
    return *times, answer
