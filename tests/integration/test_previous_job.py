"""Continuing a job: named by our id, translated into ModelGates', and nothing learnt about other callers' jobs."""

from __future__ import annotations

from typing import Any

import pytest

from local.simulator import Simulator
from tests.support.inprocess import ACCOUNT, CALLER, OPERATOR, Cloud
from tests.support.requests import request, requested

BOB = f"arn:aws:iam::{ACCOUNT}:role/bob"
MODEL = "google/veo-3.1-lite"


def completed(stack: Cloud, simulator: Simulator, caller: str = CALLER) -> str:
    job = stack.http("POST", "/videos", request(simulator), caller=caller)[2]
    assert stack.finish(job["execution_arn"])["status"] == "SUCCEEDED"
    return str(job["id"])


def go_on(
    stack: Cloud, simulator: Simulator, previous: Any, caller: str = CALLER, query: str = "", **changes: Any
) -> tuple[int, Any]:
    asked = request(simulator, previous_job_id=previous, **changes)
    status, _, body = stack.http("POST", f"/videos{query}", asked, caller=caller)
    return status, body


def paid(simulator: Simulator) -> list[str | None]:
    """What each job at ModelGates continues."""
    return [job["request"].get("previous_job_id") for job in simulator.jobs()]


@pytest.mark.parametrize("caller", [CALLER, OPERATOR])
def test_our_id_is_translated_into_modelgates_own(stack: Cloud, simulator: Simulator, caller: str) -> None:
    first = completed(stack, simulator)
    status, job = go_on(stack, simulator, first, caller)
    assert status == 202, job
    [original, following] = simulator.jobs()
    assert following["request"]["previous_job_id"] == original["id"] != first
    # The record and its views keep our id.
    assert job["request"]["previous_job_id"] == first


def test_what_may_not_be_seen_is_answered_as_what_is_not_there(stack: Cloud, simulator: Simulator) -> None:
    theirs = completed(stack, simulator, BOB)
    stack.close()
    unfinished = stack.http("POST", "/videos", request(simulator, seed=2), caller=BOB)[2]["id"]
    absent = "vid_" + "0" * 26
    of_modelgates = simulator.jobs()[0]["id"]
    answers = set()
    for given in (theirs, unfinished, absent, of_modelgates, "callback#x", "x" * 256, "é"):
        for query in ("", "?dry_run=true"):
            status, problem = go_on(stack, simulator, given, query=query)
            answers.add((status, str(problem).replace(given, "ID").replace(f"{given[:80]}… (256 characters)", "ID")))
    assert len(answers) == 1
    [(status, said)] = answers
    assert status == 400
    assert "previous_job_id is no completed job of yours. Give the id that this stack gave the job" in said
    assert len(simulator.jobs()) == 2


def test_an_own_job_that_is_not_completed_is_named_with_its_state(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(fail_with={"status": "failed"})
    failed = stack.http("POST", "/videos", request(simulator))[2]
    stack.finish(failed["execution_arn"])
    status, problem = go_on(stack, simulator, failed["id"])
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (400, "InvalidRequest", "#/previous_job_id")
    assert "previous_job_id is failed: only a completed job can be continued" in problem["detail"]


def test_a_job_is_continued_on_its_own_model_only(stack: Cloud, simulator: Simulator) -> None:
    first = completed(stack, simulator)
    status, problem = go_on(stack, simulator, first, model="google/veo-3.1-fast")
    assert (status, problem["code"]) == (400, "InvalidRequest")
    assert f"was made with {MODEL}, and is continued on the same model only" in problem["detail"]
    assert paid(simulator) == [None]


def test_events_continue_jobs_without_an_owner_and_workflows_all(stack: Cloud, simulator: Simulator) -> None:
    theirs = completed(stack, simulator)
    own = stack.start(request(simulator, seed=1))
    stack.finish(own)
    [shared] = [job["id"] for job in stack.http("GET", "/videos")[2]["data"] if job["id"] != theirs]
    for number, (asked, ends) in enumerate(((theirs, "FAILED"), (shared, "SUCCEEDED"))):
        event = requested(request(simulator, previous_job_id=asked), event_id=f"e{number}")
        assert stack.finish(stack.start(event))["status"] == ends
    assert stack.finish(stack.start(request(simulator, previous_job_id=theirs)))["status"] == "SUCCEEDED"
    made = [job["id"] for job in simulator.jobs()]
    assert paid(simulator) == [None, None, made[1], made[0]]


def test_the_rows_of_a_batch_continue_its_owners_jobs(stack: Cloud, simulator: Simulator) -> None:
    theirs = completed(stack, simulator)
    for number, (owner, ends) in enumerate(((BOB, "FAILED"), (CALLER, "SUCCEEDED"))):
        row = {"id": "b", "item_id": str(number), "owner": owner}
        started = stack.start({"batch": row, "request": request(simulator, previous_job_id=theirs)})
        assert stack.finish(started)["status"] == ends
