"""The stack that the fault suite breaks: one for a module, emptied between the cases, and everything it wrote."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import batched
from types import ModuleType
from typing import Any
from unittest.mock import patch

import boto3
from boto3.dynamodb.types import TypeDeserializer
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.simulator import Simulator
from stillmotion import wiring
from stillmotion.jobs.record import ID_PREFIX, Job
from stillmotion.jobs.spend import MICRO
from stillmotion.jobs.store import DynamoJobStore
from stillmotion.telemetry import logger
from tests.support.function_url import FunctionUrl, cloud_with_callbacks
from tests.support.inprocess import ACCOUNT, REGION, VALUES, Cloud, cloud
from tests.support.logs import Log
from tests.support.requests import request

MAX_POLLS = 4
CALLING_BACK = {"seconds_pending": 0, "seconds_to_ready": 0, "clip": "tiny", "webhook_backoff_seconds": 0.01}
"""Settings of a simulator that calls back at once."""
REST_SECONDS = 60
LATER_SECONDS = 60
CALLBACK_PATIENCE = 0.5
"""How long an execution waits for a callback that does not come, in seconds; those that come take milliseconds."""
_KEPT = frozenset({"sdk", "client", "table", "bulk_s3", "job_store", "event_bus"})
"""What a warm function may keep from case to case: it knows nothing of ModelGates."""


class World:
    """A stack with all that is needed to judge it afterwards."""

    def __init__(
        self, stack: Cloud, simulator: Simulator, foreign: Foreign, log: Log, url: FunctionUrl | None = None
    ) -> None:
        self.stack, self.simulator, self.foreign, self.log = stack, simulator, foreign, log
        self.url = url
        """Where ModelGates calls back; ``None`` where it does not."""
        self.store = DynamoJobStore(boto3.resource("dynamodb").Table("jobs"))

    def clean(self) -> None:
        """Empty everything, as if nothing had happened yet."""
        self.simulator.reset()
        s3 = boto3.client("s3")
        for name, key in (("jobs", "id"), ("days", "day")):
            table = boto3.resource("dynamodb").Table(name)
            for item in _everything(name):
                table.delete_item(Key={key: item[key]})
        for bucket in ("clips", "pictures"):
            for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
                s3.delete_object(Bucket=bucket, Key=found["Key"])
            for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        self.stack.events()
        self._executions().clear()
        answers = [] if self.url is None else self.url.answers
        for record in (self.stack.waits, self.stack.pauses, self.stack.invocations, self.log.lines, answers):
            record.clear()
        self.foreign.headers.clear()
        if self.url is not None:
            self.stack.patience, self.url.lock = CALLBACK_PATIENCE, None
        forget_modelgates()

    def jobs(self) -> list[Job]:
        """Every record there is."""
        keys = [str(item["id"]) for item in _everything("jobs")]
        found = [key for key in keys if key.startswith(ID_PREFIX)]  # the table also holds callbacks and markers
        return [job for ids in batched(found, 100, strict=False) for job in self.store.find_many(ids).values()]

    def counted(self) -> Decimal:
        """What all days together are counted with, in USD."""
        days = (item for item in _everything("days") if "#" not in item["day"])  # without those of callers
        return sum((Decimal(str(day["micro_usd"])) for day in days), Decimal(0)) / MICRO

    def rest(self) -> None:
        """Wait for every execution to end, and for every callback that is under way."""
        deadline = time.monotonic() + REST_SECONDS
        while running := self._running():
            assert time.monotonic() < deadline, f"still running: {running}"
            time.sleep(0.01)

    def _running(self) -> list[str]:
        return self._executing() or (["callbacks"] if self.url is not None and self.simulator.untold() else [])

    def _executing(self) -> list[str]:
        return [one.execution_arn for one in list(self._executions()) if one.exec_status in (None, "RUNNING")]

    def ended(self) -> list[dict[str, Any]]:
        """The descriptions of all executions."""
        client = boto3.client("stepfunctions")
        arns = [one.execution_arn for one in list(self._executions())]
        return [dict(client.describe_execution(executionArn=arn)) for arn in arns]

    def forget_ended(self) -> None:
        """Let moto forget its executions: it looks at all of them for every new one."""
        self._executions().clear()

    def written(self) -> str:
        """Every record, log line and execution history, as one text."""
        client, texts = boto3.client("stepfunctions"), list(self.log.lines)
        for execution in list(self._executions()):
            pages = client.get_paginator("get_execution_history").paginate(executionArn=execution.execution_arn)
            texts.extend(json.dumps(page["events"], default=str) for page in pages)
        texts.extend(json.dumps(item, default=str) for item in _everything("jobs"))
        return "\n".join(texts)

    def ask(self, door: str, number: int = 0) -> None:
        """Ask for the video of this number through a door, as a patient caller does, and wait for what comes of it."""
        self.order(door, number)
        self.rest()

    def ask_and_call_back(self, door: str) -> None:
        """Ask, and have ModelGates call back as soon as an execution waits for that, and not before."""
        self.simulator.settings(seconds_to_ready=LATER_SECONDS)
        self.stack.patience, before = 4 * CALLBACK_PATIENCE, self.stack.began_to_wait
        self.order(door, 0)
        deadline = time.monotonic() + REST_SECONDS
        while self.stack.began_to_wait == before and self._executing():
            assert time.monotonic() < deadline, "no execution comes to wait for a callback"
            time.sleep(0.005)
        self.simulator.advance(LATER_SECONDS)
        self.rest()

    def order(self, door: str, number: int) -> None:
        """Ask, and do not wait."""
        asked, key = request(self.simulator, prompt=f"clip {number} by {door}"), f"order-{number}"
        if door == "workflow":
            self.stack.start(asked | {"idempotency_key": key})
        for _ in range(3 if door == "http" else 0):
            status, _, _ = self.stack.http("POST", "/videos", asked, headers={"Idempotency-Key": key})
            if status != 503:
                break

    def _executions(self) -> list[Any]:
        backend = stepfunctions_parser_backends[ACCOUNT][REGION]
        found: list[Any] = backend.describe_state_machine(VALUES["GenerateVideoStateMachine"]).executions
        return found


def _everything(table: str) -> Iterator[dict[str, Any]]:
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    plain = TypeDeserializer()
    for page in pages:
        yield from ({name: plain.deserialize(value) for name, value in item.items()} for item in page["Items"])


class Foreign:
    """A server that is not ModelGates; ``headers`` are those it was sent."""

    def __init__(self) -> None:
        headers: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers.append(dict(self.headers))
                self.send_error(404)

            do_POST = do_GET  # noqa: N815 - the base class calls it so

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.headers = headers
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def _aged(job: Job, stack: Cloud, pace: float) -> float:
    """The seconds since a record last changed, with the pauses that nobody waits for here."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(job.updated_at)).total_seconds()
    return seconds / pace if pace else seconds + sum(stack.pauses)


