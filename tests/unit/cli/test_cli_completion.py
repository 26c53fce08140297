"""What the shell completes: names from the stack, quickly, and nothing where anything is wrong."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stillmotion_cli.main import app
from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply, job
from tests.unit.cli.support import Run

type Complete = Callable[..., list[str]]


@pytest.fixture
def complete(folder: Path) -> Complete:
    """The words that a shell is offered for the last word of a command line."""

    def call(*words: str) -> list[str]:
        line = " ".join(["stillmotion", *words])
        env = {"_STILLMOTION_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
        result = CliRunner().invoke(app, [], env=env, prog_name="stillmotion")
        assert result.stderr == ""
        return result.stdout.split()

    return call


def test_ids_of_jobs_are_completed_where_an_id_is_wanted(api: FakeApi, complete: Complete) -> None:
    api.states = [job(id="vid_aa1"), job(id="vid_aa2"), job(id="vid_bb1")]
    assert complete("show", "vid_a") == ["vid_aa1", "vid_aa2"]
    for name in ("watch", "resume", "settle", "download", "cancel", "logs"):
        assert complete(name, "vid_b") == ["vid_bb1"]


def test_models_are_completed_for_generate_and_list(complete: Complete) -> None:
    assert complete("generate", "still.jpg", "--model", "d") == ["dear/one"]
    assert complete("list", "--model", "c") == ["cheap/one"]


def test_the_stack_is_asked_once_in_a_while(api: FakeApi, complete: Complete, tmp_path: Path) -> None:
    api.states = [job(id="vid_old")]
    assert complete("show", "vid_") == ["vid_old"]
    api.states = [job(id="vid_new")]
    assert complete("show", "vid_") == ["vid_old"]
    assert len(api.calls("GET /v1/videos")) == 1
    [kept] = (tmp_path / "cache" / "stillmotion" / "completion").iterdir()
    os.utime(kept, (time.time() - 60,) * 2)
    assert complete("show", "vid_") == ["vid_new"]


@pytest.mark.parametrize(
    "answer",
    [Reply(0), Reply(500, b"oops"), Reply(200, b"no json"), Reply(200, {"data": None}), Reply(403, {"message": "No"})],
)
def test_a_failure_completes_nothing_and_says_nothing(api: FakeApi, complete: Complete, answer: Any) -> None:
    api.on("GET /v1/videos", answer, times=9)
    assert complete("show", "vid_") == []
    assert len(api.calls("GET /v1/videos")) == 1


def test_without_a_stack_nothing_is_completed(complete: Complete, folder: Path) -> None:
    (folder / ".local" / "stack.json").unlink()
    assert complete("show", "vid_") == []


def test_a_broken_note_is_asked_for_again(api: FakeApi, complete: Complete, tmp_path: Path) -> None:
    assert complete("show", "vid_") == [JOB_ID]
    [kept] = (tmp_path / "cache" / "stillmotion" / "completion").iterdir()
    kept.write_text("{")
    assert complete("show", "vid_") == [JOB_ID]


def test_completing_never_gets_in_the_way_of_the_command(run: Run) -> None:
    assert run("show", JOB_ID).code == 0
