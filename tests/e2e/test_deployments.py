"""Deploying while jobs run: other functions with another definition, another layer alone, and back, on an own cloud."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.build import build
from local.cloud import LocalCloud
from local.deploy import STACK_NAME
from stillmotion_cli import job_logs
from stillmotion_cli.client import Document, Job
from tests.e2e import neighbours
from tests.e2e.signing import RUNNING
from tests.e2e.support import Caller, SimulatorControl

WAITING, DEPLOYMENTS, ENDING, MEANWHILE = 20, 3, 3, 3
"""Jobs that wait when the deployments begin; during each deployment so many of them end, and after each of these
so many jobs are submitted. One more is submitted after each deployment."""
JOBS = WAITING + DEPLOYMENTS * (ENDING * MEANWHILE + 1)
AT_ONCE = 2
STEP = 1000.0
"""Seconds on the simulator's clock between the ends of two waiting jobs; the clock is moved by hand."""
PATIENCE = 120
PARAMETERS = {"EnableInspection": "false", "PollIntervalSeconds": "5"}
PROCESSES = 2
"""Fifty jobs on two cores: no clip is decoded, jobs that wait are asked about less often, and no function runs more
often than this at a time. What is throttled is tried again: by the caller, the workflow, ModelGates."""
FIRST, SECOND, THIRD = (None, None), ("2", None), ("2", "3")
"""The versions that log lines tell: of the function's code and of the layer."""


@pytest.fixture
def own() -> Iterator[LocalCloud]:
    """A cloud for this test alone: what it deploys must not reach other tests."""
    with LocalCloud("deployments", seconds_to_ready=1, overrides=PARAMETERS) as running:
        functions = running.stack.client("lambda")
        for page in functions.get_paginator("list_functions").paginate():
            for one in page["Functions"]:
                name = one["FunctionName"]
                functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=PROCESSES)
        yield running


class Load:
    """Jobs that are submitted and that end, and deployments in their midst."""

    def __init__(self, cloud: LocalCloud) -> None:
        assert cloud.stack.simulator_url
        self._cloud = cloud
        self._caller = Caller(cloud.stack)
        self._request = self._caller.request()
        self.simulator = SimulatorControl(cloud.stack.simulator_url)
        self.jobs: list[Job] = []
        self._waiting: list[Job] = []

    def deploy(self, package: Path) -> Job:
        """Deploy while jobs end and others are submitted; answers a waiting job that is submitted after it."""
        with ThreadPoolExecutor(1) as pool:
            deployed = pool.submit(self._cloud.update, package)
            for _ in range(ENDING):
                self.end_one()
                self._submit(MEANWHILE)
            deployed.result()
        return self.wait()

    def wait(self) -> Job:
        """A job that ends after all that wait now."""
        with self.simulator.settings(seconds_to_ready=STEP * (len(self._waiting) + 1)):
            [job] = self._submit(1)
        self._waiting.append(job)
        return job

    def end_one(self) -> Job:
        """The job that has waited longest, which ModelGates finishes now."""
        self.simulator.advance(STEP)
        return self._waiting.pop(0)

    def end_all(self) -> list[Job]:
        """All jobs, once every one has ended."""
        while self._waiting:
            self.end_one()
            time.sleep(0.5)
        return self.ended(self.jobs)

    def ended(self, jobs: list[Job]) -> list[Job]:
        """Jobs as they are on record once all of them have ended."""
        deadline = time.monotonic() + PATIENCE
        while running := [one["id"] for one in map(self._now, jobs) if one["status"] in RUNNING]:
            assert time.monotonic() < deadline, f"still under way after {PATIENCE} s: {running}"
            time.sleep(0.5)
        return [self._now(job) for job in jobs]

    def versions(self, job: Job, message: str) -> set[tuple[str | None, str | None]]:
        """The versions of code and layer that have logged this of a job."""
        since = datetime.fromisoformat(job["created_at"])
        lines: list[Document] = list(job_logs.read(self._cloud.stack, STACK_NAME, job["id"], since))
        return {(line.get("function_code"), line.get("layer")) for line in lines if line["message"] == message}

    def first_state(self, job: Job) -> str:
        """The state that a job's execution began with, which tells its definition."""
        arn = self._caller.execution(job)["executionArn"]
        history = self._cloud.stack.client("stepfunctions").get_execution_history(executionArn=arn)["events"]
        entered = [
            event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
        ]
        return str(entered[0])

    def _submit(self, number: int) -> list[Job]:
        """So many jobs, a few at once."""
        seeds = range(len(self.jobs), len(self.jobs) + number)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            made = list(pool.map(self._one, seeds))
        self.jobs += made
        return made

    def _one(self, seed: int) -> Job:
        return self._caller.client.submit(self._request | {"seed": seed}, key=f"deployments-{seed}")

    def _now(self, job: Job) -> Job:
        return self._caller.client.job(job["id"])


def assert_lost_none_and_paid_once(load: Load, ended: list[Job]) -> None:
    """By the records, and by the ledger of who was paid."""
    assert Counter(job["status"] for job in ended) == {"completed": 50}
    assert all(job["video"] for job in ended)
    ledger = load.simulator.jobs()
    paid = [urlsplit(one["request"]["callback_url"]).path.split("/")[-2] for one in ledger]
    assert sorted(paid) == sorted(job["id"] for job in ended)
    charged = sum(one["charged_usd"] for one in ledger)
    assert sum(job["usage"]["cost_usd"] for job in ended) == pytest.approx(charged)


@pytest.mark.timeout(400)
def test_fifty_jobs_outlive_deployments_and_new_code_is_live(own: LocalCloud, tmp_path: Path) -> None:
    assert JOBS == 50
    first = build().parent / "package"
    second = neighbours.with_functions_and_definition(first, tmp_path / "second", "2")
    third = neighbours.with_layer(second, first, tmp_path / "third", "3")
    load = Load(own)
    with load.simulator.settings(clip="tiny"):
        for _ in range(WAITING):
            load.wait()
        after_second = load.deploy(second)
        after_third = load.deploy(third)
        # Under the first definition, by the newest code.
        [from_first] = load.ended([load.end_one()])
        after_return = load.deploy(neighbours.unchanged(first, tmp_path / "first"))
        # Among them those that the second definition began, by the first code.
        ended = load.end_all()

    assert_lost_none_and_paid_once(load, ended)
    answered = [load.versions(job, "job accepted") for job in (from_first, after_second, after_third, after_return)]
    assert answered == [{FIRST}, {SECOND}, {THIRD}, {FIRST}]
    delivered = [load.versions(job, "job completed") for job in (from_first, after_second, after_third, after_return)]
    assert delivered == [{THIRD}, {FIRST}, {FIRST}, {FIRST}]
    newer = [load.first_state(job) == neighbours.FIRST_STATE for job in (after_second, after_third)]
    older = [load.first_state(job) == neighbours.FIRST_STATE for job in (from_first, after_return)]
    assert (newer, older) == ([True, True], [False, False])
