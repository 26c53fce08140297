"""Where the domain meets the state machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from stillmotion.errors import GenerationFailed, ProviderThrottled, ProviderUnavailable, StillmotionError, StorageFailed
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, ProviderState
from stillmotion.stepfunctions.execution_input import HandedOver, read_input
from stillmotion.stepfunctions.executions import StepFunctions, VideoExecutions, execution_arn
from stillmotion.stepfunctions.video_tasks import (
    Ended,
    duplicate,
    for_machine,
    not_accepted,
    record_failure,
    task,
)
from tests.support.fakes import Bench, a_job

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:generate-video"
_CONTEXT: Any = None
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:generate-video:vid_1"


class Machine:
    """Step Functions with one machine; ``error`` is raised instead."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.started: list[dict[str, Any]] = []

    def start_execution(self, **given: Any) -> dict[str, str]:
        if self.error is not None:
            raise self.error
        self.started.append(given)
        return {"executionArn": execution_arn(given["stateMachineArn"], given["name"])}


def executions(client: Any) -> VideoExecutions:
    return VideoExecutions(StepFunctions(client), MACHINE)


def refused_by(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "StartExecution")


@pytest.mark.parametrize(
    ("job", "submitted", "outcome"),
    [
        (a_job(Status.QUEUED), False, "waiting"),
        (a_job(), True, "waiting"),
        (a_job(provider=ProviderState(job_id="job-1", status="completed")), True, "completed"),
        (a_job(provider=ProviderState(job_id="job-1", status="FAILED")), True, "failed"),
    ],
)
def test_an_execution_is_named_by_the_job_and_handed_ids_alone(job: Job, submitted: bool, outcome: str) -> None:
    machine = Machine()
    assert executions(machine).start(job) == EXECUTION
    [started] = machine.started
    assert (started["stateMachineArn"], started["name"]) == (MACHINE, "vid_1")
    assert json.loads(started["input"]) == {"job": {"id": "vid_1", "submitted": submitted, "outcome": outcome}}
    handed_over = read_input(json.loads(started["input"]), EXECUTION)
    assert isinstance(handed_over, HandedOver)
    assert handed_over.job_id == "vid_1"


def test_a_throttled_job_is_handed_over_with_its_retry_after() -> None:
    machine = Machine()
    executions(machine).start(a_job(Status.QUEUED), wait_seconds=120)
    assert json.loads(machine.started[0]["input"])["job"]["wait_seconds"] == 120


def test_an_execution_that_is_there_already_is_the_one_that_was_wanted() -> None:
    assert executions(Machine(refused_by("ExecutionAlreadyExists"))).start(a_job()) == EXECUTION


@pytest.mark.parametrize(
    "error", [refused_by("ThrottlingException"), ConnectTimeoutError(endpoint_url="https://states")]
)
def test_an_unreachable_machine_is_reported_as_failed_storage(error: Exception) -> None:
    with pytest.raises(StorageFailed, match="vid_1"):
        executions(Machine(error)).start(a_job())


