"""Logging, metrics and tracing, the same for all functions.

Log lines are JSON with ids and never hold bodies, keys or presigned links; what slips in is redacted. Metrics are
CloudWatch EMF lines in the same log: no call, no cost until read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext

NAMESPACE = "Stillmotion"
SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "stillmotion")
"""The stack's name, by which alarms and dashboards of stacks in one account tell their figures apart."""


def _unchanged(record: Any) -> Any:
    return record


_redact: Callable[[Any], Any] = _unchanged


def redact_logs(redact: Callable[[Any], Any]) -> None:
    """Let every log line's fields pass through this from now on."""
    global _redact
    _redact = redact


def _serialized(record: dict[str, Any]) -> str:
    return json.dumps(_redact(record), default=str, separators=(",", ":"), ensure_ascii=False)


logger = Logger(service=SERVICE, json_serializer=_serialized)

type Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


def entry_point(handler: Handler) -> Handler:
    """A Lambda handler whose log lines carry the invocation's ids and whose run is a trace segment.

    Neither events nor answers are logged or traced: both may hold signed links. A container's first invocation is
    counted as ``ColdStarts``, by function: one more metric for each function, whatever is asked of it.
    """
    logged: Handler = logger.inject_lambda_context(_counting_cold_starts(_traced(handler)), clear_state=True)
    return logged


def _counting_cold_starts(handler: Handler) -> Handler:
    cold = True

    @wraps(handler)
    def counting(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        nonlocal cold
        if cold:
            cold = False
            count("ColdStarts", function=context.function_name)
        return handler(event, context)

    return counting


def _traced(handler: Handler) -> Handler:
    """The handler under X-Ray; where that is switched off, its SDK (0.2 s of start-up) is not even imported."""
    if os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true"):
        return handler
    traced: Handler = Tracer(patch_modules=("botocore",)).capture_lambda_handler(handler, capture_response=False)
    return traced


type Unit = Literal["Count", "Bytes", "Seconds", "None"]


def count(name: str, value: float = 1, unit: Unit = "Count", **dimensions: str) -> None:
    """One metric with its own dimensions, for example ``count("PaidSubmits", model="google/veo-3.1-lite")``.

    It is written at once, and not with the others when the call ends: what was paid is counted also where the function
    dies a moment later.
    """
    with single_metric(
        name=name,
        unit=MetricUnit(unit),
        value=value,
        namespace=NAMESPACE,
        default_dimensions={"service": SERVICE},
    ) as metric:
        for dimension, given in dimensions.items():
            metric.add_dimension(dimension, given)
