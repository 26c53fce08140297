"""Receiving callbacks: who may call, what is read, what is kept, and who is woken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stillmotion.errors import StorageFailed
from stillmotion.generation.callback import Call, Receiving, Signing
from stillmotion.jobs.callbacks import CallbackState
from stillmotion.modelgates.callback import MAX_BODY_BYTES, callback_token, callback_url, named_provider_id, read_path
from tests.support.template import ROOT

JOB = "vid_" + "01h455vb4pex5vsknk084sn02q"
OTHER = "vid_" + "01h455vb4pex5vsknk084sn02r"
SECRET, SIGNING_SECRET, HEADER = "current", "signing", "x-modelgates-signature"
BODY = json.dumps({"type": "video.generation.completed", "data": {"id": "gen-1_A", "status": "completed"}}).encode()


class World:
    """The ports of the use case; every call is written down."""

    def __init__(self, *secrets: str) -> None:
        self.secrets = secrets
        self.calls: list[tuple[Any, ...]] = []
        self.before: CallbackState | None = CallbackState()
        self.down: set[str] = set()

    def values(self) -> tuple[str, ...]:
        if not self.secrets:
            raise StorageFailed("no secret")
        return self.secrets

    def note(self, job_id: str, provider_id: str | None) -> CallbackState | None:
        self._call("note", job_id, provider_id)
        return self.before

    def find(self, job_id: str) -> CallbackState:
        raise AssertionError("not read")

    def keep(self, job_id: str) -> CallbackState:
        raise AssertionError("not kept")

    def drop(self, job_id: str, provider_id: str) -> None:
        raise AssertionError("not dropped")

    def wake(self, task_token: str) -> None:
        self._call("wake", task_token)

    def _call(self, *call: Any) -> None:
        if call[0] in self.down:
            raise StorageFailed(f"{call[0]} failed")
        self.calls.append(call)


def a_call(**changes: Any) -> Call:
    path = f"/callbacks/{JOB}/{callback_token(SECRET, JOB)}"
    return replace(Call("POST", path, "", {}, BODY), **changes)


def signature(body: bytes = BODY, secret: str = SIGNING_SECRET, at: float | None = None) -> str:
    moment = int(time.time() if at is None else at)
    signed = hmac.new(secret.encode(), f"{moment},".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={signed}"


def receive(world: World, call: Call, signing: World | None = None) -> int:
    checked = None if signing is None else Signing(signing, HEADER)
    return Receiving(world, world, world, checked).receive(call)


def test_a_token_is_the_whole_hmac_of_the_job() -> None:
    digest = hmac.new(b"current", b"callback:" + JOB.encode(), hashlib.sha256).digest()
    token = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert callback_token("current", JOB) == token
    assert len(token) == 43
    for base in ("https://abc.lambda-url.eu-central-1.on.aws/", "https://abc.lambda-url.eu-central-1.on.aws"):
        assert (
            callback_url(base, "current", JOB) == f"https://abc.lambda-url.eu-central-1.on.aws/callbacks/{JOB}/{token}"
        )
    assert read_path(f"/callbacks/{JOB}/{token}") == (JOB, token)


def test_a_callback_is_recorded_and_then_wakes_the_execution() -> None:
    world = World(SECRET)
    world.before = CallbackState(task_token="task")
    assert receive(world, a_call()) == 204
    assert world.calls == [("note", JOB, "gen-1_A"), ("wake", "task")]


def test_no_execution_waits_yet() -> None:
    world = World(SECRET)
    assert receive(world, a_call()) == 204
    assert world.calls == [("note", JOB, "gen-1_A")]


def test_a_callback_beyond_those_that_count_is_taken_and_changes_nothing() -> None:
    world = World(SECRET)
    world.before = None
    assert receive(world, a_call()) == 204
    assert world.calls == [("note", JOB, "gen-1_A")]


TOKEN = callback_token(SECRET, JOB)
FORGED = {
    "method": {"method": "GET"},
    "put": {"method": "PUT"},
    "other job": {"path": f"/callbacks/{OTHER}/{TOKEN}"},
    "other token": {"path": f"/callbacks/{JOB}/{callback_token('guess', JOB)}"},
    "last bits of the token": {"path": f"/callbacks/{JOB}/{TOKEN[:-1]}{chr(ord(TOKEN[-1]) + 1)}"},
    "padded": {"path": f"/callbacks/{JOB}/{TOKEN}="},
    "short": {"path": f"/callbacks/{JOB}/{TOKEN[:-1]}"},
    "trailing slash": {"path": f"/callbacks/{JOB}/{TOKEN}/"},
    "trailing newline": {"path": f"/callbacks/{JOB}/{TOKEN}\n"},
    "two slashes": {"path": f"//callbacks/{JOB}/{TOKEN}"},
    "upper case": {"path": f"/callbacks/{JOB.upper()}/{TOKEN}"},
    "item of a callback": {"path": f"/callbacks/callback#{JOB}/{TOKEN}"},
    "root": {"path": "/"},
    "empty": {"path": ""},
    "query": {"query": "a=b"},
    "large": {"body": b" " * (MAX_BODY_BYTES + 1)},
}


@pytest.mark.parametrize("name", FORGED)
def test_anything_else_is_not_found_and_makes_no_call(name: str) -> None:
    world = World(SECRET)
    assert receive(world, a_call(**FORGED[name])) == 404
    assert world.calls == []


def test_the_largest_body_is_taken() -> None:
    assert receive(World(SECRET), a_call(body=BODY + b" " * (MAX_BODY_BYTES - len(BODY)))) == 204


def test_the_previous_secret_counts_and_an_older_one_does_not() -> None:
    call = a_call()
    assert receive(World("newer", SECRET), call) == 204
    assert receive(World("newest", "newer"), call) == 404


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff\xfe", b"[]", b"null", b'"gen-1"', b"{}", b'{"data": []}', b'{"data": {}}', b"[" * 60_000),
        *(b'{"data": {"id": null}}', b'{"data": {"id": ""}}', b'{"data": {"id": true}}', b'{"data": {"id": 1.5}}'),
        *(b'{"data": {"id": "a/b"}}', b'{"data": {"id": "a\\n"}}', b'{"data": {"id": "\xc3\xa9"}}'),
        *(b'{"data": {"id": "' + b"a" * 129 + b'"}}', b'{"data": {"id": ["gen-1"]}}', b'{"id": "gen-1"}'),
    ],
)
def test_a_body_without_a_readable_id_is_a_wake_without_one(body: bytes) -> None:
    world = World(SECRET)
    assert receive(world, a_call(body=body)) == 204
    assert world.calls == [("note", JOB, None)]


def test_an_id_may_be_a_whole_number_or_as_long_as_allowed() -> None:
    assert named_provider_id(b'{"data": {"id": 4711}}') == "4711"
    assert named_provider_id(b'{"data": {"id": "' + b"a" * 128 + b'"}}') == "a" * 128


def test_a_callback_that_could_not_be_recorded_is_sent_again() -> None:
    world = World(SECRET)
    world.down = {"note"}
    world.before = CallbackState(task_token="task")
    assert receive(world, a_call()) == 503
    assert world.calls == []
    assert receive(World(), a_call()) == 503  # its secret could not be read


def test_an_execution_that_cannot_be_woken_polls_at_its_own_time() -> None:
    world = World(SECRET)
    world.down, world.before = {"wake"}, CallbackState(task_token="task")
    assert receive(world, a_call()) == 204
    assert world.calls == [("note", JOB, "gen-1_A")]


@pytest.mark.parametrize(
    ("before", "counted"), [(None, 0), ("gen-1_A", 0), ("gen-2", 1)], ids=["first id", "same id", "another id"]
)
def test_two_ids_for_one_job_are_a_possible_double_payment(
    before: str | None, counted: int, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(SECRET)
    world.before = CallbackState(provider_id=before)
    assert receive(world, a_call()) == 204
    assert capsys.readouterr().out.count('"PossibleDoublePayments":') == counted


def test_a_signed_callback_is_taken() -> None:
    world = World(SECRET)
    for secret in ("signing", "former"):
        call = a_call(headers={HEADER: signature(secret=secret)})
        assert receive(world, call, World("signing", "former")) == 204
    assert len(world.calls) == 2


SIGNATURES: dict[str, Callable[[], str]] = {
    "none": lambda: "",
    "of other bytes": lambda: signature(BODY + b" "),
    "with another secret": lambda: signature(secret="guess"),
    "too old": lambda: signature(at=time.time() - 400),
    "of the future": lambda: signature(at=time.time() + 700),
    "without a time": lambda: signature().partition(",")[2],
    "upper case": lambda: signature().upper(),
    "another version": lambda: signature().replace("v1=", "v2="),
    "a time in other digits": lambda: "t=١٢٣٤٥٦٧٨٩٠,v1=" + "0" * 64,
    "not ASCII": lambda: "é",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_callback_without_its_signature_is_not_found(name: str) -> None:
    world = World(SECRET)
    signed = SIGNATURES[name]()
    call = a_call(headers={HEADER: signed} if signed else {})
    assert receive(world, call, World(SIGNING_SECRET)) == 404
    assert world.calls == []


def test_a_signature_is_not_looked_at_without_a_signing_secret() -> None:
    assert receive(World(SECRET), a_call(headers={HEADER: "t=1,v1=0"})) == 204


def test_nothing_is_taken_unsigned_while_the_signing_secret_cannot_be_read() -> None:
    world = World(SECRET)
    assert receive(world, a_call(headers={HEADER: signature()}), World()) == 503
    assert world.calls == []


def test_no_log_line_holds_the_token(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(SECRET)
    world.down, world.before = {"wake"}, CallbackState(task_token="task", provider_id="gen-2")
    for call in (a_call(), a_call(method="GET"), a_call(path=f"/callbacks/{JOB}/{TOKEN}x")):
        receive(world, call)
    said = capsys.readouterr()
    assert TOKEN not in caplog.text + said.out + said.err


def test_the_documented_command_makes_the_token_of_an_address() -> None:
    page = (ROOT / "docs" / "callback.md").read_text()
    [command] = re.findall(r"^TOKEN=\$\(python3 (-c .*) \"\$ID\"\)$", page, re.MULTILINE)
    run = [sys.executable, *shlex.split(command), JOB]
    made = subprocess.run(run, env=os.environ | {"SECRET": SECRET}, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == callback_token(SECRET, JOB)
