"""Submits whose answer is lost, where ModelGates calls back: the clip is delivered, paid once, and needs no person."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.simulator import Simulator
from local.simulator.catalogue import RECORDED
from stillmotion.modelgates.callback import callback_token
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import ProviderJob
from tests.support.function_url import FunctionUrl, cloud_with_callbacks
from tests.support.inprocess import CALLBACK_SECRET, OPERATOR, Cloud, Crash
from tests.support.recovery import age, ended
from tests.support.requests import request

LOSSES = ("reset", "unreadable", 500, 502, 504)
PATIENT = 20.0
MAX_POLLS = 3


@pytest.fixture
def called_back(simulator: Simulator) -> Iterator[tuple[Cloud, FunctionUrl]]:
    with cloud_with_callbacks(simulator, max_polls=MAX_POLLS, DailySpendLimitUsd="100") as made:
        yield made


@pytest.fixture
def stack(called_back: tuple[Cloud, FunctionUrl]) -> Cloud:
    return called_back[0]


@pytest.fixture
def url(called_back: tuple[Cloud, FunctionUrl]) -> FunctionUrl:
    return called_back[1]


def lost(stack: Cloud, simulator: Simulator, how: Any = "reset") -> dict[str, Any]:
    """A job over HTTP whose answer is lost."""
    simulator.fault("submit", accept_then_lose=how)
    status, _, job = stack.http("POST", "/videos", request(simulator), headers={"Idempotency-Key": "one"})
    assert (status, job["status"]) == (202, "confirming"), job
    found: dict[str, Any] = job
    return found


def delivered(stack: Cloud, simulator: Simulator, job_id: str) -> dict[str, Any]:
    job = stack.job(job_id)
    ended = stack.finish(job["execution_arn"])
    assert ended["status"] == "SUCCEEDED", ended
    done = stack.job(job_id)
    [paid] = simulator.jobs()
    assert (done["status"], done["provider"]["job_id"]) == ("completed", paid["id"])
    assert done["usage"] == {"cost_usd": pytest.approx(paid["charged_usd"])}
    assert counted() == pytest.approx(paid["charged_usd"])
    events = [event["detail-type"].rpartition(" ")[2] for event in stack.events()]
    assert events == ["Submitted", "Completed"]
    return done


def counted() -> float:
    """What all days are counted with, in USD."""
    items = boto3.resource("dynamodb").Table("days").scan()["Items"]
    return sum(float(item["micro_usd"]) for item in items if "#" not in item["day"]) / 1e6


def call(url: FunctionUrl, job_id: str, provider_id: str) -> None:
    path = f"/callbacks/{job_id}/{callback_token(CALLBACK_SECRET, job_id)}"
    body = json.dumps({"type": "video.generation.completed", "data": {"id": provider_id}}).encode()
    assert url.call("POST", path, {}, body) == 204


def callback_item(job_id: str) -> dict[str, Any]:
    return dict(boto3.resource("dynamodb").Table("jobs").get_item(Key={"id": f"callback#{job_id}"}).get("Item", {}))


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def abort(stack: Cloud, job: dict[str, Any]) -> None:
    """Stop a job's execution while it waits for a callback."""
    until(lambda: "task_token" in callback_item(job["id"]))
    client = boto3.client("stepfunctions")
    client.stop_execution(executionArn=job["execution_arn"])
    # In moto, a stopped execution ends when the task that it waits for does.
    with suppress(ClientError):
        client.send_task_success(taskToken=callback_item(job["id"])["task_token"], output="{}")
    ended = stack.finish(job["execution_arn"])
    assert ended["status"] == "ABORTED", (ended, stack.states(job["execution_arn"]))


@pytest.mark.parametrize("how", LOSSES)
def test_a_lost_answer_over_http_is_recovered_by_the_callback(stack: Cloud, simulator: Simulator, how: Any) -> None:
    simulator.settings(seconds_to_ready=0.3)
    stack.patience = PATIENT
    delivered(stack, simulator, lost(stack, simulator, how)["id"])


