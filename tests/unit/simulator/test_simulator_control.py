"""The control addresses and the two ways to run the simulator."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.simulator import Simulator
from local.simulator.settings import UnknownSettingError
from tests.unit.simulator.support import Client, frame

ROOT = Path(__file__).parents[3]


def test_settings_are_shown_and_changed(client: Client) -> None:
    changed = client.call("PUT", "/_simulator/settings", {"seconds_to_ready": 2, "outputs": 2}).json()
    assert (changed["seconds_to_ready"], changed["outputs"]) == (2, 2)
    assert client.call("GET", "/_simulator/settings").json() == changed


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"speed": 1}, "speed"),
        ({"outputs": 0}, "outputs"),
        ({"outputs": "2"}, "outputs"),
        ({"seconds_to_ready": -1}, "seconds_to_ready"),
        ({"ranges": 1}, "ranges"),
        ({"api_key": ""}, "api_key"),
        ({"clip": "huge"}, "clip"),
        ({"submit_status": 201}, "submit_status"),
        ({"fail_with": {"status": "completed"}}, "fail_with"),
        ({"polls_to_ready": 0}, "polls_to_ready"),
    ],
)
def test_bad_settings_are_named(sim: Simulator, client: Client, changes: dict, name: str) -> None:
    before = sim.settings()
    answer = client.call("PUT", "/_simulator/settings", {"ranges": False, **changes})
    assert (answer.status, answer.json()["error"]["metadata"]) == (400, {"parameter": name})
    assert sim.settings() == before
    with pytest.raises(UnknownSettingError, match=name):
        Simulator(**changes)


def test_control_refuses_what_is_no_json(client: Client) -> None:
    assert client.call("PUT", "/_simulator/settings", b"{").status == 400
    assert client.call("PUT", "/_simulator/settings", []).status == 400
    assert client.call("POST", "/_simulator/clock", {"advance": -1}).status == 400


def test_ledger_shows_what_was_paid_without_the_pictures(sim: Simulator, client: Client) -> None:
    job = client.accepted(duration=6, frame_images=[frame("data:image/png;base64," + "A" * 5000)])
    entry = client.call("GET", "/_simulator/jobs").json()["jobs"][0]
    assert (entry["id"], entry["model"], entry["charged_usd"]) == (job["id"], "google/veo-3.1-lite", 0.3)
    assert entry["request"]["duration"] == 6
    assert len(entry["request"]["frame_images"][0]["image_url"]["url"]) < 100
    assert entry["submitted_at"] > 1_700_000_000


def test_requests_are_logged_without_the_key(sim: Simulator, client: Client) -> None:
    client.accepted()
    Client(sim, key=None).call("GET", "/api/v1/videos/models")
    seen = client.call("GET", "/_simulator/requests").json()
    assert [(entry["on"], entry["method"], entry["authorization"]) for entry in seen] == [
        ("submit", "POST", True),
        ("models", "GET", False),
    ]
    assert "mg-local-key" not in str(seen)
    assert client.call("DELETE", "/_simulator/requests").json() == []


def test_clock_moves_over_http(sim: Simulator, client: Client) -> None:
    sim.settings(seconds_to_ready=300)
    job = client.accepted()
    before = client.call("GET", "/_simulator/clock").json()["now"]
    assert client.call("POST", "/_simulator/clock", {"advance": 301}).json()["now"] - before >= 301
    assert client.poll(job)["status"] == "completed"


def test_reset_forgets_jobs_and_on_request_settings(sim: Simulator, client: Client) -> None:
    sim.settings(outputs=2)
    job = client.completed()
    assert client.call("DELETE", "/_simulator/jobs").json()["total"] == 0
    assert client.call("GET", job["polling_url"]).status == 404
    assert sim.settings()["outputs"] == 2
    client.call("DELETE", "/_simulator/jobs?settings=true")
    assert sim.settings()["outputs"] == 1


def test_simulator_outside_its_block_says_so() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        Simulator().jobs()


def test_port_in_use_is_an_error(sim: Simulator) -> None:
    port = int(sim.url.rpartition(":")[2])
    with pytest.raises(OSError), Simulator(port=port):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_simulator_runs_alone_and_ends_cleanly(ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "local.simulator", "--port", "0", "--seconds-to-ready", "0", "--set", "clip=tiny"]
    environment = {**os.environ, "MODELGATES_API_KEY": "from-environment"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        line = process.stdout.readline().decode()
        address = re.fullmatch(r"ModelGates simulator ready on (http://127\.0\.0\.1:\d+)\n", line)
        sim = Simulator()
        sim.url = address[1]
        assert Client(sim, key="from-environment").completed()["status"] == "completed"
        process.send_signal(ending)
        rest, errors = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, rest, errors) == (0, b"", b"")


def test_bad_command_line_is_explained() -> None:
    command = [sys.executable, "-m", "local.simulator", "--set", "speed=3"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert b"'speed'" in ended.stderr