_WARM: dict[str, ModuleType] = {}
_cold = Cloud._module


def _warm(stack: Cloud, folder: str) -> ModuleType:
    """The function's module, kept from one execution to the next: here they are called one at a time."""
    if folder not in _WARM:
        _WARM[folder] = _cold(stack, folder)
    return _WARM[folder]


def forget_modelgates() -> None:
    """Empty what a warm function knows of ModelGates: the key, the models, open connections."""
    for name, made in vars(wiring).items():
        if hasattr(made, "cache_clear") and name not in _KEPT:
            made.cache_clear()


@contextmanager
def _stack(simulator: Simulator, callbacks: bool, **given: Any) -> Iterator[tuple[Cloud, FunctionUrl | None]]:
    if callbacks:
        with cloud_with_callbacks(simulator, **given) as (stack, url):
            stack.patience = CALLBACK_PATIENCE
            yield stack, url
    else:
        with cloud(simulator, **given) as stack:
            yield stack, None


@contextmanager
def world(simulator: Simulator, *, pace: float = 0.0, callbacks: bool = False) -> Iterator[World]:
    """A world for the length of the block.

    Args:
        pace: how long a second of a retry's pause takes, in seconds. Without any, pauses are added to a record's age
            instead, and only one thing may happen at a time; else the time for which a claim is alive is as much
            shorter.
        callbacks: whether ModelGates calls back.
    """
    foreign, log = Foreign(), Log()
    thread = threading.Thread(target=foreign.server.serve_forever, daemon=True)
    thread.start()
    logger.addHandler(log)
    try:
        with (
            patch.object(Cloud, "_module", Cloud._module if pace else _warm),
            _stack(simulator, callbacks, max_polls=MAX_POLLS, pace=pace, DailySpendLimitUsd="100000") as (stack, url),
            patch.object(Job, "age_seconds", property(lambda job: _aged(job, stack, pace))),
        ):
            yield World(stack, simulator, foreign, log, url)
    finally:
        logger._logger.removeHandler(log)
        foreign.server.shutdown()
        foreign.server.server_close()
        thread.join(10)
