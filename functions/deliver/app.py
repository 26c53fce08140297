"""Deliver: the workflow's Deliver state."""

from __future__ import annotations

import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.jobs.public import workflow_output
from stillmotion.settings import DeliverSettings, load
from stillmotion.stepfunctions import video_tasks

wiring.prepare(wiring.delivery, DeliverSettings)


@entry_point
@video_tasks.task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Store the video of a finished job: ``{"id": …}``; answers the workflow's output."""
    return workflow_output(wiring.delivery(load(DeliverSettings, os.environ)).deliver(event["id"]))
