"""ExecutionEnded: hears of executions that ended without a video, and settles records that our own code did not."""

from __future__ import annotations

import json
import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.errors import StillmotionError
from stillmotion.settings import RecoverySettings, load
from stillmotion.stepfunctions.execution_input import MachineInput
from stillmotion.telemetry import entry_point

wiring.prepare(wiring.recovery, RecoverySettings)


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle what an event "Step Functions Execution Status Change" tells of; answers the job's id, if there is one."""
    detail = event["detail"]
    started = MachineInput(json.loads(detail.get("input") or "{}"), detail["executionArn"])
    try:
        job_id = started.job_id()
    except StillmotionError:
        return {"id": None}  # refused for its key: there never was a job
    settled = wiring.recovery(load(RecoverySettings, os.environ)).execution_ended(
        job_id, detail["executionArn"], detail["status"]
    )
    return {"id": None if settled is None else settled.id}
