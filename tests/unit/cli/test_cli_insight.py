"""`logs`, `show --open` and `--quiet`."""

import json
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.fake_api import JOB_ID, FakeApi, job, problem
from tests.unit.cli.support import Run


def line(number: int, message: Any) -> dict[str, Any]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {"eventId": str(number), "timestamp": 1764000000000 + number, "message": text}


@pytest.fixture
def logged(api: FakeApi, folder: Path) -> FakeApi:
    """A local stack that CloudFormation knows by its bucket, with lines of two jobs."""
    path = folder / ".local" / "stack.json"
    path.write_text(path.read_text().replace('"output_bucket": ""', '"output_bucket": "clips-out"'))
    api.outputs["OutputBucketName"] = "clips-out"
    polled = {"level": "INFO", "message": "polled", "job_id": JOB_ID, "polls": 2, "function_name": "Poll"}
    noise = {"service": "stillmotion", "cold_start": False, "function_memory_size": "512"}
    api.log_events = [
        line(1, polled | noise),
        line(2, {"message": "polled", "job_id": "vid_of_another"}),
        line(3, f"Task timed out about {JOB_ID}\n"),
        line(1, polled | noise),
    ]
    return api


def test_logs_shows_the_lines_of_one_job_once(logged: FakeApi, run: Run) -> None:
    result = run("logs", JOB_ID)
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        "2025-11-24T16:00:00.001Z  INFO  Poll  polled  polls=2",
        f"2025-11-24T16:00:00.003Z  Task timed out about {JOB_ID}",
    ]
    [sent] = [seen.body for seen in logged.calls("POST /") if "X-Amz-Target" in seen.headers]
    sent = sent if isinstance(sent, dict) else json.loads(sent)
    assert (sent["logGroupName"], sent["filterPattern"]) == ("functions-log", f'"{JOB_ID}"')
    # The job's making, 2026-11-22T12:00:00Z, less a minute for clocks that differ.
    assert sent["startTime"] == 1795348740000


def test_lines_without_an_id_are_shown_once_too(logged: FakeApi, run: Run) -> None:
    logged.log_events = [{name: one[name] for name in ("timestamp", "message")} for one in logged.log_events]
    assert len(run("logs", JOB_ID).out.splitlines()) == 2


def test_logs_as_json_are_whole_lines(logged: FakeApi, run: Run) -> None:
    first, _ = (json.loads(text) for text in run("logs", JOB_ID, "--json").out.splitlines())
    assert (first["message"], first["cold_start"], first["time"]) == ("polled", False, "2025-11-24T16:00:00.001Z")


@pytest.mark.slow
def test_logs_that_say_nothing_say_so(logged: FakeApi, run: Run) -> None:
    logged.log_events = []
    result = run("logs", JOB_ID, "--since", "2026-11-01T00:00:00Z")
    assert (result.code, result.out) == (0, "")
    assert f"The log says nothing about {JOB_ID} since 2026-11-01T00:00:00+00:00" in result.err


def test_logs_of_a_job_that_is_not_there_is_an_error(api: FakeApi, run: Run) -> None:
    api.on(f"GET /v1/videos/{JOB_ID}", problem(404, "JobNotFound"))
    assert run("logs", JOB_ID).code == 3


def test_logs_without_the_stack_in_cloudformation_says_so(api: FakeApi, run: Run) -> None:
    api.outputs["OutputBucketName"] = "another"
    result = run("logs", JOB_ID)
    assert result.code == 6
    assert "CloudFormation has no stack whose bucket of videos is" in result.err


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The links that were opened."""
    links: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda link: links.append(link) or True)
    return links


def test_show_opens_the_clip_or_its_poster(api: FakeApi, run: Run, opened: list[str]) -> None:
    api.states = [job("completed", video=[api.video(url="https://s3/clip", poster_url="https://s3/poster.jpg")])]
    assert run("show", JOB_ID, "--open").code == 0
    assert run("show", JOB_ID, "--open", "--poster").code == 0
    assert opened == ["https://s3/clip", "https://s3/poster.jpg"]


@pytest.mark.parametrize(
    ("record", "arguments", "said"),
    [
        (job("in_progress"), ["--open"], "is in_progress: there is no clip to open"),
        (job("completed", video=[{"bucket": "b", "key": "k", "bytes": 1, "content_type": "video/mp4", "url": None,
                                  "url_reason": "It is gone."}]), ["--open"], "has no link to the clip. It is gone."),
        (job("completed", video=[{"bucket": "b", "key": "k", "bytes": 1, "content_type": "video/mp4",
                                  "url": "file:///etc/passwd"}]), ["--open"], "has no link to the clip."),
        (job("completed"), ["--open", "--poster"], "It is there once the clip is inspected."),
        (job("completed"), ["--poster"], "--poster has no use without --open."),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_says_why(
    api: FakeApi, run: Run, opened: list[str], record: dict[str, Any], arguments: list[str], said: str
) -> None:
    api.states = [record]
    result = run("show", JOB_ID, *arguments)
    assert (result.code, opened) == (2, [])
    assert said in result.err


def test_without_a_browser_the_link_is_printed(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _link: False)
    api.states = [job("completed", video=[api.video(url="https://s3/clip")])]
    assert "Open this link yourself: https://s3/clip" in run("show", JOB_ID, "--open", "--quiet").err


@pytest.mark.slow
def test_quiet_leaves_the_result_and_the_errors(api: FakeApi, run: Run) -> None:
    api.states = [job("in_progress"), job("completed")]
    result = run("generate", "still.jpg", "-o", "clip.mp4", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("clip.mp4  (104.0 kB")
    api.on("POST /v1/videos", problem(422, "SpendLimitReached", "Over the limit."))
    refused = run("generate", "still.jpg", "-o", "other.mp4", "-q")
    assert refused.code == 3
    assert refused.err.startswith("Error: Title of SpendLimitReached")


def test_with_json_what_cannot_be_opened_is_one_document(api: FakeApi, run: Run) -> None:
    api.states = [job("in_progress")]
    assert run("show", JOB_ID, "--open", "--json").json["error"]["code"] == "BadInput"
