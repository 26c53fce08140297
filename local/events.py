"""Listens to the stack's event bus, so that a person or a test can see the events."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion_cli.stack import Stack

NAME = "stillmotion-local-events"
LOG_NAME = "stillmotion-local-event-log"
LOG_GROUP = "/stillmotion/local/events"

type Event = dict[str, Any]


class EventLog:
    """A queue behind a rule that matches everything Stillmotion puts on its bus; both have this name."""

    def __init__(self, stack: Stack, name: str = NAME) -> None:
        self._sqs = stack.client("sqs")
        self._queue_url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        self._seen: list[Event] = []
        self._subscribe(stack, name)

    def _subscribe(self, stack: Stack, name: str) -> None:
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        events = stack.client("events")
        pattern = json.dumps({"source": ["stillmotion"]})
        events.put_rule(Name=name, EventBusName=stack.event_bus_name, EventPattern=pattern)
        target = {"Id": "log", "Arn": attributes["Attributes"]["QueueArn"]}
        events.put_targets(Rule=name, EventBusName=stack.event_bus_name, Targets=[target])

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
            self._seen.extend(self.receive())

    def about(self, job_id: str) -> list[Event]:
        """Every event about a job so far."""
        self._seen.extend(self.receive(wait=0))
        return [event for event in self._seen if event["detail"].get("id") == job_id]

    def receive(self, wait: int = 1) -> Iterator[Event]:
        """The events since the last call; waits up to so many seconds for a first one."""
        answer = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        for message in answer.get("Messages", []):
            self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
            yield json.loads(message["Body"])


@contextmanager
def kept_log(stack: Stack) -> Iterator[Stack]:
    """Keep a log of the bus for `stillmotion events`; answers the stack with the log group's name.

    On AWS a rule of the bus writes the log by itself. MiniStack's rules cannot, so a thread here carries the events.
    """
    group = stack.event_log_group or LOG_GROUP
    events, logs, stopped = EventLog(stack, LOG_NAME), stack.client("logs"), threading.Event()
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        # The template may have made the group.
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=LOG_NAME)

    def carry() -> None:
        while not stopped.is_set():
            try:
                for event in events.receive():
                    line = {"timestamp": int(time.time() * 1000), "message": json.dumps(event)}
                    logs.put_log_events(logGroupName=group, logStreamName=LOG_NAME, logEvents=[line])
            except (BotoCoreError, ClientError):
                # The cloud is ending, or too busy: the events wait in their queue.
                stopped.wait(1)

    threading.Thread(target=carry, daemon=True).start()
    try:
        yield replace(stack, event_log_group=group)
    finally:
        stopped.set()
