"""The stack that the fault suite breaks: one for a module, emptied between the cases, and everything it wrote."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any
from unittest.mock import patch

import boto3
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.simulator import Simulator
from stillmotion import wiring
from stillmotion.job import Job
from stillmotion.job_store import DynamoJobStore
from stillmotion.telemetry import logger
from tests.inprocess import ACCOUNT, REGION, VALUES, Cloud, cloud
from tests.integration.test_generate_video import request

MAX_POLLS = 4
_KEPT = frozenset({"client", "bulk_s3", "job_store", "event_bus"})
"""What a warm function may keep from case to case: it knows nothing of ModelGates."""


class World:
    """A stack with all that is needed to judge it afterwards."""

    def __init__(self, stack: Cloud, simulator: Simulator, foreign: Foreign, log: Log) -> None:
        self.stack, self.simulator, self.foreign, self.log = stack, simulator, foreign, log
        self.store = DynamoJobStore(boto3.resource("dynamodb").Table("jobs"))

    def clean(self) -> None:
        """Empty everything, as if nothing had happened yet."""
        self.simulator.reset()
        table, s3 = boto3.resource("dynamodb").Table("jobs"), boto3.client("s3")
        for item in table.scan(ProjectionExpression="id")["Items"]:
            table.delete_item(Key={"id": item["id"]})
        for bucket in ("clips", "pictures"):
            for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
                s3.delete_object(Bucket=bucket, Key=found["Key"])
            for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        self.stack.events()
        self._executions().clear()
        for record in (self.stack.waits, self.stack.pauses, self.stack.invocations, self.log.lines):
            record.clear()
        self.foreign.headers.clear()
        forget_modelgates()

    def jobs(self) -> list[Job]:
        """Every record there is."""
        found = boto3.resource("dynamodb").Table("jobs").scan(ConsistentRead=True)["Items"]
        return list(self.store.find_many([str(item["id"]) for item in found]).values())

    def rest(self) -> None:
        """Wait for every execution to end."""
        for execution in list(self._executions()):
            self.stack.finish(execution.execution_arn)

    def ended(self) -> list[dict[str, Any]]:
        """The descriptions of all executions."""
        client = boto3.client("stepfunctions")
        return [client.describe_execution(executionArn=one.execution_arn) for one in list(self._executions())]

    def written(self) -> str:
        """Every record, log line and execution history, as one text."""
        client, texts = boto3.client("stepfunctions"), list(self.log.lines)
        for execution in list(self._executions()):
            pages = client.get_paginator("get_execution_history").paginate(executionArn=execution.execution_arn)
            texts.extend(json.dumps(page["events"], default=str) for page in pages)
        texts.extend(json.dumps(item, default=str) for item in boto3.resource("dynamodb").Table("jobs").scan()["Items"])
        return "\n".join(texts)

    def ask(self, door: str, number: int = 0) -> None:
        """Ask for the video of this number through a door, as a patient caller does, and wait for what comes of it."""
        asked, key = request(self.simulator, prompt=f"clip {number}"), f"order-{number}"
        if door == "workflow":
            self.stack.start(asked | {"idempotency_key": key})
        for _ in range(3 if door == "http" else 0):
            status, _, _ = self.stack.http("POST", "/videos", asked, headers={"Idempotency-Key": key})
            if status != 503:
                break
        self.rest()

    def _executions(self) -> list[Any]:
        backend = stepfunctions_parser_backends[ACCOUNT][REGION]
        found: list[Any] = backend.describe_state_machine(VALUES["GenerateVideoStateMachine"]).executions
        return found


class Log(logging.Handler):
    """Every line that our functions log, as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logger.registered_formatter)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


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


def _age(job: Job) -> float:
    """The seconds since a record last changed; the pauses that nobody waits for here come on top of them."""
    return (datetime.now(UTC) - datetime.fromisoformat(job.updated_at)).total_seconds()


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
def world(simulator: Simulator) -> Iterator[World]:
    """A world for the length of the block."""
    foreign, log = Foreign(), Log()
    thread = threading.Thread(target=foreign.server.serve_forever, daemon=True)
    thread.start()
    logger.addHandler(log)
    try:
        with (
            patch.object(Cloud, "_module", _warm),
            cloud(simulator, max_polls=MAX_POLLS) as stack,
            patch.object(Job, "age_seconds", property(lambda job: _age(job) + sum(stack.pauses))),
        ):
            yield World(stack, simulator, foreign, log)
    finally:
        logger._logger.removeHandler(log)
        foreign.server.shutdown()
        foreign.server.server_close()
        thread.join(10)
