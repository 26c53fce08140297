"""Every fault, at the place where it strikes and as often as it was asked for."""

import errno
import json
import socket
import time
from urllib.parse import urlsplit

import pytest
import urllib3

from local.simulator import Simulator
from local.simulator.faults import BadFaultError
from tests.unit.simulator.support import Client

BODY = {"model": "google/veo-3.1-lite", "prompt": "x"}


def test_status_comes_with_headers_body_and_only_so_often(sim: Simulator, client: Client) -> None:
    sim.fault("submit", times=2, status=429, headers={"Retry-After": "3"})
    first = client.submit()
    assert (first.status, first.headers["Retry-After"], first.json()["error"]["code"]) == (429, "3", 429)
    assert [client.submit().status for _ in range(2)] == [429, 202]
    assert len(sim.jobs()) == 1
    sim.fault("models", status=503, body="busy")
    assert client.call("GET", "/api/v1/videos/models").data == b"busy"
    sim.fault("models", status=500, body={"odd": 1})
    assert client.call("GET", "/api/v1/videos/models").json() == {"odd": 1}


def test_faults_wait_match_and_queue(sim: Simulator, client: Client) -> None:
    sim.fault("models", after=1, times=1, status=500)
    sim.fault("models", after=2, times=None, status=502)
    sim.fault("models", match="never", status=503)
    statuses = [client.call("GET", "/api/v1/videos/models").status for _ in range(4)]
    assert statuses == [200, 500, 502, 502]
    shown = sim.faults()
    assert [(fault["hits"], fault["remaining"]) for fault in shown] == [(1, 0), (2, None), (0, 1)]
    sim.clear_faults()
    assert client.call("GET", "/api/v1/videos/models").status == 200


