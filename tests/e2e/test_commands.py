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
from local.clip import read_clip
from local.paths import ROOT

COMMAND_TIMEOUT = 200


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
        ("IMAGE", "Makefile", "neither JPEG, PNG nor WebP"),
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
    assert len(marked_processes(mark)) >= 4
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
        command = [str(Path(sys.executable).parent / "stillmotion"), "generate", str(ROOT / "local/assets/sample.jpg")]
        made = run(env, *command, "--prompt", "A slow zoom", "--duration", "4", "--json", cwd=tmp_path)
        assert made.returncode == 0, made.stderr
        job = json.loads(made.stdout)
        assert read_clip(tmp_path / "out" / f"{job['id']}.mp4").frames > 0
        curl = started.stdout[started.stdout.index("  curl ") : started.stdout.index("  AWS_ACCESS")]
        assert json.loads(run(env, "bash", "-c", f"{curl.strip()} --silent").stdout)["id"].startswith("vid_")
        assert stack["simulator_url"]
    finally:
        stopped = run(env, "make", "local-stop")
    assert stopped.returncode == 0
    assert not (tmp_path / ".local" / "stack.json").exists()
    assert marked_processes(mark) == []