def test_a_model_asked_for_by_its_canonical_slug_is_recovered_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that names the model names it by its id, whichever of its two names was asked for."""
    answered = ModelGates.job

    def by_id(self: ModelGates, *given: Any) -> ProviderJob:
        return replace(answered(self, *given), model="google/veo-3.1-lite")

    monkeypatch.setattr(ModelGates, "job", by_id)
    models = json.loads(RECORDED.read_text())
    for model in models["data"]:
        model["canonical_slug"] = f"{model['id']}-20261001"
    catalogue = tmp_path / "models.json"
    catalogue.write_text(json.dumps(models))
    with (
        Simulator(catalogue=catalogue, clip="tiny", seconds_to_ready=0.3) as simulator,
        cloud_with_callbacks(simulator, max_polls=MAX_POLLS, DailySpendLimitUsd="100") as (stack, _),
    ):
        stack.patience = PATIENT
        simulator.fault("submit", accept_then_lose="reset")
        asked = request(simulator)
        asked["model"] += "-20261001"
        _, _, job = stack.http("POST", "/videos", asked, headers={"Idempotency-Key": "one"})
        assert job["status"] == "confirming"
        delivered(stack, simulator, job["id"])


@pytest.mark.parametrize("how", LOSSES)
def test_a_lost_answer_in_a_workflow_is_recovered_too(stack: Cloud, simulator: Simulator, how: Any) -> None:
    simulator.settings(seconds_to_ready=0.3)
    simulator.fault("submit", accept_then_lose=how)
    stack.patience = PATIENT
    finished = stack.finish(stack.start(request(simulator)))
    assert finished["status"] == "SUCCEEDED", finished
    delivered(stack, simulator, json.loads(finished["output"])["id"])


def test_a_submit_that_crashed_after_the_paid_call_is_recovered(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(seconds_to_ready=0.3)
    stack.patience = PATIENT
    invoke, crashed = stack.invoke, False

    def crashing(function: str, event: Any, context: Any = None) -> Any:
        nonlocal crashed
        if function == "SubmitTaskFunction" and not crashed:
            crashed = True
            from stillmotion.modelgates.client import ModelGates

            real = ModelGates.submit

            def paid(client: ModelGates, body: Any) -> Any:
                ModelGates.submit = real  # type: ignore[method-assign]
                real(client, body)
                raise Crash("right after the paid call")

            ModelGates.submit = paid  # type: ignore[method-assign]
        return invoke(function, event, context)

    stack.invoke = crashing  # type: ignore[method-assign]
    finished = stack.finish(stack.start(request(simulator)))
    assert finished["status"] == "SUCCEEDED", finished
    delivered(stack, simulator, json.loads(finished["output"])["id"])


def test_without_a_callback_the_outcome_is_unknown_after_the_window(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(webhooks=False)
    job = lost(stack, simulator)
    assert stack.finish(job["execution_arn"])["error"] == "SubmitOutcomeUnknown"
    done = stack.job(job["id"])
    assert (done["status"], stack.waits) == ("submit_unknown", [30] * MAX_POLLS)
    assert done["usage"] == {"may_have_cost_usd": done["estimated_cost_usd"]}
    assert [event["detail"]["status"] for event in stack.events()] == ["submit_unknown"]
    # The same request again is the same job, and is not paid again.
    status, _, again = stack.http("POST", "/videos", request(simulator), headers={"Idempotency-Key": "one"})
    assert (status, again["id"]) == (200, job["id"])
    assert len(simulator.jobs()) == 1


def test_a_generation_that_fails_after_the_adoption_ends_as_failed(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(seconds_to_ready=0.3, fail_with={"status": "failed", "error": "The image shows a person."})
    stack.patience = PATIENT
    job = lost(stack, simulator)
    assert stack.finish(job["execution_arn"])["error"] == "GenerationFailed"
    assert stack.job(job["id"])["error"]["provider_message"] == "The image shows a person."


def test_a_callback_that_names_a_job_that_is_not_there_is_dropped(
    stack: Cloud, simulator: Simulator, url: FunctionUrl
) -> None:
    simulator.settings(webhooks=False)
    stack.patience = PATIENT
    job = lost(stack, simulator)
    call(url, job["id"], "not-there")
    until(lambda: "provider_id" not in callback_item(job["id"]))
    call(url, job["id"], simulator.jobs()[0]["id"])
    delivered(stack, simulator, job["id"])


def test_two_jobs_never_share_an_id(stack: Cloud, simulator: Simulator, url: FunctionUrl) -> None:
    simulator.settings(webhooks=False)
    _, _, first = stack.http("POST", "/videos", request(simulator))
    stack.finish(first["execution_arn"])
    job = lost(stack, simulator)
    call(url, job["id"], stack.job(first["id"])["provider"]["job_id"])
    assert stack.finish(job["execution_arn"])["error"] == "SubmitOutcomeUnknown"
    assert "job_id" not in stack.job(job["id"])["provider"]


def sweep(stack: Cloud) -> dict[str, int]:
    answer: dict[str, int] = stack.invoke("SweepFunction", {})
    return answer


def test_a_late_callback_lets_the_sweep_deliver(stack: Cloud, simulator: Simulator, url: FunctionUrl) -> None:
    simulator.settings(webhooks=False)
    job = lost(stack, simulator)
    stack.finish(job["execution_arn"])
    assert sweep(stack)["resumed"] == 0
    call(url, job["id"], simulator.jobs()[0]["id"])
    assert sweep(stack)["resumed"] == 1
    resumed = stack.job(job["id"])
    assert stack.finish(resumed["execution_arn"])["status"] == "SUCCEEDED"
    assert stack.job(job["id"])["status"] == "completed"
    assert [event["detail-type"].rpartition(" ")[2] for event in stack.events()] == ["Failed", "Submitted", "Completed"]
    assert len(simulator.jobs()) == 1


def test_a_late_callback_of_a_job_given_up_is_put_on_record(
    stack: Cloud, simulator: Simulator, url: FunctionUrl
) -> None:
    simulator.settings(webhooks=False)
    job = lost(stack, simulator)
    stack.finish(job["execution_arn"])
    status, _, _ = stack.http(
        "POST", f"/videos/{job['id']}/settle", {"abandon": True, "charged": False}, caller=OPERATOR
    )
    assert status == 200
    assert counted() == 0
    [paid] = simulator.jobs()
    call(url, job["id"], paid["id"])
    sweep(stack)
    noted = stack.job(job["id"])
    assert (noted["status"], noted["provider"]["job_id"], noted["resumable"]) == ("failed", paid["id"], True)
    assert counted() == pytest.approx(noted["estimated_cost_usd"])
    assert stack.http("POST", f"/videos/{job['id']}/resume")[0] == 202
    assert stack.finish(stack.job(job["id"])["execution_arn"])["status"] == "SUCCEEDED"
    assert len(simulator.jobs()) == 1


@pytest.mark.parametrize("given_up", [True, False], ids=["given up", "cancelled"])
def test_of_a_purged_job_what_it_cost_is_put_on_record(
    stack: Cloud, simulator: Simulator, url: FunctionUrl, given_up: bool
) -> None:
    simulator.settings(webhooks=False)
    stack.patience = 0.02 if given_up else PATIENT
    job = lost(stack, simulator)
    if given_up:
        stack.finish(job["execution_arn"])
        settled = {"abandon": True, "charged": False}
        assert stack.http("POST", f"/videos/{job['id']}/settle", settled, caller=OPERATOR)[0] == 200
    else:
        assert stack.http("DELETE", f"/videos/{job['id']}")[0] == 200
        stack.patience = 0.02
        stack.finish(job["execution_arn"])
    assert stack.http("DELETE", f"/videos/{job['id']}?purge=true", caller=OPERATOR)[0] == 200
    [paid] = simulator.jobs()
    call(url, job["id"], paid["id"])
    sweep(stack)
    noted = stack.job(job["id"])
    assert (noted["provider"]["job_id"], noted.get("resumable", False)) == (paid["id"], False)
    assert stack.http("POST", f"/videos/{job['id']}/resume", caller=OPERATOR)[0] == 409
    assert noted["provider"].get("polling_url") is None
    assert counted() == pytest.approx(noted["estimated_cost_usd"])
    assert noted["request"].keys() <= {"model", "duration", "resolution", "aspect_ratio", "size", "generate_audio"}
    assert len(simulator.jobs()) == 1


def test_a_job_cancelled_while_confirming_is_not_delivered(
    stack: Cloud, simulator: Simulator, url: FunctionUrl
) -> None:
    simulator.settings(webhooks=False)
    stack.patience = PATIENT
    job = lost(stack, simulator)
    status, _, cancelled = stack.http("DELETE", f"/videos/{job['id']}")
    stack.patience = 0.02
    assert (status, cancelled["status"]) == (200, "cancelled"), cancelled
    assert cancelled["usage"] == {"may_have_cost_usd": cancelled["estimated_cost_usd"]}
    [paid] = simulator.jobs()
    call(url, job["id"], paid["id"])
    sweep(stack)
    noted = stack.job(job["id"])
    assert (noted["status"], noted["provider"]["job_id"]) == ("cancelled", paid["id"])
    assert noted["usage"] == {"cost_usd": pytest.approx(paid["charged_usd"])}
    assert "video" not in noted or noted["video"] == []


def test_settling_waits_until_the_window_ends(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(webhooks=False)
    stack.patience = PATIENT
    job = lost(stack, simulator)
    status, _, problem = stack.http("POST", f"/videos/{job['id']}/settle", {"abandon": True}, caller=OPERATOR)
    stack.patience = 0.02
    assert (status, problem["code"]) == (409, "JobStateConflict")


def test_an_orphaned_job_that_a_callback_named_is_adopted_by_the_sweep(
    stack: Cloud, simulator: Simulator, url: FunctionUrl
) -> None:
    simulator.settings(webhooks=False)
    stack.patience = PATIENT
    job = lost(stack, simulator)
    abort(stack, job)
    assert stack.invoke("ExecutionEndedFunction", ended(job["execution_arn"], {"job": {"id": job["id"]}})) == {
        "id": None
    }
    assert stack.job(job["id"])["status"] == "confirming"
    call(url, job["id"], simulator.jobs()[0]["id"])
    age(job["id"], timedelta(minutes=20))
    assert sweep(stack)["resumed"] == 1
    delivered(stack, simulator, job["id"])


def test_an_orphaned_job_that_nothing_named_ends_with_its_time(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(webhooks=False)
    stack.patience = PATIENT
    job = lost(stack, simulator)
    abort(stack, job)
    age(job["id"], timedelta(minutes=20))
    assert sweep(stack)["settled"] == 0
    age(job["id"], timedelta(minutes=20), confirm_until="2026-01-01T00:00:00.000Z")
    assert sweep(stack)["settled"] == 1
    assert stack.job(job["id"])["status"] == "submit_unknown"
