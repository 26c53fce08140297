"""The dashboard shows what is emitted: its metrics, dimensions, fields and messages are the code's and template's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from stillmotion.operations.reconcile import Swept
from tests.support.template import ROOT, read_template, resources, template

NESTED = read_template(ROOT / "observability" / "dashboard.yaml")
STACK = resources("AWS::CloudFormation::Stack")["Observability"]
SOURCES = "".join(path.read_text() for path in sorted((ROOT / "shared" / "stillmotion").rglob("*.py")))
QUERIES = {
    name: found["Properties"] for name, found in NESTED["Resources"].items() if found["Type"].startswith("AWS::Logs")
}
LISTS = {"EachFunction": ("Functions", '"], ["...", "'), "Alarms": ("AlarmArns", '", "')}
AWS_METRICS = {
    "AWS/Lambda": ("FunctionName", "AWS::Serverless::Function", {"Errors", "Throttles", "Duration"}),
    "AWS/States": (
        "StateMachineArn",
        "AWS::Serverless::StateMachine",
        {"ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"},
    ),
    "AWS/SQS": (
        "QueueName",
        "AWS::SQS::Queue",
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    ),
}
"""Of each service the dimension that names a resource, that resource's type, and some metrics (AWS reference)."""
API_METRICS = {"Count", "4XXError", "5XXError", "Latency"}
INSIGHTS_FIELDS = {"type", "initDuration", "logStream", "timestamp"}
"""Fields that CloudWatch makes of every log line, and of a function's report."""


def referred(value: Any) -> str:
    """The logical id that a parameter of the nested stack gets; pseudo parameters as they are."""
    if "Fn::If" in value:
        return referred(value["Fn::If"][1])
    return str(value.get("Ref") or value["Fn::GetAtt"].partition(".")[0])


