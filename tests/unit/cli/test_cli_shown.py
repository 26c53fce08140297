"""No words of others steer the terminal or look like lines of ours."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion_cli import render
from stillmotion_cli.shown import clean, one_line
from stillmotion_cli.terminal import Terminal
from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply, job, model, problem
from tests.unit.cli.support import Run

BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
STEERING = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x00", "\x08", "\u202e", "\u2066", "\ufeff", "\u200f"]
FORGED = "status       completed"


@given(st.text())
def test_whatever_it_holds_it_is_one_printable_line(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert all(char.isprintable() or char in "\u200c\u200d" for char in shown)


@given(st.text())
def test_a_message_of_ours_keeps_its_lines_and_nothing_else(text: str) -> None:
    shown = clean(text)
    assert shown.count("\n") == text.count("\n")
    assert all(char.isprintable() or char in "\n\t\u200c\u200d" for char in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\nb", r"a\r\nb"),
        ("a\tb", r"a\tb"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\u2028b", r"a\u2028b"),
        ("a\x85b", r"a\x85b"),
        ("\u202efdp.exe", r"\u202efdp.exe"),
        ("a\U000e0041", r"a\U000e0041"),
        ("a\u00a0b", "a b"),
        ("Grüße 日本語 👩‍🚀", "Grüße 日本語 👩‍🚀"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert one_line(text) == shown


def _lines(*texts: str) -> list[str]:
    return [line for text in texts for line in text.splitlines()]


@pytest.mark.parametrize("mark", [*BREAKS, *STEERING], ids=ascii)
def test_no_field_of_a_record_forges_a_line(api: FakeApi, run: Run, mark: str) -> None:
    evil = f"x{mark}{FORGED}"
    error = {"code": evil, "message": evil, "provider_message": evil}
    request = {"model": evil, "prompt": evil, "resolution": evil, "frame_images": [{"image_url": {"url": evil}}]}
    record = job("failed", request=request, model=evil, error=error, warnings=[evil], metadata={evil: evil})
    api.on(f"GET /v1/videos/{JOB_ID}", Reply(200, record), times=9)
    for arguments in (["show", JOB_ID], ["watch", JOB_ID], ["download", JOB_ID]):
        result = run(*arguments)
        _assert_nothing_forged(mark, result.out, result.err)
    api.on(f"GET /v1/videos/{JOB_ID}", Reply(200, record | {"status": evil}))
    result = run("show", JOB_ID)
    _assert_nothing_forged(mark, result.out, result.err)


def _assert_nothing_forged(mark: str, *texts: str) -> None:
    assert not any(line.lstrip().startswith(FORGED) for line in _lines(*texts))
    assert not any(char in text for text in texts for char in mark if char not in "\n" and not char.isprintable())


@pytest.mark.slow
@pytest.mark.parametrize("mark", [*BREAKS, *STEERING], ids=ascii)
def test_no_answer_list_or_refusal_forges_a_line(api: FakeApi, run: Run, mark: str) -> None:
    evil = f"x{mark}{FORGED}"
    api.on("GET /v1/videos", Reply(200, {"data": [job("failed", id=evil, model=evil)], "next_token": None}))
    listed = run("list")
    api.models = [model(evil, 0.1)]
    models = run("models")
    fault = {"pointer": "#/duration", "detail": evil, "given": evil, "allowed": [evil]}
    refusal = problem(422, evil, evil, errors=[fault], provider_message=evil, instance=evil)
    api.on("POST /v1/videos", refusal, times=5)
    refused = run("generate", "still.jpg", "--model", "cheap/one", "--prompt", "x")
    api.on(f"DELETE /v1/videos/{JOB_ID}", problem(409, "JobStateConflict", evil))
    conflict = run("cancel", JOB_ID)
    for result in (listed, models, refused, conflict):
        _assert_nothing_forged(mark, result.out, result.err)
    assert (refused.code, conflict.code) == (3, 3)


@pytest.mark.parametrize("mark", BREAKS, ids=ascii)
def test_warnings_and_what_was_chosen_stay_on_their_lines(api: FakeApi, run: Run, mark: str) -> None:
    api.warnings = [f"Mind{mark}{FORGED}"]
    result = run("generate", "still.jpg", "-o", "clip.mp4")
    assert result.code == 0
    _assert_nothing_forged(mark, result.out, result.err)
    assert "Warning: Mind" in result.err


@pytest.mark.parametrize("mark", [*BREAKS, *STEERING], ids=ascii)
def test_events_stay_on_their_lines(capsys: pytest.CaptureFixture[str], mark: str) -> None:
    evil = f"x{mark}{FORGED}"
    render.show_event(Terminal(), {"detail": {"id": evil, "status": evil, "error": {"code": evil}}, "time": evil})
    render.show_event(Terminal(), {"message": evil})
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 2
    _assert_nothing_forged(mark, shown)


def test_json_keeps_the_texts_as_they_are(api: FakeApi, run: Run) -> None:
    evil = "a\n\x1b[2Jb\u2028c"
    api.on(f"GET /v1/videos/{JOB_ID}", Reply(200, job("completed", request={"prompt": evil})))
    result = run("show", JOB_ID, "--json")
    assert result.json["request"]["prompt"] == evil
    assert len(result.out.splitlines()) == 1
    assert json.dumps(evil) in result.out
