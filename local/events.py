"""Listens to the stack's event bus, so that a person or a test can see what was told."""

import json
import time
from collections.abc import Iterator
from typing import Any

from stillmotion_cli.stack import Stack

QUEUE_NAME = "stillmotion-local-events"
RULE_NAME = "stillmotion-local-events"

type Event = dict[str, Any]


class EventLog:
    """A queue behind a rule that matches everything Stillmotion puts on its bus."""

    def __init__(self, stack: Stack) -> None:
        self._sqs = stack.client("sqs")
        self._queue_url = self._sqs.create_queue(QueueName=QUEUE_NAME)["QueueUrl"]
        self._seen: list[Event] = []
        self._subscribe(stack)

    def _subscribe(self, stack: Stack) -> None:
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        events = stack.client("events")
        pattern = json.dumps({"source": ["stillmotion"]})
        events.put_rule(Name=RULE_NAME, EventBusName=stack.event_bus_name, EventPattern=pattern)
        target = {"Id": "log", "Arn": attributes["Attributes"]["QueueArn"]}
        events.put_targets(Rule=RULE_NAME, EventBusName=stack.event_bus_name, Targets=[target])

    def wait_for(self, detail_type: str, job_id: str, timeout: float = 20) -> Event:
        """The event of this type about this job. Raises TimeoutError naming what came instead."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self._seen:
                if event["detail-type"] == detail_type and event["detail"].get("id") == job_id:
                    return event
            if time.monotonic() > deadline:
                came = sorted({event["detail-type"] for event in self.about(job_id)}) or "nothing"
                raise TimeoutError(f"No {detail_type!r} about {job_id} within {timeout:.0f} s; came: {came}")
            self._seen.extend(self._receive())

    def about(self, job_id: str) -> list[Event]:
        """Everything told about a job so far."""
        self._seen.extend(self._receive(wait=0))
        return [event for event in self._seen if event["detail"].get("id") == job_id]

    def _receive(self, wait: int = 1) -> Iterator[Event]:
        answer = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        for message in answer.get("Messages", []):
            self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
            yield json.loads(message["Body"])
