"""Jobs that nobody is at: executions that ended without our code running, and records that stand still."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.jobs.index import unpublished_partitions
from stillmotion.jobs.lifecycle import CLAIM, Status
from stillmotion.jobs.record import timestamp
from stillmotion.jobs.store import DynamoJobStore
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import ProviderJob
from tests.support.inprocess import OPERATOR, Cloud
from tests.support.recovery import age, ended, silent_bus, store
from tests.support.requests import request

HOUR = timedelta(hours=1)
PAID = (Status.IN_PROGRESS, Status.DELIVERING)


def left_alone(stack: Cloud, simulator: Simulator, status: Status, **fields: Any) -> str:
    """A job that was paid for, stands in this state for an hour, and has no execution."""
    job = stack.http("POST", "/videos", request(simulator))[2]
    stack.finish(job["execution_arn"])
    stack.events()
    boto3.resource("dynamodb").Table("jobs").update_item(
        Key={"id": job["id"]},
        UpdateExpression="REMOVE video, #error, completed_at, published_at",
        ExpressionAttributeNames={"#error": "error"},
    )
    boto3.client("s3").delete_object(Bucket="clips", Key=f"videos/{job['id']}.mp4")
    age(job["id"], HOUR, status=str(status), **fields)
    return str(job["id"])


def finished(stack: Cloud, job_id: str) -> dict[str, Any]:
    """The job once its present execution has ended."""
    arn = store().find(job_id).execution_arn  # type: ignore[union-attr]
    stack.finish(str(arn))
    return stack.job(job_id)


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, Status.DELIVERING])
def test_an_orphaned_paid_job_is_delivered(stack: Cloud, simulator: Simulator, status: Status) -> None:
    job_id = left_alone(stack, simulator, status)
    assert stack.invoke("SweepFunction", {})["resumed"] == 1
    assert finished(stack, job_id)["status"] == "completed"
    assert len(simulator.jobs()) == 1


def test_a_queued_job_without_an_execution_is_submitted_once(stack: Cloud, simulator: Simulator) -> None:
    job_id = left_alone(stack, simulator, Status.QUEUED, provider={})
    simulator.reset()
    assert stack.invoke("SweepFunction", {})["resumed"] == 1
    assert finished(stack, job_id)["status"] == "completed"
    assert len(simulator.jobs()) == 1


def test_an_unknown_submit_is_reported_and_never_repeated(stack: Cloud, simulator: Simulator) -> None:
    job_id = left_alone(stack, simulator, Status.SUBMITTING, provider={})
    assert stack.invoke("SweepFunction", {})["settled"] == 1
    assert stack.job(job_id)["status"] == "submit_unknown"
    assert [event["detail"]["status"] for event in stack.events()] == ["submit_unknown"]
    assert len(simulator.jobs()) == 1


def test_a_job_with_a_living_execution_is_left_alone(
    stack: Cloud, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = left_alone(stack, simulator, Status.IN_PROGRESS)
    monkeypatch.setattr("stillmotion.stepfunctions.executions.VideoExecutions.running", lambda *_: True)
    assert stack.invoke("SweepFunction", {})["resumed"] == 0
    assert stack.job(job_id)["status"] == "in_progress"


def test_what_changed_lately_is_left_alone(stack: Cloud, simulator: Simulator) -> None:
    job_id = left_alone(stack, simulator, Status.IN_PROGRESS, updated_at=timestamp(datetime.now(UTC)))
    assert stack.invoke("SweepFunction", {}) == {
        "checked": 0,
        "resumed": 0,
        "settled": 0,
        "published": 0,
        "failed": 0,
        "inspections": 0,
    }
    assert stack.job(job_id)["status"] == "in_progress"


def test_a_timed_out_job_is_checked_after_an_hour_and_a_day(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=62)
    job = stack.http("POST", "/videos", request(simulator))[2]
    stack.finish(job["execution_arn"])
    assert stack.invoke("SweepFunction", {})["resumed"] == 0
    age(job["id"], HOUR)
    assert stack.invoke("SweepFunction", {})["resumed"] == 0  # the 61st poll: not yet
    assert stack.invoke("SweepFunction", {})["resumed"] == 0  # looked up once an hour after, not twice
    assert stack.job(job["id"])["status"] == "timed_out"
    age(job["id"], 23 * HOUR)
    assert stack.invoke("SweepFunction", {})["resumed"] == 1  # the 62nd poll
    assert finished(stack, job["id"])["status"] == "completed"
    assert len(simulator.jobs()) == 1


def test_a_timed_out_job_that_failed_meanwhile_is_published_as_failed(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=61, fail_with={"status": "failed", "error": "We do not animate this."})
    job = stack.http("POST", "/videos", request(simulator))[2]
    stack.finish(job["execution_arn"])
    age(job["id"], HOUR)
    assert stack.invoke("SweepFunction", {})["resumed"] == 1
    done = finished(stack, job["id"])
    assert (done["status"], done["error"]["provider_message"]) == ("failed", "We do not animate this.")


def unpublished() -> list[str]:
    """The jobs that have ended and nobody was told of, as the index has them."""
    return [job_id for partition in unpublished_partitions() for job_id in store().unpublished(partition)]


def unheard(stack: Cloud, simulator: Simulator) -> str:
    """A job whose video is stored, and of whose end nobody heard."""
    with silent_bus("Completed"):
        job = stack.http("POST", "/videos", request(simulator))[2]
        assert stack.finish(job["execution_arn"])["status"] == "FAILED"
    assert [event["detail-type"] for event in stack.events()] == ["Video Generation Submitted"]
    assert stack.job(job["id"])["status"] == "completed"
    return str(job["id"])


def test_the_sweep_publishes_an_unpublished_video(stack: Cloud, simulator: Simulator) -> None:
    job_id = unheard(stack, simulator)
    assert stack.invoke("SweepFunction", {})["published"] == 0  # its execution may be at it
    age(job_id, HOUR)
    with silent_bus("Completed"):
        assert stack.invoke("SweepFunction", {})["failed"] == 1
    age(job_id, HOUR)
    assert stack.invoke("SweepFunction", {}) == {
        "checked": 1,
        "resumed": 0,
        "settled": 0,
        "published": 1,
        "failed": 0,
        "inspections": 0,
    }
    published = [(event["detail-type"], event["detail"]["id"]) for event in stack.events()]
    assert published == [("Video Inspection Requested", job_id), ("Video Generation Completed", job_id)]
    age(job_id, HOUR)
    swept = stack.invoke("SweepFunction", {})
    assert swept["checked"] == swept["inspections"]  # it is only asked to be inspected, which nothing does here
    assert unpublished() == []


def test_a_failed_execution_publishes_the_unpublished_video(stack: Cloud, simulator: Simulator) -> None:
    job_id = unheard(stack, simulator)
    event = ended(store().find(job_id).execution_arn, {"job": {"id": job_id, "submitted": True}}, "FAILED")  # type: ignore
    assert stack.invoke("ExecutionEndedFunction", event) == {"id": job_id}
    assert [heard["detail-type"] for heard in stack.events()] == ["Video Generation Completed"]
    assert stack.invoke("ExecutionEndedFunction", event) == {"id": None}


def test_an_unpublished_refusal_is_published(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("submit", times=1, status=402)
    with silent_bus("Failed"):
        status, _, problem = stack.http("POST", "/videos", request(simulator), headers={"Idempotency-Key": "a"})
        assert status >= 400
        job_id = problem["instance"].rsplit("/", 1)[1]
        # The API hands over to the workflow what it could not publish, which cannot publish it either.
        assert stack.finish(str(store().find(job_id).execution_arn))["status"] == "FAILED"  # type: ignore[union-attr]
    assert unpublished() == [job_id]
    age(job_id, HOUR)
    assert stack.invoke("SweepFunction", {})["published"] == 1
    assert [heard["detail"]["error"]["code"] for heard in stack.events()] == ["ProviderOutOfCredits"]


def test_resume_polls_a_job_whose_execution_failed_midway(stack: Cloud, simulator: Simulator) -> None:
    error = {"code": "InternalError", "message": "A step broke.", "retryable": False}
    job_id = left_alone(stack, simulator, Status.FAILED, error=json.dumps(error))
    boto3.resource("dynamodb").Table("jobs").update_item(
        Key={"id": job_id},
        UpdateExpression="SET provider.#status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": "in_progress"},
    )
    _, _, resumed = stack.http("POST", f"/videos/{job_id}/resume")
    assert finished(stack, job_id)["status"] == "completed"
    assert stack.states(resumed["execution_arn"]).count("Poll") == 1


def test_a_video_missing_at_one_check_can_be_checked_again(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("content", times=3, status=404)
    job = stack.http("POST", "/videos", request(simulator))[2]
    stack.finish(job["execution_arn"])
    assert stack.job(job["id"])["status"] == "expired"
    assert stack.http("POST", f"/videos/{job['id']}/resume")[0] == 202
    assert finished(stack, job["id"])["status"] == "completed"
    assert len(simulator.jobs()) == 1


def test_a_job_that_modelgates_let_expire_cannot_be_resumed(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(fail_with={"status": "expired"})
    job = stack.http("POST", "/videos", request(simulator))[2]
    stack.finish(job["execution_arn"])
    assert stack.http("POST", f"/videos/{job['id']}/resume")[0] == 409


@pytest.mark.parametrize(
    ("status", "how", "after", "code"),
    [
        (Status.QUEUED, "ABORTED", "cancelled", "GenerationCancelled"),
        (Status.QUEUED, "TIMED_OUT", "failed", "InternalError"),
        (Status.SUBMITTING, "ABORTED", "submit_unknown", "SubmitOutcomeUnknown"),
        (Status.IN_PROGRESS, "TIMED_OUT", "timed_out", "PollingTimedOut"),
        (Status.DELIVERING, "ABORTED", "failed", "DownloadFailed"),
    ],
)
def test_an_execution_that_ended_by_itself_settles_its_record(
    stack: Cloud, simulator: Simulator, status: Status, how: str, after: str, code: str
) -> None:
    job_id = left_alone(stack, simulator, status, **({} if status in PAID else {"provider": {}}))
    arn = str(store().find(job_id).execution_arn)  # type: ignore[union-attr]
    event = ended(arn, {"job": {"id": job_id, "submitted": True}}, how)
    assert stack.invoke("ExecutionEndedFunction", event) == {"id": job_id}
    job = stack.job(job_id)
    assert (job["status"], job["error"]["code"]) == (after, code)
    assert [told["detail"]["status"] for told in stack.events()] == [after]
    assert stack.invoke("ExecutionEndedFunction", event) == {"id": None}


def test_the_end_of_an_execution_that_is_not_the_jobs_changes_nothing(stack: Cloud, simulator: Simulator) -> None:
    job_id = left_alone(stack, simulator, Status.IN_PROGRESS)
    event = ended("arn:aws:states:eu-central-1:123456789012:execution:generate-video:other", {"job": {"id": job_id}})
    assert stack.invoke("ExecutionEndedFunction", event) == {"id": None}
    assert stack.job(job_id)["status"] == "in_progress"


def test_a_job_claimed_during_publishing_is_not_ended(
    stack: Cloud, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = left_alone(stack, simulator, Status.QUEUED, provider={})
    arn = str(store().find(job_id).execution_arn)  # type: ignore[union-attr]
    find = DynamoJobStore.find

    def claimed_afterwards(jobs: DynamoJobStore, job_id: str) -> Any:
        monkeypatch.undo()
        found = find(jobs, job_id)
        store().update(job_id, CLAIM)
        return found

    monkeypatch.setattr(DynamoJobStore, "find", claimed_afterwards)
    with pytest.raises(Exception, match="changed at this moment"):
        stack.invoke("ExecutionEndedFunction", ended(arn, {"job": {"id": job_id}}))
    assert stack.job(job_id)["status"] == "submitting"


def test_a_submit_under_way_is_asked_about_again(stack: Cloud, simulator: Simulator) -> None:
    job_id = left_alone(stack, simulator, Status.SUBMITTING, updated_at=timestamp(datetime.now(UTC)))
    arn = str(store().find(job_id).execution_arn)  # type: ignore[union-attr]
    with pytest.raises(Exception, match="being submitted"):
        stack.invoke("ExecutionEndedFunction", ended(arn, {"job": {"id": job_id}}))


def unknown(stack: Cloud, simulator: Simulator) -> tuple[str, str]:
    """A job whose submit was accepted without an answer, and its id at ModelGates."""
    simulator.fault("submit", times=1, accept_then_lose="reset")
    problem = stack.http("POST", "/videos", request(simulator))[2]
    return problem["instance"].removeprefix("/videos/"), simulator.jobs()[0]["id"]


def test_a_lost_job_is_adopted_and_delivered(stack: Cloud, simulator: Simulator) -> None:
    job_id, provider_job_id = unknown(stack, simulator)
    status, _, adopted = stack.http(
        "POST", f"/videos/{job_id}/settle", {"provider_job_id": provider_job_id}, caller=OPERATOR
    )
    assert (status, adopted["status"]) == (202, "in_progress")
    assert finished(stack, job_id)["status"] == "completed"
    assert len(simulator.jobs()) == 1


def test_an_id_that_modelgates_does_not_know_is_not_adopted(stack: Cloud, simulator: Simulator) -> None:
    job_id, _ = unknown(stack, simulator)
    status, _, problem = stack.http(
        "POST", f"/videos/{job_id}/settle", {"provider_job_id": "no-such-job"}, caller=OPERATOR
    )
    assert (status, problem["errors"][0]["pointer"]) == (400, "#/provider_job_id")
    assert stack.job(job_id)["status"] == "submit_unknown"


def test_an_answer_without_the_id_is_not_adopted(
    stack: Cloud, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, theirs = unknown(stack, simulator)
    given = f"{theirs}%2F"
    there = ProviderJob(given, "completed", named_id=theirs)
    monkeypatch.setattr(ModelGates, "job", lambda self, asked: there)
    order = {"provider_job_id": given}
    status, _, problem = stack.http("POST", f"/videos/{job_id}/settle", order, caller=OPERATOR)
    assert (status, problem["errors"][0]["pointer"]) == (400, "#/provider_job_id")
    assert stack.job(job_id)["status"] == "submit_unknown"


def test_a_lost_job_is_given_up(stack: Cloud, simulator: Simulator) -> None:
    job_id, _ = unknown(stack, simulator)
    status, _, job = stack.http("POST", f"/videos/{job_id}/settle", {"abandon": True}, caller=OPERATOR)
    assert (status, job["status"], job["error"]["code"]) == (200, "failed", "SubmitOutcomeUnknown")
    told = [(event["detail-type"], event["detail"]["status"]) for event in stack.events()]
    assert told == [("Video Generation Failed", "submit_unknown"), ("Video Generation Failed", "failed")]


@pytest.mark.parametrize(
    "order",
    [
        *({}, {"provider_job_id": "a", "abandon": True}, {"abandon": False}, {"id": "a"}),
        *({"charged": False}, {"provider_job_id": "a", "charged": False}, {"abandon": True, "charged": "no"}),
    ],
)
def test_an_order_that_says_neither_or_both_is_refused(stack: Cloud, order: dict[str, Any]) -> None:
    assert stack.http("POST", "/videos/vid_0/settle", order)[0] == 400


def test_only_a_lost_job_is_settled_by_hand(stack: Cloud, simulator: Simulator) -> None:
    job_id = left_alone(stack, simulator, Status.IN_PROGRESS)
    status, _, problem = stack.http("POST", f"/videos/{job_id}/settle", {"abandon": True}, caller=OPERATOR)
    assert (status, problem["code"]) == (409, "JobStateConflict")
