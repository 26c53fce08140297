"""Send again what a stack could not deliver, each to where it was meant to go.

    python -m scripts.redrive --stack-name stillmotion [--drop-log-lines]

What the queue holds, and what is done with it:

    an event for a workflow      its execution is started
    an event for a function      the function is invoked with it
    an event a function failed   the function is invoked with it again
    an event for the log         stays: to send it again would tell it to every other listener too;
                                 --drop-log-lines deletes it

Safe to repeat and safe where an event did arrive: which job an event means is derived from the event, so a second
delivery finds the first one's job; settling and sweeping change nothing the second time. A message leaves the queue
only after AWS has taken what was in it.

Sources of the messages' shapes: *Using dead-letter queues in Amazon EventBridge* (the body is the event, the attribute
TARGET_ARN the target) and *Lambda asynchronous invocation records* (no attribute; ``requestContext`` names the
function, ``requestPayload`` is its event).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

MAX_MESSAGES = 10_000


class _Stays(Exception):
    """A message cannot be sent again, as the text says."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The clients of what messages are sent to."""

    stepfunctions: Any
    functions: Any


def redrive(queue_url: str, sqs: Any, targets: Targets, *, drop_log_lines: bool = False) -> tuple[int, int, int]:
    """Send every message to its target; how many were sent again, could not be, and were dropped.

    Messages that cannot be sent stay in the queue, lines of the event log unless they are to be dropped.
    """
    sent = kept = dropped = 0
    while sent + kept + dropped < MAX_MESSAGES:
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=120,
            WaitTimeSeconds=1,
        )
        messages = answer.get("Messages", [])
        if not messages:
            break
        for message in messages:
            if drop_log_lines and _target(message).split(":")[2:3] == ["logs"]:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                dropped += 1
                continue
            try:
                _send(message, targets)
            except (_Stays, ClientError, BotoCoreError) as error:
                print(f"message {message['MessageId']}: {error}; it stays", file=sys.stderr)
                kept += 1
            else:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                sent += 1
    return sent, kept, dropped


def _target(message: dict[str, Any]) -> str:
    """The ARN of what EventBridge could not deliver a message to; empty for what a function failed on."""
    return str(message.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue", ""))


def _send(message: dict[str, Any], targets: Targets) -> None:
    body: str = message["Body"]
    target = _target(message)
    if not target:
        target, body = _failed_invocation(body)
    service = (target.split(":") + [""] * 3)[2]
    if service == "states":
        _start(targets.stepfunctions, target, body)
    elif service == "lambda":
        targets.functions.invoke(FunctionName=target, InvocationType="Event", Payload=body.encode())
    elif service == "logs":
        raise _Stays("it is a line of the event log, and to send it again would tell it to every other listener too")
    else:
        raise _Stays(f"its target '{target}' is neither a workflow nor a function")


def _start(stepfunctions: Any, machine: str, event: str) -> None:
    name = "redrive-" + hashlib.sha256(event.encode()).hexdigest()[:40]
    try:
        stepfunctions.start_execution(stateMachineArn=machine, name=name, input=event)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def _failed_invocation(body: str) -> tuple[str, str]:
    """The function that failed, and the event that it was invoked with."""
    try:
        record = json.loads(body)
        return str(record["requestContext"]["functionArn"]), json.dumps(record["requestPayload"])
    except (ValueError, KeyError, TypeError):
        raise _Stays("it names no target") from None


def main() -> int:
    """Redrive a stack's queue; 1 when messages stayed."""
    parser = argparse.ArgumentParser(description="Send again what a stack could not deliver.")
    parser.add_argument("--stack-name", default="stillmotion")
    parser.add_argument("--drop-log-lines", action="store_true", help="delete lines of the event log")
    given = parser.parse_args()
    stack_name = given.stack_name
    stack = boto3.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    targets = Targets(boto3.client("stepfunctions"), boto3.client("lambda"))
    queue_url, sqs = outputs["UndeliveredQueueUrl"], boto3.client("sqs")
    sent, kept, dropped = redrive(queue_url, sqs, targets, drop_log_lines=given.drop_log_lines)
    print(f"{sent} sent again, {kept} could not be sent and stay in the queue, {dropped} lines of the log deleted")
    return 1 if kept else 0


if __name__ == "__main__":
    sys.exit(main())
