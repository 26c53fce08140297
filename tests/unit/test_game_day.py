"""The parts of a game day: what breaches an alarm, what its mail says, how a runbook's commands are run."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.game_day.__main__ import SPENDING, section_of
from scripts.game_day.alarms import Mailbox, breaching, end_all, fire, told_of
from scripts.game_day.page import BLANKS, PAGE, Desk, Runbook, filled
from tests.support.template import resources

RUNBOOK = Runbook.read(PAGE.read_text())
WORDS = {name: f"<{name.lower()}>" for name in BLANKS}
OPENING = 'export STACK=stillmotion STILLMOTION_STACK=stillmotion\nhello() { echo "$STACK $1"; }\n'


def alarm(comparison: str = "GreaterThanOrEqualToThreshold", **changes: Any) -> dict[str, Any]:
    known = {"AlarmName": "a", "Threshold": 3.0, "Period": 60, "EvaluationPeriods": 2, "Namespace": "AWS/Lambda"}
    metric = {"MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": "f"}]}
    return known | metric | {"ComparisonOperator": comparison} | changes


@pytest.mark.parametrize(
    ("comparison", "value"),
    [
        ("GreaterThanOrEqualToThreshold", 3.0),
        ("GreaterThanThreshold", 4.0),
        ("LessThanThreshold", 2.99),
        ("LessThanOrEqualToThreshold", 3.0),
    ],
)
def test_a_point_breaches_by_as_little_and_is_as_old_as_may_be(comparison: str, value: float) -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    point = breaching(alarm(comparison), now)
    assert (point.value, point.at) == (value, now - timedelta(seconds=118))


def test_an_alarm_that_compares_in_another_way_is_named() -> None:
    with pytest.raises(ValueError, match="a compares by LessThanLowerThreshold"):
        breaching(alarm("LessThanLowerThreshold"), datetime(2026, 11, 27, tzinfo=UTC))


@pytest.mark.parametrize("name", sorted(resources("AWS::CloudWatch::Alarm")))
def test_every_alarm_of_the_template_can_be_breached(name: str) -> None:
    found = resources("AWS::CloudWatch::Alarm")[name]
    threshold = float(found["Threshold"]) if not isinstance(found["Threshold"], dict) else 5.0
    now = datetime(2026, 11, 27, tzinfo=UTC)
    point = breaching(found | {"AlarmName": name, "Threshold": threshold}, now)
    assert now - timedelta(seconds=found["Period"] * found["EvaluationPeriods"]) < point.at < now
    assert section_of(found["AlarmDescription"]) == name.lower()


class CloudWatch:
    """Takes points and changes of states."""

    def __init__(self, **states: str) -> None:
        self.states = states
        self.put: list[dict[str, Any]] = []

    def put_metric_data(self, **given: Any) -> None:
        self.put.append(given)

    def get_paginator(self, name: str) -> CloudWatch:
        assert name == "describe_alarms"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"MetricAlarms": [{"AlarmName": name, "StateValue": state}]} for name, state in self.states.items()]

    def set_alarm_state(self, *, AlarmName: str, StateValue: str, StateReason: str) -> None:  # noqa: N803 - boto3's
        assert StateReason
        self.states[AlarmName] = StateValue


def test_an_alarm_is_fired_by_its_own_metric_and_dimensions() -> None:
    cloudwatch = CloudWatch()
    fire(alarm(), cloudwatch)
    [given] = cloudwatch.put
    [datum] = given["MetricData"]
    assert (given["Namespace"], datum["MetricName"]) == ("AWS/Lambda", "Errors")
    assert datum["Dimensions"] == [{"Name": "FunctionName", "Value": "f"}]


def test_what_is_on_is_ended_and_nothing_else_is_touched() -> None:
    cloudwatch = CloudWatch(a="ALARM", b="INSUFFICIENT_DATA", c="ALARM")
    end_all(cloudwatch, "over")
    assert cloudwatch.states == {"a": "OK", "b": "INSUFFICIENT_DATA", "c": "OK"}


def envelope(**told: Any) -> str:
    return json.dumps({"Type": "Notification", "Message": json.dumps(told)})


def test_mail_about_an_alarm_that_is_on_is_read() -> None:
    assert told_of(envelope(AlarmName="a", NewStateValue="ALARM")) == {"AlarmName": "a", "NewStateValue": "ALARM"}


@pytest.mark.parametrize(
    "body",
    [envelope(AlarmName="a", NewStateValue="OK"), '{"Message": "hello"}', '{"Message": "[]"}', "{}", "[]", "no JSON"],
)
def test_other_mail_is_passed_over(body: str) -> None:
    assert told_of(body) is None


class Queues:
    """One queue and one topic of their own, with messages that come one by one."""

    def __init__(self, *bodies: str) -> None:
        self.bodies = list(bodies)
        self.policy: dict[str, Any] = {}
        self.open = 0

    def create_queue(self, **_: Any) -> dict[str, Any]:
        return {"QueueUrl": "q"}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"QueueArn": "arn:queue"}}

    def set_queue_attributes(self, **given: Any) -> None:
        self.policy = json.loads(given["Attributes"]["Policy"])

    def subscribe(self, **_: Any) -> dict[str, Any]:
        self.open += 1
        return {"SubscriptionArn": "s"}

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {"Messages": [{"Body": self.bodies.pop(0), "ReceiptHandle": "r"}]} if self.bodies else {}

    def delete_message(self, **_: Any) -> None:
        return None

    def unsubscribe(self, **_: Any) -> None:
        self.open -= 1

    def delete_queue(self, **_: Any) -> None:
        return None


def test_a_mailbox_waits_for_one_alarm_and_takes_mail_of_its_topic_alone() -> None:
    queues = Queues(envelope(AlarmName="b", NewStateValue="ALARM"), envelope(AlarmName="a", NewStateValue="ALARM"))
    mailbox = Mailbox("arn:topic", queues, queues)
    [statement] = queues.policy["Statement"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": "arn:topic"}}
    told = mailbox.wait_for("a")
    assert told is not None
    assert told["AlarmName"] == "a"
    seconds = iter(range(0, 1000, 10))
    assert mailbox.wait_for("a", lambda: float(next(seconds))) is None
    mailbox.close()
    assert queues.open == 0


@pytest.mark.parametrize("name", sorted(resources("AWS::CloudWatch::Alarm")))
def test_a_section_has_three_commands_that_leave_no_word_open(name: str) -> None:
    commands = RUNBOOK.commands(name)
    assert len(commands) == 3
    for command in commands:
        said = filled(command, WORDS)
        quoted = re.sub(r"'[^']*'", "", said)
        assert not set(re.findall(r"(?<![\w$-])[A-Z_]{2,}(?![\w=/])", quoted)) - {"TIMED_OUT"}, said
        assert "…" not in said


def test_only_whole_words_are_filled_in() -> None:
    assert (
        filled("show ID --id MYID $ID 'vid_…' EXECUTION_ARN", WORDS) == "show <id> --id MYID $ID '<id>' <execution_arn>"
    )
    with pytest.raises(KeyError, match="BATCH_ID"):
        filled("batch-status BATCH_ID", {"ID": "vid_1"})


def test_stopping_and_going_back_are_blocks_of_their_own() -> None:
    by_limit, allow, stop, batches, back = RUNBOOK.blocks[SPENDING]
    assert (by_limit.strip(), allow.strip()) == ("stillmotion limits stop-all", "stillmotion limits allow-all")
    assert "put-function-concurrency" in stop
    assert "stop-execution" in batches
    assert "delete-function-concurrency" in back


def test_a_page_without_an_opening_is_named() -> None:
    with pytest.raises(ValueError, match="no block of commands"):
        Runbook.read("# Runbook\n\n## A\n\n```sh\ntrue\n```\n")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(Runbook(OPENING, {}), "stillmotion-local", tmp_path / "desk", {"PATH": os.environ["PATH"]})


def test_a_command_is_run_after_the_pages_opening_for_one_stack(desk: Desk) -> None:
    ran = desk.run("hello ID; echo ${STILLMOTION_STACK:-none}", {"ID": "vid_1"})
    assert (ran.code, ran.said.split("\n")) == (0, ["stillmotion-local vid_1", "none"])


@pytest.mark.parametrize(
    ("command", "code"), [("exit 3", 3), ("false | cat", 1), ("for A in $(exit 5); do true; done", 0)]
)
def test_a_commands_exit_code_is_kept(desk: Desk, command: str, code: int) -> None:
    assert desk.run(command, WORDS).code == code
