"""Send events again that could not start a job, each to the workflow it was meant for.

    python -m scripts.redrive --stack-name stillmotion

Safe to repeat and safe where an event did arrive: which job an event means is derived from the event, so a second
delivery finds the first one's job. A message leaves the queue only after its execution has been started.
Source of the message's shape: *Using dead-letter queues in Amazon EventBridge* (the body is the event, the attribute
TARGET_ARN the target).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

MAX_MESSAGES = 10_000


def redrive(queue_url: str, sqs: Any, machine: Any) -> tuple[int, int]:
    """Start an execution for every message; how many were sent again, and how many could not be.

    Messages that cannot be sent stay in the queue.
    """
    sent = kept = 0
    while sent + kept < MAX_MESSAGES:
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
            if _send(message, machine):
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                sent += 1
            else:
                kept += 1
    return sent, kept


def _send(message: dict[str, Any], machine: Any) -> bool:
    target = message.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue", "")
    if ":stateMachine:" not in target:
        print(f"message {message['MessageId']}: its target '{target}' is no workflow; it stays", file=sys.stderr)
        return False
    name = "redrive-" + hashlib.sha256(message["Body"].encode()).hexdigest()[:40]
    try:
        machine.start_execution(stateMachineArn=target, name=name, input=message["Body"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
            return True
        print(f"message {message['MessageId']}: {error}; it stays", file=sys.stderr)
        return False
    except BotoCoreError as error:
        print(f"message {message['MessageId']}: {error}; it stays", file=sys.stderr)
        return False
    return True


def main() -> int:
    """Redrive a stack's queue; 1 when messages stayed."""
    parser = argparse.ArgumentParser(description="Send undelivered events to their workflows again.")
    parser.add_argument("--stack-name", default="stillmotion")
    stack_name = parser.parse_args().stack_name
    stack = boto3.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    sent, kept = redrive(outputs["UndeliveredQueueUrl"], boto3.client("sqs"), boto3.client("stepfunctions"))
    print(f"{sent} sent again, {kept} could not be sent and stay in the queue")
    return 1 if kept else 0


if __name__ == "__main__":
    sys.exit(main())
