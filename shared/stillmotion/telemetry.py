"""Logger, metrics and tracer, one of each for all functions.

Log lines are JSON with ids and never hold bodies, keys or presigned links. Metrics are CloudWatch EMF lines in the
same log: no call, no cost until read.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.tracing.base import BaseProvider

NAMESPACE = "Stillmotion"


class _NoTrace(BaseProvider):
    """Stands in where tracing is switched off, so that the X-Ray SDK (0.2 s of start-up) is not even imported."""

    def in_subsegment(self, name: Any = None, **kwargs: Any) -> Any: ...

    def in_subsegment_async(self, name: Any = None, **kwargs: Any) -> Any: ...

    def put_annotation(self, key: Any, value: Any) -> None: ...

    def put_metadata(self, key: Any, value: Any, namespace: Any = "default") -> None: ...

    def patch(self, modules: Any) -> None: ...

    def patch_all(self) -> None: ...


def _tracer() -> Tracer:
    off = os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true")
    return Tracer(disabled=True, auto_patch=False, provider=_NoTrace()) if off else Tracer(patch_modules=("botocore",))


logger = Logger(service="stillmotion")
metrics = Metrics(namespace=NAMESPACE, service="stillmotion")
tracer = _tracer()


def count(name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count, **dimensions: str) -> None:
    """One metric with its own dimensions, for example ``count("PaidSubmits", model="google/veo-3.1-lite")``."""
    with single_metric(
        name=name, unit=unit, value=value, namespace=NAMESPACE, default_dimensions={"service": "stillmotion"}
    ) as metric:
        for dimension, given in dimensions.items():
            metric.add_dimension(dimension, given)
