"""Webhooks: payload, headers, signature, retries."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from local.simulator import Simulator, sign
from tests.unit.simulator.support import Client


class Receiver:
    """Takes webhooks and answers with the statuses it was given, then with 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.received: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_port}/hook"

    def wait(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        """Return what has come once there are `count` deliveries."""
        deadline = time.monotonic() + 5
        while len(self.received) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.received) == count
        return self.received


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_webhook_tells_of_completion_and_is_signed(sim: Simulator, client: Client, receiver: Receiver) -> None:
    sim.settings(signing_secret="shh")
    job = client.completed(callback_url=receiver.url)
    headers, body = receiver.wait(1)[0]
    payload = json.loads(body)
    assert set(payload) == {"type", "created_at", "data"}
    assert payload["type"] == "video.generation.completed"
    assert abs(datetime.fromisoformat(payload["created_at"]).timestamp() - time.time()) < 10
    assert payload["data"] == {
        "id": job["id"],
        "status": "completed",
        "generation_id": job["generation_id"],
        "model": "google/veo-3.1-lite",
        "unsigned_urls": job["unsigned_urls"],
        "usage": job["usage"],
        "error": None,
    }
    assert headers["X-ModelGates-Idempotency-Key"] == f"{job['id']}-completed"
    stamp, _, digest = headers["X-ModelGates-Signature"].removeprefix("t=").partition(",v1=")
    assert abs(int(stamp) - time.time()) < 10
    assert digest == hmac.new(b"shh", stamp.encode() + b"," + body, hashlib.sha256).hexdigest()
    assert sign("shh", body, int(stamp)) == headers["X-ModelGates-Signature"]
    assert "Authorization" not in headers


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_webhook_tells_of_other_endings(sim: Simulator, client: Client, receiver: Receiver, status: str) -> None:
    sim.settings(fail_with={"status": status, "error": "no"})
    client.accepted(callback_url=receiver.url)
    headers, body = receiver.wait(1)[0]
    payload = json.loads(body)
    assert payload["type"] == f"video.generation.{status}"
    assert (payload["data"]["error"], payload["data"]["unsigned_urls"]) == ("no", [])
    assert "X-ModelGates-Signature" not in headers


def test_webhook_is_tried_again_but_not_for_ever(sim: Simulator, client: Client, receiver: Receiver) -> None:
    sim.settings(webhook_backoff_seconds=0.01)
    receiver.statuses = [500, 503]
    client.accepted(callback_url=receiver.url)
    assert len({body for _, body in receiver.wait(3)}) == 1
    receiver.statuses = [500] * 9
    client.accepted(callback_url=receiver.url)
    receiver.wait(6)
    time.sleep(0.1)
    assert [attempt["status"] for attempt in sim.webhooks()] == [500, 503, 204, 500, 500, 500]


def test_webhook_can_be_repeated_or_missing(sim: Simulator, client: Client, receiver: Receiver) -> None:
    sim.settings(webhook_copies=2)
    client.completed(callback_url=receiver.url)
    receiver.wait(2)
    sim.settings(webhooks=False)
    client.completed(callback_url=receiver.url)
    time.sleep(0.1)
    receiver.wait(2)


def test_receiver_that_is_not_there_does_no_harm(sim: Simulator, client: Client) -> None:
    sim.settings(webhook_attempts=1)
    client.completed(callback_url="http://127.0.0.1:9/hook")
    deadline = time.monotonic() + 5
    while not sim.webhooks() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sim.webhooks()[0]["error"] == "ClientConnectorError"


def ids(receiver: Receiver, count: int) -> list[str]:
    return [json.loads(body)["data"]["id"] for _, body in receiver.wait(count)]


def test_each_attempt_is_signed_anew(
    sim: Simulator, client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1_700_000_000, 1_800_000_000, 60))
    monkeypatch.setattr("local.simulator.webhooks.time", SimpleNamespace(time=lambda: next(clock)))
    sim.settings(signing_secret="shh", webhook_backoff_seconds=0.01)
    receiver.statuses = [500, 503]
    client.accepted(callback_url=receiver.url)
    signed = [headers["X-ModelGates-Signature"] for headers, _ in receiver.wait(3)]
    [body] = {body for _, body in receiver.received}
    stamps = [int(header.removeprefix("t=").partition(",")[0]) for header in signed]
    assert stamps[0] < stamps[1] < stamps[2]
    assert signed == [sign("shh", body, stamp) for stamp in stamps]


def test_webhook_can_be_late(sim: Simulator, client: Client, receiver: Receiver) -> None:
    sim.settings(webhook_delay_seconds=600)
    client.completed(callback_url=receiver.url)
    time.sleep(0.1)
    assert (receiver.received, sim.untold()) == ([], 1)
    sim.advance(600)
    receiver.wait(1)


def test_webhook_can_come_before_the_answer_to_the_submit(sim: Simulator, client: Client, receiver: Receiver) -> None:
    sim.settings(complete_on_submit=True, webhook_before_answer=True)
    job = client.accepted(callback_url=receiver.url)
    assert [json.loads(body)["data"]["id"] for _, body in receiver.received] == [job["id"]]
    client.accepted()  # without an address, nothing is waited for


def test_webhooks_can_come_late_repeated_and_out_of_order(sim: Simulator, client: Client, receiver: Receiver) -> None:
    sim.settings(webhooks=False)
    jobs = [client.completed(callback_url=receiver.url)["id"] for _ in range(3)]
    client.completed()  # gave no address
    assert sim.untold() == 0
    sim.tell_again(jobs[1], jobs[0], jobs[1])
    sim.tell_again(newest_first=True)
    assert ids(receiver, 6) == [jobs[1], jobs[0], jobs[1], *reversed(jobs)]
    answer = client.call("POST", "/_simulator/webhooks", {"jobs": [jobs[2]]})
    assert ids(receiver, 7)[-1] == jobs[2]
    assert answer.json() == client.call("GET", "/_simulator/webhooks").json() == sim.webhooks()
    assert {attempt["status"] for attempt in sim.webhooks()} == {204}


@pytest.mark.parametrize(
    ("order", "status"),
    [({"jobs": ["vgen-none"]}, 404), ({"jobs": "all"}, 400), ({"newest_first": 1}, 400), ({"job": []}, 400), ([], 400)],
)
def test_a_wrong_order_of_webhooks_is_refused(client: Client, order: object, status: int) -> None:
    assert client.call("POST", "/_simulator/webhooks", order).status == status
