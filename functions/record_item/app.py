"""RecordItem: the batch workflow's RecordItem state, once for each item."""

from __future__ import annotations

import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.batches.outcome import record_item
from stillmotion.settings import RecordItemSettings, load
from stillmotion.stepfunctions import video_tasks
from stillmotion.stepfunctions.executions import execution_arn

wiring.prepare(wiring.job_store, RecordItemSettings)


@entry_point
@video_tasks.task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record the outcome of an item: ``{"state": its workflow's state}``; answers status, error and cause."""
    settings = load(RecordItemSettings, os.environ)
    state = event["state"]
    arn = execution_arn(settings.state_machine_arn, state["item"]["execution"])
    outcome = record_item(state, wiring.job_store(settings).find, arn)
    wiring.batch_store(settings.batch_table_name).record(state["batch"]["id"], state["batch"]["run"], [outcome])
    error = outcome.get("error", {})
    return {"status": outcome["status"], "error": error.get("code", ""), "cause": error.get("message", "")}
