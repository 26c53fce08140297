"""Callbacks through the real definition and the real handlers: whenever one comes, it changes nothing but the speed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.jobs.callbacks import MAX_WAKES
from stillmotion.modelgates.callback import callback_token
from tests.support.function_url import FunctionUrl, cloud_with_callbacks, function_url_event
from tests.support.inprocess import CALLBACK_SECRET, Cloud, cloud
from tests.support.requests import request

PATIENT = 20.0
"""Seconds: longer than any of these executions takes when it is woken."""


@pytest.fixture
def called_back(simulator: Simulator) -> Iterator[tuple[Cloud, FunctionUrl]]:
    with cloud_with_callbacks(simulator) as made:
        yield made


@pytest.fixture
def stack(called_back: tuple[Cloud, FunctionUrl]) -> Cloud:
    return called_back[0]


@pytest.fixture
def url(called_back: tuple[Cloud, FunctionUrl]) -> FunctionUrl:
    return called_back[1]


def order(stack: Cloud, simulator: Simulator) -> dict[str, Any]:
    status, _, job = stack.http("POST", "/videos", request(simulator))
    assert status == 202, job
    found: dict[str, Any] = job
    return found


def path(job_id: str) -> str:
    return f"/callbacks/{job_id}/{callback_token(CALLBACK_SECRET, job_id)}"


def about(provider_id: str) -> bytes:
    return json.dumps({"type": "video.generation.completed", "data": {"id": provider_id}}).encode()


def items() -> dict[str, dict[str, Any]]:
    return {str(item["id"]): item for item in boto3.resource("dynamodb").Table("jobs").scan()["Items"]}


def delivered(stack: Cloud, job: dict[str, Any]) -> dict[str, Any]:
    ended = stack.finish(job["execution_arn"])
    assert ended["status"] == "SUCCEEDED", ended
    done = stack.job(job["id"])
    assert done["status"] == "completed"
    return done


def call_back(stack: Cloud, function: str, *, before: bool = False, times: int = 1, body: bytes = b"") -> list[str]:
    """Let a callback come right before or after the first runs of a function; the list of all functions that ran."""
    invoke, ran = stack.invoke, []

    def invoked(name: str, event: Any, context: Any = None) -> Any:
        ran.append(name)
        mine = name == function and ran.count(name) <= times
        if not before:
            answer = invoke(name, event, context)
        if mine:
            job_id = event["id"] if "id" in event else answer["id"]
            assert invoke("CallbackFunction", function_url_event("POST", path(job_id), {}, body)) == {"statusCode": 204}
        return invoke(name, event, context) if before else answer

    stack.invoke = invoked  # type: ignore[method-assign]
    return ran


def test_a_callback_ends_the_wait_and_its_poll_is_not_counted(
    stack: Cloud, simulator: Simulator, url: FunctionUrl
) -> None:
    simulator.settings(seconds_to_ready=0.5)
    stack.patience = PATIENT
    done = delivered(stack, order(stack, simulator))
    assert (done["polls"], stack.waits, url.answers) == (0, [], [204])
    states = stack.states(done["execution_arn"])
    assert states[-5:] == ["WaitForCallback", "Poll", "Status?", "Deliver", "Delivered"]


def test_without_a_callback_jobs_are_polled_at_the_interval(
    stack: Cloud, simulator: Simulator, url: FunctionUrl
) -> None:
    simulator.settings(polls_to_ready=3, webhooks=False)
    done = delivered(stack, order(stack, simulator))
    assert (done["polls"], stack.waits, url.answers) == (3, [30, 30, 30], [])


def test_a_callback_before_the_wait_is_polled_for_at_once(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=2, webhooks=False)
    call_back(stack, "SubmitTaskFunction")
    ended = stack.finish(arn := stack.start(request(simulator)))
    assert ended["status"] == "SUCCEEDED", ended
    waited = [state for state in stack.states(arn) if state in ("WaitForCallback", "Poll", "CountPoll")]
    # The first wait does not begin, since Poll has not seen the callback; the second one lasts the interval.
    assert waited == ["WaitForCallback", "Poll", "WaitForCallback", "CountPoll", "Poll"]
    assert stack.waits == [30]


def test_a_callback_during_a_poll_leads_to_one_more(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=2, webhooks=False)
    call_back(stack, "PollFunction")
    done = delivered(stack, order(stack, simulator))
    waited = [state for state in stack.states(done["execution_arn"]) if state in ("WaitForCallback", "Poll")]
    assert waited == ["WaitForCallback", "Poll"] * 2
    assert (done["polls"], stack.waits) == (1, [30])


def test_callbacks_during_delivery_and_after_the_end_change_nothing(
    stack: Cloud, simulator: Simulator, url: FunctionUrl
) -> None:
    simulator.settings(webhooks=False)
    call_back(stack, "DeliverFunction", before=True)
    done = delivered(stack, order(stack, simulator))
    record = items()[done["id"]]
    for _ in range(2 * MAX_WAKES):
        assert url.call("POST", path(done["id"]), {}, about(done["provider"]["job_id"])) == 204
    assert items()[done["id"]] == record
    assert len(boto3.client("stepfunctions").list_executions(stateMachineArn=stack.machine_arn)["executions"]) == 1
    assert len(simulator.jobs()) == 1


def test_two_callbacks_at_once_lead_to_one_wake(stack: Cloud, simulator: Simulator, url: FunctionUrl) -> None:
    simulator.settings(seconds_to_ready=0.5, webhook_copies=2)
    stack.patience = PATIENT
    job = order(stack, simulator)
    threads = [threading.Thread(target=url.call, args=("POST", path(job["id"]), {}, b"")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    delivered(stack, job)
    assert set(url.answers) == {204}
    assert stack.waits == []
    assert len(simulator.jobs()) == 1


def test_polls_that_callbacks_cause_do_not_use_up_the_others(simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=1000, webhooks=False)
    with cloud_with_callbacks(simulator, max_polls=3) as (stack, _):
        ran = call_back(stack, "PollFunction", times=4)
        job = order(stack, simulator)
        assert stack.finish(job["execution_arn"])["error"] == "PollingTimedOut"
        assert ran.count("PollFunction") == 3 + 4
        assert stack.waits == [30] * 3


def test_a_failed_poll_after_a_callback_waits_before_the_next(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(webhooks=False)
    simulator.fault("poll", status=500, times=6)
    call_back(stack, "PollFunction", before=True)
    done = delivered(stack, order(stack, simulator))
    states = stack.states(done["execution_arn"])
    after = [states[at + 1] for at, state in enumerate(states) if state == "PollsLeft?"]
    assert after == ["Wait", "Wait"]


def test_another_id_than_the_records_is_reported_and_changes_nothing(
    stack: Cloud, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.settings(polls_to_ready=2, webhooks=False)
    call_back(stack, "PollFunction", before=True, body=about("another"))
    done = delivered(stack, order(stack, simulator))
    assert done["provider"]["job_id"] == simulator.jobs()[0]["id"]
    assert capsys.readouterr().out.count('"PossibleDoublePayments":') == 1


def test_no_record_and_no_history_holds_the_address(stack: Cloud, simulator: Simulator) -> None:
    job = order(stack, simulator)
    delivered(stack, job)
    token = callback_token(CALLBACK_SECRET, job["id"])
    [paid] = simulator.jobs()
    assert paid["request"]["callback_url"].endswith(path(job["id"]))
    history = boto3.client("stepfunctions").get_execution_history(executionArn=job["execution_arn"], maxResults=1000)
    assert token not in json.dumps([items(), history, stack.events()], default=str)


def test_a_stack_without_callbacks_sends_no_address_and_waits_plainly(simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=2)
    with cloud(simulator) as stack:
        job = order(stack, simulator)
        delivered(stack, job)
        assert "WaitForCallback" not in stack.states(job["execution_arn"])
        assert "callback_url" not in simulator.jobs()[0]["request"]
        assert set(items()) == {job["id"]}
