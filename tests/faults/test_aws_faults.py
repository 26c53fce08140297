"""AWS refuses a call, or takes it and loses the answer: once, or for as long as it takes everybody to give up."""

from __future__ import annotations

from typing import Any

import pytest

from stillmotion.jobs.lifecycle import Status
from tests.faults.invariants import assert_invariants
from tests.faults.shaking import Wanted, broken_call, call, change, event
from tests.faults.world import World

CALLS: dict[str, tuple[Wanted, str, dict[str, Any]]] = {
    "the record": (call("PutItem"), "http", {}),
    "the claim": (change(status="submitting"), "http", {}),
    "the claim of a workflow": (change(status="submitting"), "workflow", {}),
    "the provider's id": (change(status="in_progress"), "http", {}),
    "the execution": (call("StartExecution"), "http", {}),
    "the event Submitted": (event("Submitted"), "workflow", {}),
    "the look at a poll": (lambda made, given: made == "UpdateItem" and "#polls" in str(given), "workflow", {}),
    "the delivery's beginning": (change(status="delivering"), "workflow", {}),
    "the video": (call("PutObject"), "workflow", {}),
    "the upload": (call("CreateMultipartUpload"), "workflow", {"pad_to_bytes": 20 * 2**20}),
    "a part": (call("UploadPart"), "workflow", {"pad_to_bytes": 20 * 2**20}),
    "the whole": (call("CompleteMultipartUpload"), "workflow", {"pad_to_bytes": 20 * 2**20}),
    "the completion": (change(status="completed"), "workflow", {}),
    "the event Completed": (event("Completed"), "workflow", {}),
    "that it was told": (lambda made, given: made == "UpdateItem" and "#published_at" in str(given), "workflow", {}),
    "the failure": (change(status="failed"), "workflow", {"fail_with": {"status": "failed"}}),
    "the event Failed": (event("Failed"), "workflow", {"fail_with": {"status": "failed"}}),
}


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "lost"])
@pytest.mark.parametrize("times", [1, None], ids=["once", "for_ever"])
@pytest.mark.parametrize("what", CALLS)
def test_a_call_that_aws_does_not_answer_costs_nothing(world: World, what: str, times: int | None, lost: bool) -> None:
    wanted, door, settings = CALLS[what]
    world.simulator.settings(**settings)
    with broken_call(wanted, times, lost=lost) as failed:
        world.ask(door)
    assert failed, f"nobody called for {what}"
    # An upload whose id was lost cannot be ended by anybody; its bucket's lifecycle rule does that.
    assert_invariants(world, uploads_left=len(failed) if lost and what == "the upload" else 0)
    paid = world.simulator.jobs()
    assert len(paid) <= 1
    if paid and not settings.get("fail_with"):
        assert [job.status for job in world.jobs()] == [Status.COMPLETED]