def body() -> dict[str, Any]:
    """The dashboard as CloudFormation fills it in, where every resource is called as in the template."""
    text, variables = NESTED["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    values = {"AWS::Region": "eu-central-1"}
    for name, value in STACK["Parameters"].items():
        values[name] = referred(value) if "Fn::Join" not in value else ""
    for name, (parameter, between) in LISTS.items():
        assert variables[name] == {"Fn::Join": [between, {"Ref": parameter}]}
        values[name] = between.join(listed(parameter))
    values |= {"DailySpendLimitUsd": "0", "CreditsAlarmUsd": "0"}
    filled: dict[str, Any] = json.loads(re.sub(r"\$\{([\w:]+)\}", lambda match: values[match[1]], text))
    return filled


def listed(parameter: str) -> list[str]:
    separator, items = STACK["Parameters"][parameter]["Fn::Join"]
    assert separator == ","
    return [referred(item) for item in items]


def widgets(kind: str) -> list[dict[str, Any]]:
    return [one["properties"] for one in body()["widgets"] if one["type"] == kind]


def shown_metrics() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of every metric, with what ``...`` stands for put in."""
    for widget in widgets("metric"):
        before: list[str] = []
        for line in widget["metrics"]:
            words = [word for word in line if isinstance(word, str)]
            if not words:
                continue
            if words[0] == "...":
                words = before[: len(before) - len(words) + 1] + words[1:]
            before = words
            namespace, name, *pairs = words
            yield namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True))


def searches() -> list[tuple[set[str], str]]:
    """Dimensions and metric's name of every search."""
    lines = [line[0] for widget in widgets("metric") for line in widget["metrics"] if isinstance(line[0], dict)]
    search = r"SEARCH\('\{Stillmotion,([\w,]+)\} MetricName=\"(\w+)\" service=\"AWS::StackName\"'"
    found = [re.findall(search, line["expression"]) for line in lines]
    assert all(len(one) == 1 for one in found)
    return [(set(one[0][0].split(",")), one[0][1]) for one in found]


def emitted() -> dict[str, set[str]]:
    """The dimensions of each metric, as the calls of ``count`` in the code give them."""
    calls = re.findall(r'\bcount\(\s*"(\w+)"((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)', SOURCES)
    assert len(calls) > 15
    found = {name: {"service", *re.findall(r"\b(\w+)=", given)} for name, given in calls}
    assert 'count(f"Sweep{what.capitalize()}", done[what])' in SOURCES
    swept = [field.name.capitalize() for field in fields(Swept) if field.name != "checked"]
    return found | {f"Sweep{name}": {"service"} for name in swept}


def test_every_metric_of_ours_is_emitted_with_these_dimensions() -> None:
    known = emitted()
    own = [(name, dimensions) for namespace, name, dimensions in shown_metrics() if namespace == "Stillmotion"]
    assert own
    for name, dimensions in own:
        assert set(dimensions) == known[name], name
        assert dimensions["service"] == "AWS::StackName"
    assert searches()
    for names, name in searches():
        assert names == known[name], name


def test_every_metric_of_aws_is_one_of_a_resource() -> None:
    for namespace, name, dimensions in shown_metrics():
        [(dimension, value)] = list(dimensions.items())[-1:]
        if namespace == "Stillmotion":
            assert dimension == "service" or value in resources("AWS::Serverless::Function")
        elif namespace == "AWS/ApiGateway":
            # SAM calls an API without a name of its own like the stack.
            assert "Name" not in resources("AWS::Serverless::Api")["Api"]
            assert (dimension, value) == ("ApiName", "AWS::StackName")
            assert name in API_METRICS
        else:
            expected, kind, names = AWS_METRICS[namespace]
            assert (dimension, template()["Resources"][value]["Type"]) == (expected, kind)
            assert name in names


@pytest.mark.parametrize(
    ("parameter", "kind"), [("Functions", "AWS::Serverless::Function"), ("AlarmArns", "AWS::CloudWatch::Alarm")]
)
def test_every_function_and_alarm_is_shown_where_it_exists(parameter: str, kind: str) -> None:
    assert sorted(listed(parameter)) == sorted(resources(kind))
    for item in STACK["Parameters"][parameter]["Fn::Join"][1]:
        condition = template()["Resources"][referred(item)].get("Condition")
        assert item.get("Fn::If", [None])[0] == condition


def test_functions_are_listed_by_errors_throttles_and_cold_starts() -> None:
    for metric in ("Errors", "Throttles", "ColdStarts"):
        shown = [dimensions for _, name, dimensions in shown_metrics() if name == metric]
        names = [one.get("FunctionName") or one["function"] for one in shown]
        assert sorted(names) == sorted(resources("AWS::Serverless::Function")), metric


def test_widgets_neither_overlap_nor_leave_the_page() -> None:
    taken: set[tuple[int, int]] = set()
    for one in body()["widgets"]:
        cells = {
            (x, y) for x in range(one["x"], one["x"] + one["width"]) for y in range(one["y"], one["y"] + one["height"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_the_dashboard_is_on_aws_alone_and_gets_every_parameter() -> None:
    assert template()["Resources"]["Observability"]["Condition"] == "IsAws"
    assert set(STACK["Parameters"]) == set(NESTED["Parameters"])
    assert (ROOT / STACK["TemplateURL"]).is_file()


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_saved_query_reads_messages_and_fields_that_are_logged(name: str) -> None:
    query = QUERIES[name]["QueryString"]
    assert QUERIES[name]["Name"]["Fn::Sub"].startswith("${StackName}/")
    assert {group["Ref"] for group in QUERIES[name]["LogGroupNames"]} <= {"FunctionLogGroup", "EventLogGroup"}
    for message in re.findall(r'message = "([^"]+)"', query):
        logged = re.findall(rf'logger\.\w+\(\s*"{message}",\s*extra=(\{{.*?\}})', SOURCES, re.DOTALL)
        assert logged, message
        used = set(re.findall(r"\b(job_id|code|status|bytes|seconds_\w+)\b", query))
        assert used <= set(re.findall(r'"(\w+)":', logged[0]))
    assert set(re.findall(r"@(\w+)", query)) <= INSIGHTS_FIELDS
