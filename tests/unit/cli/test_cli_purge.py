"""Purging from the terminal: asked before, said after."""

from typing import Any

import pytest
import typer

from stillmotion_cli.errors import INTERRUPTED
from stillmotion_cli.terminal import Terminal
from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply, job, problem
from tests.unit.cli.support import Run

PURGED: dict[str, Any] = job("completed", purged_at="2026-11-27T12:00:00.000Z", warnings=["The upload a.png is left."])
ROUTE = f"DELETE /v1/videos/{JOB_ID}"


def test_a_purge_says_what_is_left(api: FakeApi, run: Run) -> None:
    api.on(ROUTE, Reply(200, PURGED))
    result = run("purge", JOB_ID, "--yes")
    assert (result.code, result.out) == (0, f"{JOB_ID} is purged.\n")
    assert "Left: The upload a.png is left." in result.err
    [sent] = api.calls("DELETE")
    assert sent.query == {"purge": ["true"]}


def test_with_json_the_record_is_the_result(api: FakeApi, run: Run) -> None:
    api.on(ROUTE, Reply(200, PURGED))
    assert run("purge", JOB_ID, "-y", "--json").json == PURGED


def test_without_yes_and_without_a_terminal_nothing_is_deleted(api: FakeApi, run: Run) -> None:
    result = run("purge", JOB_ID)
    assert result.code == 2
    assert "Say --yes" in result.err
    assert api.calls("DELETE") == []


@pytest.mark.parametrize(("answered", "deleted"), [(True, 1), (False, 0)])
def test_on_a_terminal_it_asks(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch, answered: bool, deleted: int
) -> None:
    monkeypatch.setattr(Terminal, "can_ask", property(lambda _: True))
    monkeypatch.setattr("typer.confirm", lambda text, err: answered and JOB_ID in text and err)
    api.on(ROUTE, Reply(200, PURGED))
    assert run("purge", JOB_ID).code == (0 if answered else 2)
    assert len(api.calls("DELETE")) == deleted


def test_a_purge_that_got_no_answer_is_repeated(api: FakeApi, run: Run) -> None:
    api.on(ROUTE, Reply(0), Reply(503, {"message": "x"}), Reply(200, PURGED))
    assert run("purge", JOB_ID, "--yes").code == 0
    assert len(api.calls("DELETE")) == 3


def test_a_job_that_runs_is_refused_with_the_apis_words(api: FakeApi, run: Run) -> None:
    api.on(ROUTE, problem(409, "JobStateConflict", "only a job that has ended is purged."))
    result = run("purge", JOB_ID, "--yes")
    assert result.code == 3
    assert "only a job that has ended is purged." in result.err


def test_ctrl_c_at_the_question_is_ctrl_c(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> bool:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise typer.Abort from None

    monkeypatch.setattr(Terminal, "can_ask", property(lambda _: True))
    monkeypatch.setattr(typer, "confirm", interrupted)
    assert run("purge", JOB_ID).code == INTERRUPTED
