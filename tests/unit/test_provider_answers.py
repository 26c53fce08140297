"""Submitting: one request, and exactly one meaning for each way in which it can end."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from local.simulator import Simulator
from stillmotion.errors import (
    ProviderOutOfCredits,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
    StillmotionError,
    SubmitOutcomeUnknown,
)
from stillmotion.modelgates import client as client_module
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.responses import retry_after
from stillmotion.outbound.guarded_client import GuardedClient
from tests.support.wire import Script, Wire, answer, certificate, hang_up, reset, silence

BODY = {"model": "google/veo-3.1-lite", "prompt": "hills at dawn"}
JOB = json.dumps({"id": "vg_1", "polling_url": "/api/v1/videos/vg_1", "status": "pending"}).encode()


class Keys:
    """A key that is renewed by every refresh."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys) or ["mg-local-key"]
        self.refreshed = 0

    def get(self, *, refresh: bool = False) -> str:
        if refresh:
            self.refreshed += 1
            self.keys = self.keys[1:] or self.keys
        return self.keys[0]


def gates(url: str, keys: Keys | None = None) -> ModelGates:
    return ModelGates(url, keys or Keys(), GuardedClient())


def after(script: bytes) -> Script:
    """Say this and break the connection."""

    def say(connection: socket.socket) -> None:
        connection.sendall(script)
        reset(connection)

    return say


def test_a_submit_is_one_post_with_the_key_on_a_connection_of_its_own() -> None:
    with Wire([answer(202, JOB)]) as wire:
        client = gates(wire.url)
        assert client.submit(BODY).id == "vg_1"
        assert client.submit(BODY).id == "vg_1"
    first, second = wire.seen
    assert first.line == "POST /api/v1/videos HTTP/1.1"
    assert first.headers["authorization"] == "Bearer mg-local-key"
    assert first.headers["content-type"] == "application/json"
    assert json.loads(first.body) == BODY
    assert first.connection != second.connection


def test_every_call_has_a_connection_of_its_own() -> None:
    with Wire(
        [answer(200, b'{"data": [{"id": "a/b"}]}'), answer(202, JOB), answer(200, JOB), answer(200, JOB)]
    ) as wire:
        client = gates(wire.url)
        client.models()
        client.submit(BODY)
        client.job("vg_1")
        client.job("vg_1")
    assert [seen.connection for seen in wire.seen] == [1, 2, 3, 4]


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_with_a_job_in_it_is_accepted(status: int) -> None:
    with Wire([answer(status, JOB)]) as wire:
        assert gates(wire.url).submit(BODY).polling_url == "/api/v1/videos/vg_1"


@pytest.mark.parametrize("odd", [{}, {"status": None}, {"status": 7}, {"status": ""}])
def test_an_id_is_all_that_an_accepted_job_needs(odd: dict[str, Any]) -> None:
    with Wire([answer(202, json.dumps({"id": "vg_1", **odd}).encode())]) as wire:
        job = gates(wire.url).submit(BODY)
    assert (job.id, job.status) == ("vg_1", "pending")


