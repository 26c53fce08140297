"""What a person sees: on a terminal, in a pipe, in the help."""

import io
import os
import pty
import re
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rich.console import Console

from stillmotion_cli import progress, render, units
from stillmotion_cli.errors import BadInput
from stillmotion_cli.terminal import Terminal
from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply, job, model
from tests.unit.cli.support import Run

COMMANDS = ("generate", "watch", "resume", "settle", "download", "show", "list", "cancel", "models", "events")


def test_a_table_on_a_terminal_folds_and_never_cuts_a_name() -> None:
    drawn = io.StringIO()
    terminal = Terminal()
    terminal.output = Console(file=drawn, force_terminal=True, color_system=None, width=60)
    render.show_models(terminal, [model("a-long/name-of-a-model", 0.1, supported_sizes=["1280x720"] * 9)])
    text = drawn.getvalue()
    assert "a-long/name-of-a-model" in text
    assert max(len(line) for line in text.splitlines()) <= 60


def _on_a_terminal(start: Callable[..., "subprocess.Popen[bytes]"], *arguments: str) -> tuple[int, str]:
    """The exit code and everything drawn of a command whose streams are a terminal."""
    ours, theirs = pty.openpty()
    process = start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    drawn = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says EIO once the other side is closed.
            break
        if not part:
            break
        drawn += part
    os.close(ours)
    return process.wait(10), drawn.decode()


@pytest.mark.slow
def test_a_terminal_gets_one_live_line(api: FakeApi, start: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    def slowly(_: object) -> Reply:
        time.sleep(0.15)
        return Reply(200, job("in_progress", polls=3), {"Retry-After": "0"})

    api.on(f"GET /v1/videos/{JOB_ID}", slowly)
    code, drawn = _on_a_terminal(start, "generate", "still.jpg", "-o", "clip.mp4")
    assert code == 0, drawn
    assert "\x1b[2K" in drawn
    assert "\x1b[?25h" in drawn, "the cursor is shown again"
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert f"{JOB_ID}  the model is at work, 3 polls  (0:0" in text
    assert text.rstrip().endswith("clip.mp4  (104.0 kB, 104,000 bytes, $0.12)")


@pytest.mark.parametrize(
    "arguments",
    [["generate", "still.jpg"], ["show", JOB_ID], ["list"], ["models"], ["show", "--help"], ["--help"], ["show"]],
)
def test_a_pipe_gets_no_escape_codes(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.out + result.err
    assert "\x1b" not in result.out + result.err
    assert "\r" not in result.out + result.err


@pytest.mark.slow
def test_the_command_in_a_pipe_gets_no_escape_codes(start: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    process = start("generate", "still.jpg", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=20)
    assert out.startswith(b"out/vid_")
    assert b"Submitted vid_" in err
    assert b"\x1b" not in out + err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(run: Run, command: str) -> None:
    text = run(command, "--help").out
    assert "Examples:" in text
    assert f"  stillmotion {command} " in text or f"  stillmotion {command}\n" in text.replace(" \n", "\n")
    for option in ("--json", "--stack-name", "--profile", "--region"):
        assert option in text


def test_the_help_lists_every_command_and_the_exit_codes(run: Run) -> None:
    text = run("--help").out
    for command in COMMANDS:
        assert re.search(rf"│ {command} ", text)
    assert "130" in text
    assert "--install-completion" in text
    assert run("--version").out.startswith("stillmotion ")


def test_the_shell_completes_commands(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("_ROOT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "root ca")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run().out == "cancel\n"


def test_a_long_silence_is_broken_where_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    with progress.Progress(Terminal(), now=lambda: clock[0]) as shown:
        for polls, clock[0] in ((1, 1.0), (2, 2.0), (3, 70.0)):
            shown.update(job("in_progress", polls=polls))
    lines = [line.split(", ")[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["1 poll  (0:01)", "3 polls  (1:10)"]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1234, "1.2 kB"), (999_960, "1.0 MB"), (5 * 10**12, "5000.0 GB")]
)
def test_sizes_read_well(count: int, text: str) -> None:
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("usd", "text"), [(None, "-"), (0, "$0.00"), (0.12, "$0.12"), (0.0005, "$0.0005"), (0.125, "$0.125"), (3, "$3.00")]
)
def test_money_reads_well(usd: float | None, text: str) -> None:
    assert units.money(usd) == text


def test_times_read_well() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert [units.clock(seconds) for seconds in (7, 750, 3723)] == ["0:07", "12:30", "1:02:03"]
    made = ["2026-11-22T11:59:55Z", "2026-11-22T11:57:00Z", "2026-11-22T09:00:00Z", "2026-11-18T12:00:00Z", None]
    assert [units.age(time, now) for time in made] == ["5s", "3m", "3h", "4d", "-"]
    assert units.iso(units.moment("--since", "90m", now)) == "2026-11-22T10:30:00.000Z"
    assert units.iso(units.moment("--since", "2026-11-22T12:00:00+02:00")) == "2026-11-22T10:00:00.000Z"
    with pytest.raises(BadInput, match="--since soon is no time"):
        units.moment("--since", "soon")
    with pytest.raises(BadInput, match="--since 999999d is no time"):
        units.moment("--since", "999999d")
