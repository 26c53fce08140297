"""SubmitApi, behind ``POST /videos``, and SubmitTask, the workflow's Submit state: one use case, two entry points."""

from __future__ import annotations

import os
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api.resolver import IDEMPOTENCY_KEY, answer, check_body_size, current_caller, documented, new_api
from stillmotion.api.views import DryRun, JobView, show_dry_run
from stillmotion.batches.item import Standing, standing
from stillmotion.generation.create import CreateVideo
from stillmotion.generation.resume import take_over
from stillmotion.generation.submit import NOT_ACCEPTED, Origin
from stillmotion.jobs.public import http_view
from stillmotion.jobs.record import derived_job_id, new_job_id
from stillmotion.jobs.store import get_job
from stillmotion.requests.video_request import VideoRequest, parse_request
from stillmotion.settings import SubmitApiSettings, SubmitTaskSettings, load
from stillmotion.stepfunctions import video_tasks
from stillmotion.stepfunctions.execution_input import MachineInput
from stillmotion.telemetry import entry_point

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
    submission = wiring.submission(settings)
    check_body_size(app)
    if dry_run:
        examined = submission.examine(request)
        return answer(200, show_dry_run(examined.model, examined.quote, examined.warnings))
    owner = current_caller(app)
    job_id = new_job_id() if idempotency_key is None else derived_job_id("http", owner or "", idempotency_key)
    arn, machine = settings.state_machine_arn, wiring.state_machine()
    create = CreateVideo(
        submission,
        wiring.failures(settings),
        lambda job, wait_seconds: video_tasks.start(machine, arn, job, wait_seconds=wait_seconds),
    )
    origin = Origin({"type": "http"}, owner, video_tasks.execution_arn(arn, job_id))
    created = create.handle(request, job_id, origin, app.lambda_context.get_remaining_time_in_millis() / 1000)
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
    submission = wiring.submission(settings)
    started = MachineInput(event["input"], event["execution_arn"])
    job_id = started.job_id()
    try:
        if started.handed_over is not None:
            job = get_job(wiring.job_store(settings), job_id)
        else:
            drop = started.drop
            request = started.request if drop is None else wiring.drops(settings).request(drop)
            if request is None:
                return video_tasks.ignored(job_id)
            origin = Origin(started.source, started.owner, started.execution_arn)
            job = submission.accept(parse_request(request), job_id, origin).job
            if started.batch_item is not None and standing(job) is Standing.OPEN:
                job = take_over(wiring.job_store(settings), job, started.execution_arn)
        if job.execution_arn != started.execution_arn:
            return video_tasks.duplicate(job)
        return video_tasks.for_machine(submission.submit(job), event["interval"])
    except NOT_ACCEPTED as error:
        if event["attempt"] >= event["attempts"]:
            raise
        return video_tasks.not_accepted(job_id, error, event["attempt"])
