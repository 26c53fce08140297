"""`stillmotion show ID --timeline`: record, history, events and log in one order, with durations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply, Seen, job
from tests.unit.cli.support import Run, local_stack

BEGUN = 1_795_348_800.0  # 2026-11-22T12:00:00Z
ARN = "arn:aws:states:us-east-1:123456789012:execution:Generate:vid"


def state(at: float, name: str, ends: float) -> list[dict[str, Any]]:
    entered = {"timestamp": BEGUN + at, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}}
    exited = {"timestamp": BEGUN + ends, "type": "TaskStateExited", "stateExitedEventDetails": {"name": name}}
    return [entered, exited]


def line(at: float, **said: Any) -> dict[str, Any]:
    return {"eventId": str(at), "timestamp": int((BEGUN + at) * 1000), "message": json.dumps(said)}


HISTORY = [
    {"timestamp": BEGUN + 1, "type": "ExecutionStarted"},
    *state(1, "Submit", 3.5),
    *state(3.5, "Wait", 33.5),
    *state(33.5, "Poll", 34),
    {"timestamp": BEGUN + 34, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "WaitForCallback"}},
    {"timestamp": BEGUN + 64, "type": "TaskTimedOut", "taskTimedOutEventDetails": {"error": "States.Timeout"}},
    {"timestamp": BEGUN + 64, "type": "TaskStateExited", "stateExitedEventDetails": {"name": "WaitForCallback"}},
    *state(64, "Poll", 65),
    {"timestamp": BEGUN + 66, "type": "TaskFailed", "taskFailedEventDetails": {"error": "DownloadFailed"}},
    *state(65, "Deliver", 69),
    {"timestamp": BEGUN + 70, "type": "ExecutionSucceeded"},
]
PUBLISHED = [
    line(3, **{"detail-type": "Video Generation Submitted", "detail": {"id": JOB_ID, "status": "in_progress"}}),
    line(4, **{"detail-type": "Video Generation Failed", "detail": {"id": "vid_other", "after": JOB_ID}}),
]
LOGGED = [
    line(3.2, message="provider accepted", job_id=JOB_ID, provider_job_id="job_1"),
    {"eventId": "x", "timestamp": int(BEGUN * 1000), "message": "START RequestId: 1"},
    line(5, message="polled", job_id="vid_other", seen=[JOB_ID]),
    {"eventId": "y", "timestamp": int(BEGUN * 1000), "message": f"Task timed out about {JOB_ID}"},
]


@pytest.fixture
def aws(api: FakeApi, folder: Path) -> Callable[..., None]:
    """Let the calls of AWS's own services be answered, apart from those that are named with another answer."""
    stack = local_stack(api, event_log_group="/bus", output_bucket="clips-out")
    (folder / ".local" / "stack.json").write_text(stack.to_json())
    api.outputs["OutputBucketName"] = "clips-out"
    api.states = [job("completed", completed_at="2026-11-22T12:01:09.000Z", execution_arn=ARN)]

    def set_up(**others: Reply) -> None:
        def answer(seen: Seen) -> Reply:
            name = seen.headers.get("X-Amz-Target", "").rpartition(".")[2]
            if not name:
                return api._post__(seen)
            if name in others:
                return others[name]
            body = seen.body if isinstance(seen.body, dict) else json.loads(seen.body)
            if name == "GetExecutionHistory":
                return history(body)
            assert (name, body["filterPattern"]) == ("FilterLogEvents", f'"{JOB_ID}"')
            return Reply(200, {"events": {"/bus": PUBLISHED, "functions-log": LOGGED}[body["logGroupName"]]})

        api.on("POST /", answer, times=20)

    return set_up


def history(body: dict[str, Any]) -> Reply:
    """In two pages."""
    assert body["executionArn"] == ARN
    if body.get("nextToken") == "more":
        return Reply(200, {"events": HISTORY[3:]})
    return Reply(200, {"events": HISTORY[:3], "nextToken": "more"})


@pytest.mark.slow
def test_a_timeline_has_every_source_in_order_with_durations(aws: Callable[..., None], run: Run) -> None:
    aws()
    shown = run("show", JOB_ID, "--timeline", "--json").json
    assert (shown["id"], shown["status"], shown["unread"]) == (JOB_ID, "completed", [])
    assert [(one["after_seconds"], one["seconds"], one["source"], one["what"]) for one in shown["timeline"]] == [
        (0.0, None, "record", "created"),
        (1.0, None, "execution", "execution started"),
        (1.0, 2.5, "execution", "Submit"),
        (3.0, None, "event", "Video Generation Submitted: in_progress"),
        (3.2, None, "log", "provider accepted (provider_job_id job_1)"),
        (3.5, 61.5, "execution", "wait and poll, 2 polls"),
        (65.0, 4.0, "execution", "Deliver"),
        (66.0, None, "execution", "attempt failed: DownloadFailed"),
        (69.0, 69.0, "record", "ended: completed"),
        (70.0, None, "execution", "execution succeeded"),
    ]
    assert shown["timeline"][0]["at"] == "2026-11-22T12:00:00.000Z"


@pytest.mark.slow
def test_a_timeline_is_a_table_for_people(aws: Callable[..., None], run: Run) -> None:
    aws()
    lines = run("show", JOB_ID, "--timeline").out.splitlines()
    assert lines[0].split() == ["at", "after", "took", "from", "what"]
    assert lines[6] == "2026-11-22T12:00:03.500Z  3.5s   61.5s  execution  wait and poll, 2 polls"


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(aws: Callable[..., None], run: Run) -> None:
    refused = {"__type": "AccessDeniedException", "message": "No states:GetExecutionHistory."}
    gone = {"__type": "ResourceNotFoundException", "message": "No such group."}
    aws(GetExecutionHistory=Reply(400, refused), FilterLogEvents=Reply(400, gone))
    result = run("show", JOB_ID, "--timeline")
    assert result.code == 0
    assert [line.split()[3] for line in result.out.splitlines()[1:]] == ["record", "record"]
    notes = [line for line in result.err.splitlines() if line.startswith("Not read:")]
    assert [note.split(": ")[1] for note in notes] == ["the execution's history", "the event log", "the functions' log"]
    assert "No states:GetExecutionHistory." in notes[0]


@pytest.mark.slow
def test_a_running_job_shows_the_state_that_it_is_in(aws: Callable[..., None], api: FakeApi, run: Run) -> None:
    api.states = [job("in_progress", execution_arn=ARN)]
    waiting = {"timestamp": BEGUN + 4, "type": "WaitStateEntered", "stateEnteredEventDetails": {"name": "Wait"}}
    aws(GetExecutionHistory=Reply(200, {"events": [*HISTORY[:3], waiting]}))
    what = [one["what"] for one in run("show", JOB_ID, "--timeline", "--json").json["timeline"]]
    assert what[-2:] == ["Wait (not left)", "last change: in_progress"]
