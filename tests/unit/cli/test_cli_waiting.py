"""`watch`, `resume` and `cancel`: what becomes of a job, and the exit code that tells it."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stillmotion_cli import generation
from stillmotion_cli.client import ApiClient
from stillmotion_cli.stack import Stack
from tests.unit.cli.fake_api import CLIP, JOB_ID, FakeApi, Reply, job, problem
from tests.unit.cli.support import Run

type Start = Callable[..., "subprocess.Popen[bytes]"]


def test_watch_stores_the_clip_of_a_job(api: FakeApi, run: Run, folder: Path) -> None:
    api.states = [job("queued", polls=0), job("in_progress", polls=1), job("completed")]
    result = run("watch", JOB_ID)
    assert result.code == 0
    assert result.out == f"out/{JOB_ID}.mp4  (104.0 kB, 104,000 bytes, $0.12)\n"
    assert (folder / "out" / f"{JOB_ID}.mp4").read_bytes() == CLIP
    states = [line.split("  ")[1] for line in result.err.splitlines()]
    assert states == ["queued", "the model is at work, 1 poll", "completed, 2 polls, 104.0 kB"]


def test_with_json_the_record_is_the_result(api: FakeApi, run: Run) -> None:
    api.states = [job("in_progress"), job("completed")]
    result = run("watch", JOB_ID, "-o", "a/b/", "--json")
    document = result.json
    assert document["status"] == "completed"
    assert document["output_path"] == f"a/b/{JOB_ID}.mp4"
    assert document["files"] == [{"path": f"a/b/{JOB_ID}.mp4", "bytes": len(CLIP)}]
    assert result.out.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "hint"),
    [
        ("failed", "GenerationFailed", 4, None),
        ("cancelled", "GenerationCancelled", 4, None),
        ("expired", "GenerationExpired", 4, None),
        ("submit_unknown", "SubmitOutcomeUnknown", 4, f"stillmotion settle {JOB_ID} --abandon"),
        ("failed", "DownloadFailed", 4, f"stillmotion resume {JOB_ID} --wait"),
        ("timed_out", "PollingTimedOut", 5, f"stillmotion resume {JOB_ID} --wait"),
    ],
)
def test_a_job_without_a_clip_is_explained_in_our_words_and_theirs(
    api: FakeApi, run: Run, status: str, code: str, exit_code: int, hint: str | None
) -> None:
    error = {"code": code, "message": "Say it otherwise.", "provider_message": "The prompt is refused."}
    api.states = [job(status, error=error, resumable=bool(hint and "resume" in hint))]
    result = run("watch", JOB_ID)
    assert result.code == exit_code
    assert f"Error: {JOB_ID} ended as {status} ({code})\n  Say it otherwise.\n" in result.err
    assert "  ModelGates said: The prompt is refused.\n" in result.err
    assert ("stillmotion " in result.err) == bool(hint)
    assert hint is None or hint in result.err
    with_json = run("watch", JOB_ID, "--json")
    assert (with_json.code, with_json.json["error"]["code"]) == (exit_code, code)


@pytest.mark.slow
def test_waiting_has_an_end_and_the_job_goes_on(api: FakeApi, run: Run) -> None:
    api.states = [job("in_progress")]
    result = run("watch", JOB_ID, "--timeout", "1", "--json")
    assert (result.code, result.json["status"]) == (5, "in_progress")
    assert f"{JOB_ID} is in_progress after 0:01 of waiting. It keeps running" in result.err
    assert f"stillmotion watch {JOB_ID}" in result.err


def test_the_pause_between_polls_is_the_one_the_api_asks_for(api: FakeApi, stack: Stack) -> None:
    answers = [Reply(200, job("in_progress"), {"Retry-After": seconds}) for seconds in ("7", "900")]
    api.on("GET /v1/videos/" + JOB_ID, *answers, Reply(200, job("in_progress")), Reply(200, job("completed")))
    pauses: list[float] = []
    generation.wait(ApiClient(stack), job("queued"), lambda _: None, timeout=9999, sleep=pauses.append)
    assert pauses == [0.01, 7, 60, 5]


def test_a_stack_that_stops_answering_says_how_to_come_back(api: FakeApi, run: Run) -> None:
    api.on(f"GET /v1/videos/{JOB_ID}", Reply(200, job("in_progress"), {"Retry-After": "0"}))
    api.on(f"GET /v1/videos/{JOB_ID}", Reply(0), times=5)
    result = run("watch", JOB_ID)
    assert result.code == 6
    assert f"The job keeps running. Come back to it with: stillmotion watch {JOB_ID}" in result.err


@pytest.mark.slow
def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(api: FakeApi, start: Start) -> None:
    api.states = [job("in_progress")]
    process = start("generate", "still.jpg", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _until(lambda: len(api.calls(f"GET /v1/videos/{JOB_ID}")) > 0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, b"")
    assert f"The job keeps running. Come back to it with: stillmotion watch {JOB_ID}\n" in err.decode()
    assert "Traceback" not in err.decode()
    assert not api.calls("DELETE")


@pytest.mark.slow
def test_ctrl_c_while_submitting_tells_the_key_to_repeat_it_with(api: FakeApi, start: Start) -> None:
    def slow(_: object) -> Reply:
        time.sleep(1)
        return Reply(0)

    api.on("POST /v1/videos", slow)
    process = start("generate", "still.jpg", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _until(lambda: bool(api.calls("POST /v1/videos")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    key = api.calls("POST /v1/videos")[0].headers["Idempotency-Key"]
    assert process.returncode == 130
    assert f"--idempotency-key {key}" in err.decode()


def test_resume_continues_and_waits_with_the_option(api: FakeApi, run: Run, folder: Path) -> None:
    assert run("resume", JOB_ID, "--json").json["status"] == "in_progress"
    assert run("resume", JOB_ID).out.startswith(f"id           {JOB_ID}\n")
    assert run("resume", JOB_ID, "--wait", "-o", "clip.mp4").code == 0
    assert (folder / "clip.mp4").exists()
    assert run("resume", JOB_ID, "-o", "other.mp4").code == 2


def test_a_job_that_got_no_answer_is_adopted_or_given_up(api: FakeApi, run: Run, folder: Path) -> None:
    assert run("settle", JOB_ID, "--provider-job-id", "gen-1", "--json").json["status"] == "in_progress"
    assert run("settle", JOB_ID, "--provider-job-id", "gen-1", "--wait", "-o", "clip.mp4").code == 0
    assert (folder / "clip.mp4").exists()
    given_up = run("settle", JOB_ID, "--abandon")
    assert (given_up.code, given_up.out.split()[:4]) == (0, ["id", JOB_ID, "status", "failed"])
    assert run("settle", JOB_ID, "--abandon", "--not-charged").code == 0
    bodies = [seen.body for seen in api.calls(f"POST /v1/videos/{JOB_ID}/settle")]
    adopted, given_up_as = {"provider_job_id": "gen-1"}, [{"abandon": True, "charged": said} for said in (True, False)]
    assert bodies == [adopted, adopted, *given_up_as]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--provider-job-id", "gen-1", "--abandon"],
        ["--abandon", "--wait"],
        ["--abandon", "-o", "clip.mp4"],
        ["--provider-job-id", "gen-1", "-o", "clip.mp4"],
        ["--provider-job-id", "gen-1", "--not-charged"],
    ],
    ids=" ".join,
)
def test_an_order_to_settle_that_makes_no_sense_is_not_sent(api: FakeApi, run: Run, options: list[str]) -> None:
    assert run("settle", JOB_ID, *options).code == 2
    assert api.seen == []


def test_cancel_says_that_it_may_still_cost(api: FakeApi, run: Run) -> None:
    result = run("cancel", JOB_ID)
    assert (result.code, result.out) == (0, f"{JOB_ID} is cancelled.\n")
    assert "ModelGates may still charge for it." in result.err
    assert run("cancel", JOB_ID, "--json").json["status"] == "cancelled"


@pytest.mark.parametrize(
    ("command", "route"), [("cancel", f"DELETE /v1/videos/{JOB_ID}"), ("resume", f"POST /v1/videos/{JOB_ID}/resume")]
)
@pytest.mark.parametrize("answer", [Reply(0), Reply(503), problem(409, "JobStateConflict", "It has ended.")])
def test_what_changes_a_job_is_sent_once(api: FakeApi, run: Run, command: str, route: str, answer: Reply) -> None:
    api.on(route, answer)
    result = run(command, JOB_ID)
    assert result.code == (3 if answer.status == 409 else 6)
    assert len(api.calls(route)) == 1


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