class Answering:
    """Step Functions that answers each call as told, or raises."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**given: Any) -> Any:
            self.calls.append((name, given))
            found = self.answers[name]
            if isinstance(found, Exception):
                raise found
            return found

        return call


def test_a_batch_is_started_by_its_executions_arn() -> None:
    client: Any = Answering(start_execution={"executionArn": EXECUTION})
    StepFunctions(client).start(EXECUTION, {"batch": {"id": "b", "run": 1}})
    given = {"stateMachineArn": MACHINE, "name": "vid_1", "input": '{"batch": {"id": "b", "run": 1}}'}
    assert client.calls == [("start_execution", given)]


@pytest.mark.parametrize("code", ["ExecutionDoesNotExist", "ValidationException"])
def test_an_execution_that_has_ended_counts_as_stopped(code: str) -> None:
    client = Answering(stop_execution=refused_by(code))
    executions(client).stop(a_job(execution_arn=EXECUTION))
    [(_, given)] = client.calls
    assert (given["executionArn"], given["error"]) == (EXECUTION, "GenerationCancelled")


def test_a_job_without_an_execution_is_not_stopped() -> None:
    executions(Answering()).stop(a_job())


@pytest.mark.parametrize(("status", "expected"), [("RUNNING", True), ("SUCCEEDED", False), ("ABORTED", False)])
def test_an_execution_runs_while_step_functions_says_so(status: str, expected: bool) -> None:
    assert executions(Answering(describe_execution={"status": status})).running(EXECUTION) is expected


@pytest.mark.parametrize("code", ["ExecutionDoesNotExist", "InvalidArn"])
def test_an_execution_that_is_gone_does_not_run_and_has_no_items(code: str) -> None:
    client: Any = Answering(describe_execution=refused_by(code), list_map_runs=refused_by(code))
    assert StepFunctions(client).running(EXECUTION) is False
    assert StepFunctions(client).item_counts(EXECUTION) == {}


@pytest.mark.parametrize(
    "call",
    [
        lambda it: it.start(EXECUTION, {}),
        lambda it: it.stop(EXECUTION, "E", "why"),
        lambda it: it.running(EXECUTION),
        lambda it: it.item_counts(EXECUTION),
    ],
)
def test_every_call_reports_a_throttled_service_as_failed_storage(call: Any) -> None:
    throttled = refused_by("ThrottlingException")
    names = ("start_execution", "stop_execution", "describe_execution", "list_map_runs")
    client: Any = Answering(**dict.fromkeys(names, throttled))
    with pytest.raises(StorageFailed, match="ThrottlingException"):
        call(StepFunctions(client))


def test_items_are_counted_by_state_once_they_have_started() -> None:
    counts = {"pending": 1, "succeeded": 2, "note": "x"}
    runs: dict[str, Any] = {"mapRuns": [{"mapRunArn": "arn:map"}]}
    client: Any = Answering(list_map_runs=runs, describe_map_run={"itemCounts": counts})
    assert StepFunctions(client).item_counts(EXECUTION) == {"pending": 1, "succeeded": 2}
    client.answers["list_map_runs"] = {"mapRuns": []}
    assert StepFunctions(client).item_counts(EXECUTION) == {}


def test_the_submit_state_hands_on_ids_and_the_outcome() -> None:
    done = a_job(provider=ProviderState(job_id="job-1", status="completed"))
    assert for_machine(done, 30) == {"id": "vid_1", "outcome": "completed", "wait_seconds": 30}
    assert for_machine(a_job(), 30)["outcome"] == "waiting"
    assert duplicate(a_job()) == {"id": "vid_1", "outcome": "duplicate", "wait_seconds": 0}


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 15, 19), (2, 30, 38), (6, 480, 600), (10, 600, 750)])
def test_a_job_that_was_not_accepted_waits_longer_each_time(attempt: int, least: int, most: int) -> None:
    for _ in range(20):
        answer = not_accepted("vid_1", ProviderUnavailable("503"), attempt)
        assert answer["outcome"] == "not_accepted"
        assert least <= answer["wait_seconds"] <= most


def test_a_job_not_accepted_is_never_resent_early() -> None:
    assert not_accepted("vid_1", ProviderThrottled("429", retry_after=1800.5), 1)["wait_seconds"] == 1801


def ended(**state: Any) -> Ended:
    return Ended({"input": {"job": {"id": "vid_1", "submitted": True}}, "polls": {"count": 60}} | state, EXECUTION)


def caught(error: StillmotionError) -> dict[str, str]:
    return {"Error": error.code, "Cause": json.dumps({"errorMessage": str(error.for_workflow())})}


def bench_with(**changes: Any) -> Bench:
    bench = Bench()
    bench.store.put(a_job(**({"execution_arn": EXECUTION} | changes)))
    return bench


@pytest.mark.parametrize(
    ("state", "code", "status"),
    [
        ({"job": {"id": "vid_1", "outcome": "failed"}}, "GenerationFailed", Status.FAILED),
        ({"job": {"id": "vid_1", "outcome": "cancelled"}}, "GenerationCancelled", Status.CANCELLED),
        ({"job": {"id": "vid_1", "outcome": "expired"}}, "GenerationExpired", Status.EXPIRED),
        ({"job": {"id": "vid_1", "outcome": "waiting"}}, "PollingTimedOut", Status.TIMED_OUT),
        (
            {"job": {"id": "vid_1", "outcome": "completed"}, "error": caught(StorageFailed("S3"))},
            "StorageFailed",
            Status.FAILED,
        ),
        ({"error": {"Error": "States.Timeout", "Cause": ""}}, "InternalError", Status.FAILED),
        ({"error": {}}, "InternalError", Status.FAILED),
    ],
)
def test_an_execution_ends_with_one_error_everywhere(state: dict[str, Any], code: str, status: Status) -> None:
    bench = bench_with(provider=ProviderState(job_id="job-1", status="x", error="their words"))
    for _ in range(2):  # a retried RecordFailure says the same
        answer = record_failure(ended(**state), bench.store, bench.failures)
        assert answer["error"] == code
        cause = json.loads(answer["cause"])
        assert (cause["id"], cause["code"]) == ("vid_1", code)
    job = bench.job
    assert (job.status, job.error.code if job.error else None) == (status, code)
    assert bench.events.names == ["Failed"]
    if code.startswith("Generation"):
        assert cause["provider_message"] == "their words"


def test_the_answer_of_the_last_poll_still_counts() -> None:
    bench = bench_with()
    state = {"job": {"id": "vid_1", "outcome": "failed"}, "polls": {"count": 60}}
    assert record_failure(ended(**state), bench.store, bench.failures)["error"] == "GenerationFailed"


def test_a_refused_request_is_recorded_under_the_executions_id() -> None:
    bench = Bench()
    error = {"Error": "InvalidRequest", "Cause": caught(StillmotionError("#/model: is missing"))["Cause"]}
    state = Ended({"input": {"prompt": "p", "idempotency_key": "k"}, "error": error}, EXECUTION)
    answer = record_failure(state, bench.store, bench.failures)
    assert answer["error"] == "InvalidRequest"
    assert bench.job.id == json.loads(answer["cause"])["id"] == state.started.own_id
    assert (bench.job.status, bench.job.request) == (Status.FAILED, {"prompt": "p"})


def test_a_key_that_cannot_be_read_is_refused_on_record_too() -> None:
    bench = Bench()
    state = Ended({"input": {"idempotency_key": "\ud800"}, "error": {"Error": "InvalidRequest"}}, EXECUTION)
    assert record_failure(state, bench.store, bench.failures)["error"] == "InvalidRequest"


def test_the_job_of_another_execution_with_the_same_key_is_not_touched() -> None:
    bench = bench_with(id=read_input({"idempotency_key": "k"}, "").job_id, execution_arn="arn:first")
    first = bench.job
    error = {"Error": "IdempotencyConflict", "Cause": ""}
    state = Ended({"input": {"prompt": "other", "idempotency_key": "k"}, "error": error}, EXECUTION)
    answer = record_failure(state, bench.store, bench.failures)
    assert answer["error"] == "IdempotencyConflict"
    assert bench.store.jobs[first.id] == first
    assert len(bench.store.jobs) == 2


def test_a_completed_job_is_not_failed_by_what_comes_after() -> None:
    bench = bench_with(status=Status.COMPLETED)
    state = {"job": {"id": "vid_1", "outcome": "completed"}, "error": caught(StorageFailed("EventBridge"))}
    assert record_failure(ended(**state), bench.store, bench.failures)["error"] == "StorageFailed"
    assert (bench.job.status, bench.job.error) == (Status.COMPLETED, None)
    assert bench.events.sent == []


def test_a_tasks_error_goes_to_the_machine_as_json_under_its_own_name() -> None:
    @task
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        raise GenerationFailed("what happened", provider_message="their words") from ValueError("secret")

    with pytest.raises(GenerationFailed) as raised:
        handler({}, _CONTEXT)
    assert json.loads(str(raised.value)) == {
        "code": "GenerationFailed",
        "message": "what happened",
        "retryable": False,
        "provider_message": "their words",
    }
    assert raised.value.__cause__ is None


def test_a_tasks_answer_and_unplanned_errors_pass_as_they_are() -> None:
    @task
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"seven": 10 // event["by"]}

    assert handler({"by": 2}, _CONTEXT) == {"seven": 5}
    with pytest.raises(ZeroDivisionError):
        handler({"by": 0}, _CONTEXT)