UNKNOWN: dict[str, Script] = {
    "silence": silence,
    "reset": reset,
    "end without an answer": hang_up,
    "half a head": after(b"HTTP/1.1 20"),
    "not HTTP": after(b"220 smtp.example ESMTP\r\n\r\n"),
    "too many headers": after(b"HTTP/1.1 202 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
    "half a body": after(answer(202, JOB[:10], length=len(JOB))),
    "broken chunks": after(answer(202, b"zz\r\n", Transfer_Encoding="chunked").replace(b"Content-Length: 4\r\n", b"")),
    "no body": answer(202),
    "html": answer(200, b"<html>"),
    "json without a job": answer(202, b'{"ok": true}'),
    "a list": answer(202, b"[]"),
    "bottomless json": answer(202, b"[" * 200_000),
    "an id that is none": answer(202, b'{"id": true, "status": "pending"}'),
    **{
        f"HTTP {status}": answer(status, b"{}")
        for status in (301, 302, 303, 408, 425, 499, 500, 501, 502, 504, 520, 524)
    },
}


@pytest.mark.parametrize("script", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_a_lost_or_unreadable_answer_is_unknown_and_nothing_is_sent_twice(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "SUBMIT_SECONDS", 0.3)
    with Wire([script]) as wire:
        with pytest.raises(SubmitOutcomeUnknown) as lost:
            gates(wire.url).submit(BODY)
        time.sleep(0.02)
    assert len(wire.seen) == 1
    assert not lost.value.retryable
    assert "mg-local-key" not in str(lost.value)


@pytest.mark.parametrize("loss", ["reset", "unreadable", 500, 502, 504])
def test_a_job_whose_answer_was_lost_is_paid_for_once(loss: str | int) -> None:
    with Simulator(clip="tiny") as simulator:
        simulator.fault("submit", accept_then_lose=loss)
        with pytest.raises(SubmitOutcomeUnknown):
            gates(simulator.url).submit(BODY)
        assert len(simulator.jobs()) == 1
        assert len(simulator.requests("submit")) == 1


REFUSALS: list[tuple[int, type[StillmotionError]]] = [
    *((status, ProviderRejected) for status in (307, 308, 400, 403, 404, 409, 413, 415, 422)),
    (401, ProviderUnauthorized),
    (402, ProviderOutOfCredits),
    (429, ProviderThrottled),
    (503, ProviderUnavailable),
]


@pytest.mark.parametrize(("status", "error"), REFUSALS)
def test_a_refusal_has_its_own_error_with_the_provider_s_words(status: int, error: type[StillmotionError]) -> None:
    body = json.dumps({"error": {"code": status, "message": "No, and here is why"}}).encode()
    with Wire([answer(status, body, Location="https://elsewhere.example/api/v1/videos")]) as wire:
        with pytest.raises(error) as refused:
            gates(wire.url).submit(BODY)
        assert type(refused.value) is error
    assert refused.value.provider_message == "No, and here is why"
    assert len(wire.seen) == (2 if status == 401 else 1)


@pytest.mark.parametrize("script", [answer(400, b"{", length=500, Connection="close"), answer(400, b"\xff\xfe")])
def test_a_refusal_stays_one_when_its_reason_cannot_be_read(script: bytes) -> None:
    with Wire([script]) as wire, pytest.raises(ProviderRejected, match="no reason given"):
        gates(wire.url).submit(BODY)


def test_a_refusal_that_comes_before_the_whole_body_was_sent_is_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse_early() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer(413, b'{"error": {"message": "too large"}}', Connection="close"))

        threading.Thread(target=refuse_early, daemon=True).start()
        with pytest.raises(ProviderRejected, match="too large"):
            gates(f"http://127.0.0.1:{listener.getsockname()[1]}").submit({"prompt": "x" * 20_000_000})


def test_a_body_that_modelgates_would_not_take_is_not_sent() -> None:
    with Wire([answer(202, JOB)]) as wire, pytest.raises(ProviderRejected, match="Use smaller images"):
        gates(wire.url).submit({"prompt": "x" * (50 * 2**20)})
    assert wire.connections == 0


def test_a_refused_connection_means_nothing_was_submitted() -> None:
    with Wire([answer(202, JOB)]) as wire:
        pass
    with pytest.raises(ProviderUnavailable, match="Nothing was submitted"):
        gates(wire.url).submit(BODY)


def test_a_name_without_an_address_means_nothing_was_submitted() -> None:
    for host in ("modelgates.invalid", "x" * 70 + ".example"):
        with pytest.raises(ProviderUnavailable, match="Nothing was submitted"):
            gates(f"https://{host}").submit(BODY)


@pytest.mark.slow
def test_a_failed_tls_handshake_means_nothing_was_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate("modelgates.example", tmp_path)
    monkeypatch.setattr(client_module, "SUBMIT_CONNECT_SECONDS", 0.5)
    with Wire([answer(202, JOB)], tls=context) as wire:
        with pytest.raises(ProviderUnavailable, match="Nothing was submitted"):
            gates(wire.url).submit(BODY)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))  # trusted now, but made out to another host
        with pytest.raises(ProviderUnavailable, match="Nothing was submitted"):
            gates(wire.url).submit(BODY)
    assert wire.seen == []
    with Wire([answer(202, JOB)]) as plain, pytest.raises(ProviderUnavailable):
        gates(plain.url.replace("http:", "https:")).submit(BODY)


