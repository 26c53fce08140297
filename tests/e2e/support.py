"""What the end-to-end tests use to call the stack and to look behind it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3

from local.paths import SAMPLE
from stillmotion_cli import generation, pictures
from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.stack import Stack

MODEL = "google/veo-3.1-lite"
JOB_TIMEOUT = 90
INSPECTION_SECONDS = 60
MIN_PSNR = 30


class SimulatorControl:
    """The control addresses of the running simulator."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_simulator"

    def jobs(self) -> list[dict[str, Any]]:
        """Every paid submit that was accepted."""
        jobs: list[dict[str, Any]] = self._call("GET", "/jobs")["jobs"]
        return jobs

    def webhooks(self) -> list[dict[str, Any]]:
        """The last attempts to deliver webhooks."""
        found: list[dict[str, Any]] = self._call("GET", "/webhooks")
        return found

    def advance(self, seconds: float) -> None:
        """Move its clock forward: what is due by then ends now."""
        self._call("POST", "/clock", {"advance": seconds})

    @contextmanager
    def settings(self, **changes: Any) -> Iterator[None]:
        """Change settings for as long as the block lasts."""
        before = self._call("GET", "/settings")
        self._call("PUT", "/settings", changes)
        try:
            yield
        finally:
            self._call("PUT", "/settings", {name: before[name] for name in changes})

    @contextmanager
    def fault(self, **fault: Any) -> Iterator[None]:
        """Have a fault for as long as the block lasts."""
        self._call("POST", "/faults", [fault])
        try:
            yield
        finally:
            self._call("DELETE", "/faults")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        answer = urllib3.request(method, self._url + path, body=content, headers=headers, timeout=10, retries=False)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.data!r}"
        return json.loads(answer.data) if answer.data else None


class Caller:
    """Makes clips the way a caller would, with little to say."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = ApiClient(stack)

    def request(self, **changes: Any) -> dict[str, Any]:
        """A valid request of the sample picture, with some parts changed; None leaves a part out."""
        first = changes.pop("first_frame", None) or pictures.upload(self.stack, SAMPLE)
        parts: dict[str, Any] = {
            "model": MODEL,
            "prompt": "A slow zoom",
            "duration": 4,
            "resolution": "720p",
            "aspect_ratio": "16:9",
        }
        return generation.build_request(first_frame=first, **(parts | changes))

    def make(self, **changes: Any) -> Job:
        """Submit a request and wait until the job is terminal."""
        job = self.client.submit(self.request(**changes))
        return generation.wait(self.client, job, lambda _: None, timeout=JOB_TIMEOUT, interval=0.5)

    def execution(self, job: Job) -> dict[str, Any]:
        """The execution of a job, with its input, output and error."""
        states = self.stack.client("stepfunctions")
        arn = self.stack.state_machine_arn
        for page in states.get_paginator("list_executions").paginate(stateMachineArn=arn):
            for execution in page["executions"]:
                description: dict[str, Any] = states.describe_execution(executionArn=execution["executionArn"])
                if job["id"] in description["name"] or job["id"] in description["input"]:
                    return description
        raise AssertionError(f"no execution of {job['id']}")


def inspected(caller: Caller, job: Job) -> Job:
    """The job once its inspection is on record."""
    assert job["status"] == "completed", job
    deadline = time.monotonic() + INSPECTION_SECONDS
    while "inspection" not in (found := caller.client.job(job["id"])):
        assert time.monotonic() < deadline, f"{job['id']} was not inspected within {INSPECTION_SECONDS} s"
        time.sleep(0.5)
    return found