def test_reset_is_a_real_one(sim: Simulator) -> None:
    sim.fault("models", reset=True)
    address = urlsplit(sim.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"GET /api/v1/videos/models HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(OSError) as caught:
            connection.recv(100)
    assert caught.value.errno == errno.ECONNRESET


def test_hang_answers_nothing(sim: Simulator, client: Client) -> None:
    sim.fault("poll", hang=None)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.call("GET", "/api/v1/videos/x", timeout=0.2)
    sim.fault("poll", hang=0.05)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        client.call("GET", "/api/v1/videos/x")


def test_delay_answers_late(sim: Simulator, client: Client) -> None:
    sim.fault("models", delay=0.2)
    begun = time.monotonic()
    assert client.call("GET", "/api/v1/videos/models").status == 200
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize("place", ["content", "storage"])
def test_truncate_keeps_the_length_and_sends_less(sim: Simulator, client: Client, place: str) -> None:
    job = client.completed()
    address = (job["unsigned_urls"] if place == "content" else job["urls"])[0]
    size = len(client.clip(job))
    sim.fault(place, truncate=1000)
    response = client.pool.request(
        "GET", address, headers={"Authorization": "Bearer mg-local-key"}, preload_content=False, retries=False
    )
    assert int(response.headers["Content-Length"]) == size
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        response.read()
    assert "1000 bytes read" in str(caught.value)


def test_answers_that_are_no_answers(sim: Simulator, client: Client) -> None:
    job = client.completed()
    address = job["unsigned_urls"][0]
    sim.fault("content", garbage=True)
    garbage = client.call("GET", address)
    assert (garbage.status, garbage.headers["Content-Type"]) == (200, "video/mp4")
    assert b"ftyp" not in garbage.data
    sim.fault("content", html=True)
    assert client.call("GET", address).headers["Content-Type"].startswith("text/html")
    sim.fault("content", wrong_type=True)
    wrong = client.call("GET", address)
    assert (wrong.status, wrong.json()["error"]["code"]) == (200, 500)
    sim.fault("content", empty=True)
    empty = client.call("GET", address)
    assert (empty.status, empty.data) == (200, b"")
    sim.fault("content", redirect="https://elsewhere.example/clip")
    moved = client.call("GET", address)
    assert (moved.status, moved.headers["Location"]) == (302, "https://elsewhere.example/clip")
    sim.fault("content", redirect="/x", status=307)
    assert client.call("GET", address).status == 307
    sim.fault("poll", garbage=True)
    with pytest.raises(ValueError):
        json.loads(client.call("GET", job["polling_url"]).data)
    assert client.call("GET", address).status == 200


@pytest.mark.slow
def test_slow_answers_drip(sim: Simulator, client: Client) -> None:
    job = client.completed()
    sim.fault("poll", slow=2000)
    begun = time.monotonic()
    assert client.poll(job)["status"] == "completed"
    assert 0.15 < time.monotonic() - begun < 3


def test_poll_can_be_overridden(sim: Simulator, client: Client) -> None:
    job = client.accepted()
    sim.fault("poll", job={"status": "succeeded", "unsigned_urls": ["https://elsewhere.example/v.mp4"]})
    odd = client.poll(job)
    assert (odd["id"], odd["status"]) == (job["id"], "succeeded")
    assert odd["unsigned_urls"] == ["https://elsewhere.example/v.mp4"]
    assert client.poll(job)["status"] == "completed"


@pytest.mark.parametrize("status", [500, 502, 504])
def test_submit_can_be_accepted_and_answered_with_an_error(sim: Simulator, client: Client, status: int) -> None:
    sim.fault("submit", accept_then_lose=status)
    assert client.submit().status == status
    assert len(sim.jobs()) == 1


def test_submit_can_be_accepted_and_lost(sim: Simulator, client: Client) -> None:
    sim.fault("submit", accept_then_lose=True)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        client.submit()
    sim.fault("submit", accept_then_lose="hang")
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.call("POST", "/api/v1/videos", BODY, timeout=0.2)
    sim.fault("submit", accept_then_lose="unreadable")
    unreadable = client.submit()
    assert unreadable.status == 202
    with pytest.raises(ValueError):
        unreadable.json()
    assert len(sim.jobs()) == 3
    assert sim.charged_usd() == 1.2


def test_a_refusal_is_not_lost(sim: Simulator, client: Client) -> None:
    sim.fault("submit", accept_then_lose="reset")
    assert client.submit(duration=5).status == 400
    assert sim.jobs() == []


def test_faulted_polls_count_as_polls(sim: Simulator, client: Client) -> None:
    sim.settings(polls_to_ready=3)
    job = client.accepted()
    sim.fault("poll", times=2, status=502)
    assert [client.call("GET", job["polling_url"]).status for _ in range(2)] == [502, 502]
    assert client.poll(job)["status"] == "completed"


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"on": "nowhere", "reset": True}, "on"),
        ({"on": "poll"}, "exactly one"),
        ({"on": "poll", "reset": True, "hang": 1}, "exactly one"),
        ({"on": "poll", "reset": False}, "reset"),
        ({"on": "poll", "status": 99}, "status"),
        ({"on": "poll", "hang": -1}, "hang"),
        ({"on": "poll", "accept_then_lose": True}, "submits only"),
        ({"on": "submit", "accept_then_lose": 404}, "accept_then_lose"),
        ({"on": "content", "job": {}}, "polls only"),
        ({"on": "poll", "job": 3}, "job"),
        ({"on": "poll", "redirect": ""}, "redirect"),
        ({"on": "poll", "reset": True, "times": "x"}, "times"),
        ({"on": "poll", "reset": True, "often": 2}, "often"),
    ],
)
def test_bad_faults_are_named(sim: Simulator, client: Client, spec: dict, word: str) -> None:
    answer = client.call("POST", "/_simulator/faults", [spec])
    assert answer.status == 400
    assert word in answer.json()["error"]["message"]
    with pytest.raises(BadFaultError):
        sim.fault(**spec)


def test_faults_over_http(client: Client) -> None:
    made = client.call("POST", "/_simulator/faults", [{"on": "models", "times": 2, "status": 500}])
    assert (made.status, made.json()[0]["remaining"]) == (200, 2)
    client.call("GET", "/api/v1/videos/models")
    assert client.call("GET", "/_simulator/faults").json()[0]["hits"] == 1
    assert client.call("DELETE", "/_simulator/faults").json() == []