def test_a_401_sends_the_call_once_more_with_a_fresh_key() -> None:
    keys = Keys("old-key", "new-key")
    with Wire([answer(401, b"{}"), answer(202, JOB)]) as wire:
        assert gates(wire.url, keys).submit(BODY).id == "vg_1"
    assert [seen.headers["authorization"] for seen in wire.seen] == ["Bearer old-key", "Bearer new-key"]
    assert keys.refreshed == 1


def test_a_lost_answer_after_a_401_is_not_sent_a_third_time() -> None:
    with Wire([answer(401, b"{}"), reset]) as wire, pytest.raises(SubmitOutcomeUnknown):
        gates(wire.url, Keys("old-key", "new-key")).submit(BODY)
    assert len(wire.seen) == 2


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("0", 0.0), ("-3", 0.0), ("99999", 3600.0), ("soon", None)])
def test_retry_after_is_carried_along(status: int, value: str, seconds: float | None) -> None:
    refusal = answer(status, b"{}", Retry_After=value)
    with Wire([refusal]) as wire, pytest.raises((ProviderThrottled, ProviderUnavailable)) as busy:
        gates(wire.url).submit(BODY)
    assert busy.value.retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after({"Retry-After": format_datetime(soon, usegmt=True)}) == pytest.approx(90, abs=2)
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    for nonsense in ("nan", "Wed, 99 Foo 2015", "Wed, 21 Oct 9999999 07:28:00 GMT", ""):
        assert retry_after({"Retry-After": nonsense}) is None
    assert retry_after({"Retry-After": "inf"}) == 3600.0
    assert retry_after({}) is None


@pytest.mark.parametrize(
    ("body", "job_id"),
    [
        ({"data": {"id": "vg_1", "status": "pending"}}, "vg_1"),
        ({"job": {"id": "vg_1"}}, "vg_1"),
        ([{"id": "vg_1", "status": "queued"}], "vg_1"),
        ({"result": {"video": {"id": "vg_1"}}}, "vg_1"),
        ({"id": 48213, "status": "pending"}, "48213"),
    ],
)
def test_an_accepted_job_is_understood_in_any_wrapping(body: Any, job_id: str) -> None:
    with Wire([answer(200, json.dumps(body).encode())]) as wire:
        assert gates(wire.url).submit(BODY).id == job_id


def test_a_success_with_an_error_in_it_is_unknown_and_keeps_the_words() -> None:
    body = {"error": {"code": 503, "message": "Provider returned error", "metadata": {"raw": "capacity exceeded"}}}
    with Wire([answer(200, json.dumps(body).encode())]) as wire, pytest.raises(SubmitOutcomeUnknown) as unknown:
        gates(wire.url).submit(BODY)
    assert unknown.value.provider_message == "Provider returned error: capacity exceeded"


@pytest.mark.parametrize(
    "body", [{"message": "prompt too long"}, {"detail": "prompt too long"}, {"detail": [{"msg": "prompt too long"}]}]
)
def test_a_proxys_refusal_keeps_its_words(body: Any) -> None:
    with Wire([answer(400, json.dumps(body).encode())]) as wire, pytest.raises(ProviderRejected) as refused:
        gates(wire.url).submit(BODY)
    assert refused.value.provider_message == "prompt too long"


def test_a_poll_that_answers_with_an_error_keeps_its_words() -> None:
    body = {"error": {"message": "job store is down"}}
    with Wire([answer(200, json.dumps(body).encode())]) as wire, pytest.raises(ProviderUnavailable) as unusable:
        gates(wire.url).job("vg_1")
    assert unusable.value.provider_message == "job store is down"
