"""Logs and metrics: one JSON line each, with ids, and with nothing in them that is a secret."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.metrics import MetricUnit

from stillmotion import telemetry, wiring
from stillmotion.telemetry import count, entry_point, logger

SHARED = Path(telemetry.__file__).parents[1]
assert wiring.redact_logs is telemetry.redact_logs  # wiring is imported: it lets log lines be redacted


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The log lines so far, decoded."""
    written = io.StringIO()
    for handler in logging.getLogger("stillmotion").handlers:
        monkeypatch.setattr(handler, "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def context(request_id: str) -> Any:
    return SimpleNamespace(
        function_name="poll",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:poll",
        aws_request_id=request_id,
    )


def test_a_log_line_is_json_with_the_ids_of_its_invocation(lines: Any) -> None:
    @entry_point
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger.info("polled", extra={"job_id": event["id"]})
        return {}

    handler({"id": "vid_1"}, context("request-1"))
    [line] = lines()
    assert (line["message"], line["service"], line["job_id"]) == ("polled", "stillmotion", "vid_1")
    assert (line["function_request_id"], line["function_name"]) == ("request-1", "poll")


def test_an_invocation_remembers_nothing_of_the_one_before(lines: Any) -> None:
    @entry_point
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger.append_keys(**event)
        logger.info("seen")
        return {}

    handler({"job_id": "vid_1"}, context("request-1"))
    handler({}, context("request-2"))
    first, second = lines()
    assert first["job_id"] == "vid_1"
    assert "job_id" not in second
    assert second["function_request_id"] == "request-2"


def test_neither_events_nor_answers_are_logged(lines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    @entry_point
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger.info("working")
        return {"url": "https://clips.example/a.mp4?signature=SECRET"}

    answer = handler({"url": "https://pictures.example/a.png?signature=SECRET"}, context("request-1"))
    assert "SECRET" in answer["url"]
    assert "SECRET" not in json.dumps(lines()) + capsys.readouterr().out


def test_an_error_passes_through_an_entry_point_unchanged(lines: Any) -> None:
    @entry_point
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        raise KeyError("id")

    with pytest.raises(KeyError):
        handler({}, context("request-1"))
    assert lines() == []


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_metric_is_one_line_with_its_own_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    count("JobsFailed", model="google/veo-3.1-lite", code="NotAVideo")
    count("BytesDelivered", 1_500_000, MetricUnit.Bytes, model="alibaba/wan-2.7")
    count("SubmitOutcomesUnknown")
    failed, delivered, unknown = emitted(capsys)
    [described] = failed["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == "Stillmotion"
    assert [sorted(names) for names in described["Dimensions"]] == [["code", "model", "service"]]
    assert [(metric["Name"], metric["Unit"]) for metric in described["Metrics"]] == [("JobsFailed", "Count")]
    assert (failed["JobsFailed"], failed["code"], failed["service"]) == ([1.0], "NotAVideo", "stillmotion")
    assert (delivered["BytesDelivered"], delivered["model"]) == ([1_500_000.0], "alibaba/wan-2.7")
    assert delivered["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"] == "Bytes"
    assert [sorted(names) for names in unknown["_aws"]["CloudWatchMetrics"][0]["Dimensions"]] == [["service"]]
    assert {"model", "code"}.isdisjoint(unknown)


def test_metrics_need_no_environment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    count("PaidSubmits", model="m")
    assert emitted(capsys)[0]["PaidSubmits"] == [1.0]


def test_a_cold_start_is_counted_once_a_container_by_function(capsys: pytest.CaptureFixture[str], lines: Any) -> None:
    @entry_point
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if event["fails"]:
            raise KeyError("id")
        return {}

    with pytest.raises(KeyError):  # a first call that fails was a cold start too
        handler({"fails": True}, context("request-1"))
    handler({"fails": False}, context("request-2"))
    [found] = emitted(capsys)
    [described] = found["_aws"]["CloudWatchMetrics"]
    assert [sorted(names) for names in described["Dimensions"]] == [["function", "service"]]
    assert (found["ColdStarts"], found["function"]) == ([1.0], "poll")


def run(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("POWERTOOLS_", "AWS_", "LAMBDA_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | {"PYTHONPATH": str(SHARED)} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_without_tracing_the_tracing_sdk_is_not_even_imported() -> None:
    code = (
        "import sys, types; from stillmotion.telemetry import entry_point\n"
        "handler = entry_point(lambda event, context: {'seen': event['id']})\n"
        "context = types.SimpleNamespace(function_name='f', memory_limit_in_mb=1, invoked_function_arn='a', "
        "aws_request_id='r')\n"
        "print(handler({'id': 1}, context), 'aws_xray_sdk' in sys.modules)"
    )
    # The first line is the metric of the cold start.
    assert run(code, POWERTOOLS_TRACE_DISABLED="true").splitlines()[1:] == ["{'seen': 1} False"]


def test_a_secret_that_gets_into_a_log_line_is_redacted(lines: Any) -> None:
    logger.info("fetching https://b.example/a?sig=SECRETSECRET", extra={"facts": {"url": ["Bearer SECRET-SECRET-1"]}})
    [line] = lines()
    assert "SECRET" not in json.dumps(line)
    assert line["message"].startswith("fetching https://b.example/a?")


def test_stacks_of_one_account_are_told_apart() -> None:
    code = "from stillmotion.telemetry import count, logger; logger.info('x'); count('PaidSubmits')"
    logged, counted = (json.loads(line) for line in run(code, POWERTOOLS_SERVICE_NAME="prod").splitlines())
    assert logged["service"] == counted["service"] == "prod"
