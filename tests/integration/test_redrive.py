"""Events that were not delivered are sent again, and never make a second job."""

from __future__ import annotations

import json

import boto3
import pytest

from local.simulator import Simulator
from scripts.redrive import redrive
from tests.inprocess import VALUES, Cloud
from tests.integration.test_doors import requested
from tests.integration.test_generate_video import request

pytestmark = pytest.mark.integration


def test_undelivered_events_become_jobs_and_delivered_ones_do_not_become_a_second(
    stack: Cloud, simulator: Simulator
) -> None:
    sqs, machine = boto3.client("sqs"), boto3.client("stepfunctions")
    queue = sqs.create_queue(QueueName="undelivered")["QueueUrl"]
    events = [requested(request(simulator, seed=number), f"event-{number}") for number in range(3)]
    stack.finish(stack.start(events[0]))
    targets = [VALUES["GenerateVideoStateMachine"]] * 3 + ["arn:aws:lambda:eu-central-1:123456789012:function:other"]
    for event, target in zip([*events, events[0]], targets, strict=True):
        attributes = {"TARGET_ARN": {"DataType": "String", "StringValue": target}}
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event), MessageAttributes=attributes)

    assert redrive(queue, sqs, machine) == (3, 1)
    executions = machine.list_executions(stateMachineArn=VALUES["GenerateVideoStateMachine"])["executions"]
    ended = [stack.finish(execution["executionArn"]) for execution in executions]
    assert {one["status"] for one in ended} == {"SUCCEEDED"}
    assert len(simulator.jobs()) == 3
