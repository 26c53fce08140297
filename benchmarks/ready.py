"""How long a finished clip waits until it is in S3, on the deployed local stack: by callback, and by polls alone.

A clip is ready when the simulator's ledger says so, and in S3 when its record says so; both clocks are this machine's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import urllib3

from benchmarks.measure import RUN_SECONDS, Column, Spread, Table
from local.cloud import LocalCloud
from tests.e2e.support import Caller, SimulatorControl

COLUMNS = (
    Column("wait_seconds", "ready → object in S3, s", 2),
    Column("transfer_seconds", "of it the transfer, s", 2),
    Column("beyond_seconds", "beyond the transfer, s", 2),
    Column("interval_seconds", "poll interval, s"),
    Column("jobs", "jobs"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many jobs each way, seconds between two polls, and seconds until the first clip is ready that is told."""

    jobs: int
    interval: int
    told_after: int


FULL, QUICK = Plan(30, 20, 5), Plan(3, 2, 1)
STRIDE = 7
"""Jobs that begin one after the other do not end so: the local cloud would have all to deliver at once."""


def run(plan: Plan) -> list[Table]:
    """Jobs told by callbacks before a first poll; then jobs found by polls alone, whose ends fall between two polls."""
    note = "the transfer is that of the same bytes from the simulator into the local S3, by this process"
    table = Table("ready", "A finished clip comes home, on the local stack", COLUMNS, note=note)
    with LocalCloud("bench", overrides={"PollIntervalSeconds": str(plan.interval)}) as cloud:
        caller, simulator = Caller(cloud.stack), SimulatorControl(str(cloud.stack.simulator_url))
        picture = caller.request()
        _waits(Plan(1, 1, 1), 1, caller, simulator, picture)  # not counted: the functions' first start
        ways = (("by callback", True, plan.told_after), ("by polls alone", False, plan.interval))
        for name, webhooks, ready_after in ways:
            with simulator.settings(webhooks=webhooks):
                waits, paid = _waits(plan, ready_after, caller, simulator, picture)
            transfers = [_transfer(cloud, job_id) for job_id in paid]
            beyond = [wait - Spread.of(transfers).median for wait in waits]
            table.rows[name] = {
                "wait_seconds": Spread.of(waits),
                "transfer_seconds": Spread.of(transfers),
                "beyond_seconds": Spread.of(beyond),
                "interval_seconds": plan.interval,
                "jobs": len(waits),
            }
    return [table]


def _waits(
    plan: Plan, ready_after: int, caller: Caller, simulator: SimulatorControl, request: dict[str, Any]
) -> tuple[list[float], list[str]]:
    """Seconds from ready to stored of each job, and ModelGates' ids of the jobs.

    They begin evenly within an interval, as jobs do that nobody bundles. One is ready after so many seconds, and the
    others after up to twice as many.
    """
    before = {job["id"] for job in simulator.jobs()}
    started, begun = [], time.monotonic()
    for number in range(plan.jobs):
        time.sleep(max(0.0, begun + number * plan.interval / plan.jobs - time.monotonic()))
        with simulator.settings(seconds_to_ready=ready_after * (1 + number * STRIDE % plan.jobs / plan.jobs)):
            started.append(caller.client.submit(request)["id"])
    ended = [_ended(caller, job_id) for job_id in started]
    ready = {job["id"]: float(job["ended_at"]) for job in simulator.jobs() if job["id"] not in before}
    stored = [datetime.fromisoformat(record["completed_at"]).timestamp() for record in ended]
    paid = [str(record["provider"]["job_id"]) for record in ended]
    return [after - ready[job_id] for after, job_id in zip(stored, paid, strict=True)], paid


def _ended(caller: Caller, job_id: str) -> Mapping[str, Any]:
    deadline = time.monotonic() + RUN_SECONDS
    while (job := caller.client.job(job_id))["status"] not in ("completed", "failed"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"job {job_id} does not end: {job['status']}")
        time.sleep(0.5)
    if job["status"] != "completed":
        raise RuntimeError(f"job {job_id} failed: {job['error']}")
    return job


def _transfer(cloud: LocalCloud, provider_job_id: str) -> float:
    """Seconds that the bytes of a clip take into the local S3 in this process."""
    store = cloud.stack.client("s3")
    headers = {"Authorization": f"Bearer {cloud.api_key}"}
    started = time.perf_counter()
    address = f"{cloud.stack.simulator_url}/api/v1/videos/{provider_job_id}/content?index=0"
    answer = urllib3.request("GET", address, headers=headers, timeout=RUN_SECONDS, retries=False)
    if answer.status != 200:
        raise RuntimeError(f"the simulator answered {answer.status} for the clip of {provider_job_id}")
    store.put_object(Bucket=cloud.stack.output_bucket, Key="benchmark.mp4", Body=answer.data)
    return time.perf_counter() - started
