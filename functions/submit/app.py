"""SubmitApi, behind ``POST /videos``, and SubmitTask, the workflow's Submit state: one use case, two entry points."""

from __future__ import annotations

import os
from typing import Annotated, Any

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api.model_views import DryRun, show_dry_run
from stillmotion.api.resolver import (
    IDEMPOTENCY_KEY,
    answer,
    check_body_size,
    current_caller,
    documented,
    is_operator,
    new_api,
)
from stillmotion.api.views import JobView
from stillmotion.generation.create import request_id
from stillmotion.generation.submit import Origin
from stillmotion.jobs.public import http_view
from stillmotion.requests.video_request import VideoRequest
from stillmotion.settings import SubmitApiSettings, SubmitTaskSettings, load
from stillmotion.stepfunctions import video_tasks
from stillmotion.stepfunctions.submit_task import submit

app = new_api()
wiring.prepare(wiring.submission, SubmitApiSettings if "STATE_MACHINE_ARN" in os.environ else SubmitTaskSettings)


@app.post(
    "/videos", responses=documented({200: JobView | DryRun, 202: JobView}, 402, 413, 415, 422, 502), tags=["videos"]
)
def create_video(
    request: VideoRequest,
    dry_run: Annotated[bool, Query(description="check and price the request, spend nothing")] = False,
    idempotency_key: Annotated[str | None, IDEMPOTENCY_KEY] = None,
) -> Response[str]:
    """Validate the request, submit it, start its workflow: 202 with the job's record.

    The same `Idempotency-Key` with the same body answers the first job (200, `Idempotent-Replayed: true`).
    """
    settings = load(SubmitApiSettings, os.environ)
    check_body_size(app)
    owner = current_caller(app)
    operator = is_operator(owner, settings.operator_arns)
    if dry_run:
        examined = wiring.submission(settings).examine(request, Origin({"type": "http"}, owner, operator=operator))
        return answer(200, show_dry_run(examined.model, examined.quote, examined.warnings, examined.chosen))
    job_id = request_id(owner, idempotency_key)
    arn = wiring.executions(settings.state_machine_arn).arn(job_id)
    origin = Origin({"type": "http"}, owner, arn, operator=operator)
    seconds_left = app.lambda_context.get_remaining_time_in_millis() / 1000
    created = wiring.create_video(settings).handle(request, job_id, origin, seconds_left)
    headers = {"Location": f"/videos/{created.job.id}"}
    if created.replayed:
        return answer(200, http_view(created.job), headers | {"Idempotent-Replayed": "true"})
    return answer(202, http_view(created.job), headers)


@entry_point
def api_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)


@entry_point
@video_tasks.task
def task_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Submit what an execution was started with: ``{"input", "execution_arn", "interval", "attempt", "attempts"}``."""
    settings = load(SubmitTaskSettings, os.environ)
    submission, drops = wiring.submission(settings), wiring.drops(settings)
    return submit(event, submission, wiring.job_store(settings), drops)
