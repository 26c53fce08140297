"""Fire an alarm by the metric that it watches, and read what its topic says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MAIL_SECONDS = 20
JUST_INSIDE = 2.0
"""Seconds for which a point still counts that is put at the far end of an alarm's window."""


@dataclass(frozen=True, slots=True)
class Point:
    """A value that breaches an alarm."""

    value: float
    at: datetime


def breaching(alarm: dict[str, Any], now: datetime) -> Point:
    """The value nearest to an alarm's threshold that breaches it, as old as may be: it soon counts no more.

    Args:
        alarm: as DescribeAlarms answers it.

    Raises:
        ValueError: the alarm compares in a way that is not known here.
    """
    steps = {
        "GreaterThanOrEqualToThreshold": 0.0,
        "GreaterThanThreshold": 1.0,
        "LessThanThreshold": -0.01,
        "LessThanOrEqualToThreshold": 0.0,
    }
    comparison = alarm["ComparisonOperator"]
    if comparison not in steps:
        known = ", ".join(sorted(steps))
        raise ValueError(f"{alarm['AlarmName']} compares by {comparison}; a game day can breach {known}.")
    window = timedelta(seconds=alarm["Period"] * alarm["EvaluationPeriods"] - JUST_INSIDE)
    return Point(alarm["Threshold"] + steps[comparison], now - window)


def fire(alarm: dict[str, Any], cloudwatch: Any) -> None:
    """Put a point of exactly the metric that an alarm watches: namespace, name, dimensions."""
    point = breaching(alarm, datetime.now(UTC))
    datum = {
        "MetricName": alarm["MetricName"],
        "Dimensions": alarm["Dimensions"],
        "Timestamp": point.at,
        "Value": point.value,
    }
    cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])


def states(cloudwatch: Any) -> dict[str, str]:
    """The state of every alarm, by its name."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate()
    return {alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["MetricAlarms"]}


def end_all(cloudwatch: Any, why: str) -> None:
    """End every alarm that is on."""
    for name, state in states(cloudwatch).items():
        if state == "ALARM":
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=why)


class Mailbox:
    """A queue behind the topic of the alarms: what a subscriber gets."""

    def __init__(self, topic_arn: str, sns: Any, sqs: Any) -> None:
        self._sns, self._sqs = sns, sqs
        self._url: str = sqs.create_queue(QueueName=f"game-day-{int(time.time())}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        made = sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
        self._subscription: str = made["SubscriptionArn"]

    def wait_for(self, name: str, clock: Callable[[], float] = time.monotonic) -> dict[str, Any] | None:
        """The message that an alarm went on; ``None`` where none came in time. Messages of others are read too."""
        deadline = clock() + MAIL_SECONDS
        while clock() < deadline:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages") or []:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                if (told := told_of(message["Body"])) and told.get("AlarmName") == name:
                    return told
        return None

    def close(self) -> None:
        """Remove the subscription and the queue."""
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self._url)


def told_of(body: str) -> dict[str, Any] | None:
    """What an SNS envelope says of an alarm that is on; ``None`` for everything else."""
    with suppress(ValueError, KeyError, TypeError):
        told = json.loads(json.loads(body)["Message"])
        if isinstance(told, dict) and told.get("NewStateValue") == "ALARM":
            return told
    return None
