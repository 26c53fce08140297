"""RecordFailure: the workflow's RecordFailure state."""

from __future__ import annotations

import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.settings import FailureSettings, load
from stillmotion.stepfunctions import video_tasks

wiring.prepare(wiring.failures, FailureSettings)


@entry_point
@video_tasks.task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record the failure: ``{"state": the execution's state, "execution_arn": …}``; answers error and cause."""
    settings = load(FailureSettings, os.environ)
    ended = video_tasks.Ended(event["state"], event["execution_arn"])
    return video_tasks.record_failure(ended, wiring.job_store(settings), wiring.failures(settings))
