"""The everyday commands, run as a person runs them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.build import build
from local.paths import ROOT, SAMPLE
from stillmotion_cli.stack import Stack
from tests.e2e.clips import read_clip
from tests.e2e.support import SimulatorControl

COMMAND_TIMEOUT = 200
STILLMOTION = str(Path(sys.executable).parent / "stillmotion")


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """The value in the environment by which everything that a command started is found again."""
    return str(tmp_path / ".local")


@pytest.fixture
def env(mark: str) -> dict[str, str]:
    """An environment without what make and the test run put there, holding its own local cloud."""
    dropped = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "IMAGE", "LAST_IMAGE", "PROMPT", "MODEL", "DURATION")
    kept = {name: value for name, value in os.environ.items() if name not in (*dropped, "MODELGATES_API_KEY")}
    return kept | {"STILLMOTION_HELD_IN": mark}


@pytest.fixture(autouse=True)
def nothing_left_running(mark: str) -> Iterator[None]:
    """After each test nothing that it started may be alive."""
    yield
    assert marked_processes(mark) == []


def marked_processes(mark: str) -> list[str]:
    """The command lines of the living processes that carry the mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def run(env: dict[str, str], *command: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=False
    )


def test_make_run_turns_a_picture_into_a_clip(env: dict[str, str], other_picture: Path) -> None:
    result = run(env, "make", "run", f"LAST_IMAGE={other_picture}", 'PROMPT=It\'s "quiet" here')
    assert result.returncode == 0, result.stderr
    line: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    output = ROOT / line["output_path"]
    try:
        assert line["status"] == "completed"
        assert line["bytes"] == output.stat().st_size
        assert read_clip(output).seconds == pytest.approx(4, abs=0.1)
        assert result.stdout.count("PSNR") == 2
    finally:
        output.unlink()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("IMAGE", "no/such/picture.jpg", "no picture at no/such/picture.jpg"),
        ("IMAGE", "Makefile", "Makefile is text, not a picture"),
        ("DURATION", "long", "DURATION=long"),
    ],
)
def test_make_run_refuses_bad_input_before_it_starts_anything(
    env: dict[str, str], variable: str, value: str, told: str
) -> None:
    result = run(env, "make", "run", f"{variable}={value}")
    assert result.returncode != 0
    assert told in result.stderr
    assert "MiniStack" not in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_nothing_running(env: dict[str, str], mark: str, number: signal.Signals) -> None:
    build()
    process = subprocess.Popen(
        [sys.executable, "-m", "local.run"],
        cwd=ROOT,
        env=env,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "deploying" in line:
            break
    time.sleep(1)
    assert len(marked_processes(mark)) >= 3  # the command, MiniStack and the simulator
    os.kill(process.pid, number)
    process.wait(30)
    process.stderr.close()
    deadline = time.monotonic() + 10
    while marked_processes(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert marked_processes(mark) == []
    assert process.returncode != 0


def test_a_cloud_can_be_left_running_used_and_stopped(env: dict[str, str], mark: str, tmp_path: Path) -> None:
    try:
        started = run(env, "make", "local")
        assert started.returncode == 0, started.stdout + started.stderr
        stack = json.loads((tmp_path / ".local" / "stack.json").read_text())
        assert "already running" in run(env, "make", "local").stdout
        command = [STILLMOTION, "generate", str(SAMPLE), "--model", "google/veo-3.1-lite"]
        made = run(env, *command, "--prompt", "A slow zoom", "--duration", "4", "--json", cwd=tmp_path)
        assert made.returncode == 0, made.stderr
        job = json.loads(made.stdout)
        assert read_clip(tmp_path / "out" / f"{job['id']}.mp4").frames > 0
        assert _told(env, tmp_path, job["id"])[:2] == ["Video Generation Submitted", "Video Generation Completed"]
        curl = started.stdout[started.stdout.index("  curl ") : started.stdout.index("  AWS_ACCESS")]
        assert json.loads(run(env, "bash", "-c", f"{curl.strip()} --silent").stdout)["id"].startswith("vid_")
        assert stack["simulator_url"]
    finally:
        stopped = run(env, "make", "local-stop")
    assert stopped.returncode == 0
    assert not (tmp_path / ".local" / "stack.json").exists()
    assert marked_processes(mark) == []


def _told(env: dict[str, str], folder: Path, job_id: str) -> list[str]:
    """What `stillmotion events` has heard about a job, at the latest some seconds after it ended."""
    deadline = time.monotonic() + 20
    while True:
        lines = run(env, STILLMOTION, "events", "--no-follow", "--json", cwd=folder).stdout.splitlines()
        events = [event for event in map(json.loads, lines) if event["detail"]["id"] == job_id]
        told = [event["detail-type"] for event in sorted(events, key=lambda event: event["detail"]["updated_at"])]
        if "Video Generation Completed" in told or time.monotonic() > deadline:
            return told
        time.sleep(0.5)


class Command:
    """The `stillmotion` command in a folder whose local stack is the one of this session."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.env = env
        self.folder = folder

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run(self.env, STILLMOTION, *arguments, cwd=self.folder)

    def json(self, *arguments: str) -> Any:
        """The JSON that a call which succeeds prints."""
        result = self(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture
def command(env: dict[str, str], stack: Stack, tmp_path: Path) -> Command:
    """The command as a person calls it."""
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(stack.to_json())
    return Command(env, tmp_path)


def test_one_line_makes_a_clip_and_every_command_knows_of_it(command: Command, simulator: SimulatorControl) -> None:
    paid = len(simulator.jobs())
    wish = ["--resolution", "720p", "--aspect-ratio", "16:9", "--seed", "7", "--metadata", "shot=7"]
    made = command("generate", str(SAMPLE), "--prompt", "A slow zoom", *wish, "-o", "clip.mp4")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("clip.mp4  (")
    assert "(the cheapest of " in made.stderr
    assert read_clip(command.folder / "clip.mp4").frames > 0
    assert len(simulator.jobs()) == paid + 1
    [entry] = command.json("list", "--limit", "1", "--created-after", "10m")["data"]
    assert (entry["status"], entry["metadata"]) == ("completed", {"shot": "7"})
    record = command.json("show", entry["id"])
    assert record["video"][0]["bytes"] == (command.folder / "clip.mp4").stat().st_size
    assert record["request"]["seed"] == 7
    again = command.json("download", entry["id"], "-o", "again.mp4")
    assert (command.folder / again["output_path"]).read_bytes() == (command.folder / "clip.mp4").read_bytes()
    assert command("download", entry["id"], "-o", "again.mp4").returncode == 0
    (command.folder / "again.mp4").write_text("precious")
    assert command("download", entry["id"], "-o", "again.mp4").returncode == 2
    assert command("cancel", entry["id"]).returncode == 3
    assert command("resume", entry["id"]).returncode == 3


def test_the_same_key_is_paid_once_and_a_dry_run_never(command: Command, simulator: SimulatorControl) -> None:
    paid = len(simulator.jobs())
    request = ["generate", str(SAMPLE), "--prompt", "A slow zoom", "--model", "google/veo-3.1-lite"]
    dry = command.json(*request, "--dry-run", "--resolution", "720p")
    assert (dry["dry_run"], dry["estimated_cost_usd"]) == (True, pytest.approx(0.12))
    open_resolution = command.json(*request, "--dry-run")
    assert open_resolution["estimated_cost_usd"] == pytest.approx(0.2)  # at most: 1080p
    assert len(simulator.jobs()) == paid
    key = ["--idempotency-key", command.folder.name]
    first, second = (command.json(*request, *key, "--no-wait") for _ in range(2))
    assert first["id"] == second["id"]
    assert len(simulator.jobs()) == paid + 1
    other = command(*request, *key, "--seed", "1", "--no-wait")
    assert other.returncode == 3
    assert "IdempotencyConflict" in other.stderr


def test_models_are_listed_for_what_is_asked(command: Command) -> None:
    wish = ["--frame", "first_frame", "--frame", "last_frame", "--duration", "6", "--sort", "price"]
    found = command.json("models", *wish)["data"]
    assert "google/veo-3.1-lite" in [model["id"] for model in found]
    prices = [model["estimated_cost_usd"] for model in found if model["estimated_cost_usd"] is not None]
    assert prices == sorted(prices)
    lines = [line.split() for line in command("models", *wish).stdout.splitlines()]
    assert ["google/veo-3.1-lite", "$0.48"] in [line[:2] for line in lines]


def test_exit_codes_tell_a_refusal_from_a_failure(command: Command, simulator: SimulatorControl) -> None:
    refused = command("generate", str(SAMPLE), "--prompt", "x", "--model", "google/veo-3.1-lite", "--duration", "5")
    assert refused.returncode == 3
    assert "--duration: is 5, but the model takes 4, 6, 8" in refused.stderr
    assert command("show", "vid_does_not_exist").returncode == 3
    said = "The prompt violates the content policy (person)."
    with simulator.settings(fail_with={"status": "failed", "error": said}):
        failed = command("generate", str(SAMPLE), "--prompt", "x")
    assert failed.returncode == 4
    assert f"ModelGates said: {said}" in failed.stderr


def test_a_job_outlives_ctrl_c_and_ends_by_cancelling(command: Command, simulator: SimulatorControl) -> None:
    with simulator.settings(seconds_to_ready=120):
        process = subprocess.Popen(
            [STILLMOTION, "generate", str(SAMPLE), "--prompt", "x"],
            cwd=command.folder,
            env=command.env,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr
        for line in process.stderr:
            if "the model is at work" in line:
                break
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait(30) == 130
        process.stderr.close()
    job_id = told.split("stillmotion watch ")[1].split()[0]
    assert command.json("show", job_id)["status"] in ("submitting", "in_progress")
    waiting = command("watch", job_id, "--timeout", "1")
    assert (waiting.returncode, "It keeps running" in waiting.stderr) == (5, True)
    cancelled = command("cancel", job_id)
    assert cancelled.returncode == 0, cancelled.stderr
    assert "may" in cancelled.stderr
    assert command("watch", job_id).returncode == 4
