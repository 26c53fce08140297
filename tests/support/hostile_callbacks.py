"""Forged, replayed, early and late callbacks, in any number, at a stack that has ended jobs."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import boto3
from botocore.client import BaseClient

from local.simulator import Simulator, sign
from stillmotion.jobs.record import ID_PREFIX, new_job_id
from stillmotion.modelgates.callback import MAX_BODY_BYTES, callback_token
from tests.support.aws_calls import every_call
from tests.support.function_url import FunctionUrl, cloud_with_callbacks
from tests.support.inprocess import CALLBACK_SECRET, Cloud
from tests.support.requests import request

SIGNING_SECRET = "signs-callbacks"
HEADER = "X-ModelGates-Signature"
FORGED = (
    *("another job's token", "a token of another secret", "a cut token", "another path", "a query", "another method"),
    *("no signature", "a signature of other bytes", "a signature of another secret", "an old signature"),
    *("a signature of the future", "a large body"),
)
GENUINE = ("repeated", "late", "early", "with another id", "unreadable")


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it: answers by kind, AWS calls that forged ones caused, records that changed."""

    answers: dict[str, Counter[int]]
    aws_calls_of_forged: int
    records_changed: int
    executions_started: int


@contextmanager
def stack_with_ended_jobs(simulator: Simulator) -> Iterator[tuple[Cloud, FunctionUrl]]:
    """A stack with a signing secret, and jobs that ended: completed, failed, cancelled, with an unknown outcome."""
    simulator.settings(webhooks=False, seconds_to_ready=0, seconds_pending=0, clip="tiny")
    secret = {"CallbackSigningSecretArn": "signing-secret"}
    with cloud_with_callbacks(simulator, max_polls=2, **secret) as (stack, url):
        boto3.client("secretsmanager").create_secret(Name="signing-secret", SecretString=SIGNING_SECRET)
        _end(stack, simulator)
        simulator.settings(fail_with={"status": "failed"})
        _end(stack, simulator)
        simulator.settings(fail_with={"status": "cancelled"})
        _end(stack, simulator)
        simulator.settings(fail_with=None)
        simulator.fault("submit", accept_then_lose="reset")
        _end(stack, simulator)
        yield stack, url


def play(url: FunctionUrl, number: int, seed: int) -> Played:
    """Play so many callbacks, in an order that the seed decides."""
    chance, records = random.Random(seed), _records()
    callbacks = _Callbacks(chance, [key for key in records if key.startswith(ID_PREFIX)])
    made, calls = every_call(), Counter[str]()
    answers = {kind: Counter[int]() for kind in FORGED + GENUINE}

    def call(client: Any, name: str, given: Any) -> Any:
        calls[name] += 1
        return made(client, name, given)

    executions, forged = _executions(), 0
    url.call("POST", *callbacks.made("repeated")[1:])  # reads the secrets, as the first call of a function does
    with patch.object(BaseClient, "_make_api_call", call):
        for _ in range(number):
            kind = chance.choice(FORGED + GENUINE)
            before = calls.total()
            answers[kind][url.call(*callbacks.made(kind))] += 1
            forged += calls.total() - before if kind in FORGED else 0
    after = _records()
    changed = sum(after.get(job_id) != record for job_id, record in records.items()) + len(after) - len(records)
    return Played(answers, forged, changed, _executions() - executions)


class _Callbacks:
    """Makes callbacks of each kind: method, path, headers, body."""

    def __init__(self, chance: random.Random, job_ids: list[str]) -> None:
        self._chance, self._job_ids = chance, job_ids

    def made(self, kind: str) -> tuple[str, str, dict[str, str], bytes]:
        now, secret, method, query = int(time.time()), SIGNING_SECRET, "POST", ""
        job_id = new_job_id() if kind == "early" else self._chance.choice(self._job_ids)
        token = callback_token("another" if kind == "a token of another secret" else CALLBACK_SECRET, job_id)
        body, prefix = self._body(kind), "/callbacks"
        match kind:
            case "another job's token":
                token = callback_token(CALLBACK_SECRET, new_job_id())
            case "a cut token":
                token = token[: self._chance.randrange(43)]
            case "another path":
                prefix = self._chance.choice(["", "/callback", "/callbacks/..", "//callbacks", "/callbacks/callbacks"])
            case "a query":
                query = "?token=" + token
            case "another method":
                method = self._chance.choice(["GET", "PUT", "DELETE", "post"])
            case "a signature of another secret":
                secret = "another"
            case "an old signature":
                now -= self._chance.randint(302, 10**6)
            case "a signature of the future":
                now += self._chance.randint(302, 10**6)
        signed = body + b" " if kind == "a signature of other bytes" else body
        headers = {} if kind == "no signature" else {HEADER: sign(secret, signed, now)}
        return method, f"{prefix}/{job_id}/{token}{query}", headers, body

    def _body(self, kind: str) -> bytes:
        if kind == "a large body":
            return b" " * (MAX_BODY_BYTES + 1)
        if kind == "unreadable":
            return self._chance.choice([b"", b"{", b"[]", b'{"data": {"id": "../x"}}', bytes(range(256))])
        provider_id = f"gen-{self._chance.randrange(3)}" if kind == "with another id" else "gen-0"
        return json.dumps({"type": "video.generation.completed", "data": {"id": provider_id}}).encode()


def _end(stack: Cloud, simulator: Simulator) -> None:
    arn = stack.start(request(simulator))
    stack.finish(arn)


def _records() -> dict[str, dict[str, Any]]:
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName="jobs")
    items = [item for page in pages for item in page["Items"]]
    return {item["id"]["S"]: item for item in items if not item["id"]["S"].startswith("callback#")}


def _executions() -> int:
    client = boto3.client("stepfunctions")
    [arn] = [m["stateMachineArn"] for m in client.list_state_machines()["stateMachines"]]
    return len(client.list_executions(stateMachineArn=arn)["executions"])
