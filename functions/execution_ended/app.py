"""ExecutionEnded: ends the record of an execution that ended without our code running."""

from __future__ import annotations

import json
import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.settings import RecoverySettings, load
from stillmotion.stepfunctions.execution_input import Unreadable, read_input

wiring.prepare(wiring.recovery, RecoverySettings)


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle an event "Step Functions Execution Status Change"; answers the job's id, if there is one."""
    detail = event["detail"]
    started = read_input(json.loads(detail.get("input") or "{}"), detail["executionArn"])
    if isinstance(started, Unreadable):
        return {"id": None}  # refused: there never was a job
    settled = wiring.recovery(load(RecoverySettings, os.environ)).execution_ended(
        started.job_id, started.execution_arn, detail["status"]
    )
    return {"id": None if settled is None else settled.id}
