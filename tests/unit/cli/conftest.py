"""A stand-in stack for every test, and the command as a person calls it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stillmotion_cli import generation, transport
from stillmotion_cli.commands import batch
from stillmotion_cli.main import app
from stillmotion_cli.stack import Stack
from tests.unit.cli.fake_api import FakeApi, serve
from tests.unit.cli.support import JPEG, Result, Run, local_stack


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, no configuration, no proxy and no cache of whoever runs the tests; no long pauses."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "STILLMOTION_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "GITHUB_ACTIONS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(generation, "SHORTEST_INTERVAL", 0.01)
    monkeypatch.setattr(batch, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(batch, "SHORTEST_POLL_SECONDS", 0.01)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with serve() as running:
        yield running


@pytest.fixture
def stack(api: FakeApi) -> Stack:
    return local_stack(api)


@pytest.fixture
def folder(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a local stack and a picture in it."""
    here = tmp_path / "work"
    (here / ".local").mkdir(parents=True)
    (here / ".local" / "stack.json").write_text(stack.to_json())
    (here / "still.jpg").write_bytes(JPEG)
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def run(folder: Path) -> Run:
    """Calls the command in this process."""

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def start(folder: Path) -> Callable[..., "subprocess.Popen[bytes]"]:
    """Starts the command as a process of its own."""

    def call(*arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
        env = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.Popen([sys.executable, "-m", "stillmotion_cli", *arguments], cwd=folder, env=env, **options)

    return call
