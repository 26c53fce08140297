"""What was not delivered is sent again to where it was meant to go, and never makes a second job."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.simulator import Simulator
from scripts.redrive import Targets, redrive
from tests.support.inprocess import ACCOUNT, REGION, VALUES, Cloud
from tests.support.requests import request, requested

MACHINE = VALUES["GenerateVideoStateMachine"]
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
LOG = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/stillmotion"


class Functions:
    """Lambda, as far as it invokes the stack's functions asynchronously."""

    def __init__(self, stack: Cloud) -> None:
        self.stack = stack
        self.answers: list[Any] = []

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        name = FunctionName.removeprefix(FUNCTION).removesuffix(":$LATEST")
        if name == "gone":
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "No."}}, "Invoke")
        assert InvocationType == "Event"
        self.answers.append(self.stack.invoke(name, json.loads(Payload)))
        return {"StatusCode": 202}


@pytest.fixture
def queue(stack: Cloud) -> str:
    return str(boto3.client("sqs").create_queue(QueueName="undelivered")["QueueUrl"])


def put(queue: str, body: Any, target: str | None) -> None:
    """A message as EventBridge writes it or, without a target of its own, as Lambda does."""
    named = {} if target is None else {"TARGET_ARN": {"DataType": "String", "StringValue": target}}
    text = body if isinstance(body, str) else json.dumps(body)
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=text, MessageAttributes=named)


def failed(function: str, event: Any) -> dict[str, Any]:
    """The record that Lambda writes of an event on which a function failed for the last time."""
    context = {
        "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
        "functionArn": f"{FUNCTION}{function}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    response = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    return {
        "version": "1.0",
        "timestamp": "2026-11-22T12:00:00.000Z",
        "requestContext": context,
        "requestPayload": event,
        "responseContext": response,
        "responsePayload": {"errorType": "SubmitInProgress"},
    }


def test_redriven_events_become_jobs_once(stack: Cloud, simulator: Simulator, queue: str) -> None:
    machine = boto3.client("stepfunctions")
    events = [requested(request(simulator, seed=number), f"event-{number}") for number in range(3)]
    stack.finish(stack.start(events[0]))
    for event in events:
        put(queue, event, MACHINE)

    assert redrive(queue, boto3.client("sqs"), Targets(machine, Functions(stack))) == (3, 0, 0)
    executions = machine.list_executions(stateMachineArn=MACHINE)["executions"]
    ended = [stack.finish(execution["executionArn"]) for execution in executions]
    assert {one["status"] for one in ended} == {"SUCCEEDED"}
    assert len(simulator.jobs()) == 3


def test_a_function_hears_what_did_not_reach_it_and_what_it_failed_on(
    stack: Cloud, simulator: Simulator, queue: str
) -> None:
    jobs = [stack.http("POST", "/videos", request(simulator, seed=seed))[2] for seed in range(2)]
    for job in jobs:
        stack.finish(job["execution_arn"])
    # Their executions ended before our own code could say why.
    table = boto3.resource("dynamodb").Table("jobs")
    for job in jobs:
        item = table.get_item(Key={"id": job["id"]})["Item"]
        kept = {name: value for name, value in item.items() if name not in ("video", "completed_at", "published_at")}
        table.put_item(Item=kept | {"status": "in_progress"})
    ended = [
        {"detail": {"executionArn": job["execution_arn"], "status": "ABORTED", "input": json.dumps({"job": job})}}
        for job in jobs
    ]
    put(queue, ended[0], f"{FUNCTION}ExecutionEndedFunction")
    put(queue, failed("ExecutionEndedFunction", ended[1]), None)
    put(queue, failed("SweepFunction", {"source": "aws.events"}), None)

    functions = Functions(stack)
    assert redrive(queue, boto3.client("sqs"), Targets(boto3.client("stepfunctions"), functions)) == (3, 0, 0)
    assert [stack.job(job["id"])["status"] for job in jobs] == ["timed_out", "timed_out"]
    assert [answer["id"] for answer in functions.answers[:2]] == [job["id"] for job in jobs]
    assert functions.answers[2]["failed"] == 0


@pytest.mark.parametrize(
    ("body", "target", "why"),
    [
        ({"detail-type": "Video Generation Completed"}, LOG, "is a line of the event log"),
        ({}, f"arn:aws:sqs:{REGION}:{ACCOUNT}:other", "is neither a workflow nor a function"),
        ({}, "nonsense", "is neither a workflow nor a function"),
        ({}, None, "names no target"),
        ("no JSON", None, "names no target"),
        ({}, f"{FUNCTION}gone", "ResourceNotFoundException"),
        ({}, MACHINE + "-gone", "StateMachineDoesNotExist"),
    ],
)
def test_what_cannot_be_sent_again_stays_and_says_why(
    stack: Cloud, queue: str, capsys: pytest.CaptureFixture[str], body: Any, target: str | None, why: str
) -> None:
    put(queue, body, target)
    sqs = boto3.client("sqs")
    assert redrive(queue, sqs, Targets(boto3.client("stepfunctions"), Functions(stack))) == (0, 1, 0)
    told = capsys.readouterr().err
    assert why in told
    assert "; it stays" in told
    name = "ApproximateNumberOfMessagesNotVisible"
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name] == "1"


def test_lines_of_the_event_log_go_on_request_and_nothing_else(stack: Cloud, queue: str) -> None:
    put(queue, {"detail-type": "Video Generation Completed"}, LOG)
    put(queue, {}, f"{FUNCTION}gone")
    sqs = boto3.client("sqs")
    targets = Targets(boto3.client("stepfunctions"), Functions(stack))
    assert redrive(queue, sqs, targets, drop_log_lines=True) == (0, 1, 1)
    name = "ApproximateNumberOfMessagesNotVisible"
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name] == "1"
