"""Jobs: the read side of the API."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api import answer, caller, new_api
from stillmotion.job_store import get_owned_job
from stillmotion.settings import JobsSettings, load
from stillmotion.telemetry import entry_point

app = new_api()


@app.get("/videos/<video_id>")
def show_video(video_id: str) -> Response[str]:
    """The job's record; with ``Retry-After`` (seconds) while it may still change."""
    settings = load(JobsSettings, os.environ)
    owner = caller(app.current_event.raw_event["requestContext"]["identity"])
    job = get_owned_job(wiring.job_store(settings), video_id, owner)
    headers = {} if job.terminal else {"Retry-After": str(settings.poll_interval_seconds)}
    return answer(200, job.public(), headers)


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
