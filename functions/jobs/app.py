"""Jobs: the read side of the API, behind ``GET /videos`` and ``GET /videos/{id}``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Any

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query as QueryParameter
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from stillmotion import wiring
from stillmotion.api.resolver import JobId, answer, current_caller, documented, get_visible_job, is_operator, new_api
from stillmotion.api.views import JobList, JobView, show_entry, show_job
from stillmotion.jobs.index import Query, list_jobs
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import timestamp
from stillmotion.settings import JobsSettings, load

app = new_api()
wiring.prepare(wiring.job_store, JobsSettings)


def _written_out(text: Any) -> Any:
    """Refuse bare numbers, which pydantic would read as unix seconds or milliseconds."""
    if str(text).strip().lstrip("+-").replace(".", "", 1).isdigit():
        raise ValueError("is not an ISO-8601 time with an offset or Z, for example 2026-11-22T12:00:00Z")
    return text


def _in_utc(moment: datetime) -> datetime:
    """The moment in UTC; one before the year 1 or after 9999 there is refused."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is not a time between the years 1 and 9999") from error


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]


@app.get("/videos", responses=documented({200: JobList}), tags=["videos"])
def list_videos(
    status: Annotated[Status | None, QueryParameter()] = None,
    model: Annotated[str | None, QueryParameter(min_length=1, max_length=200)] = None,
    created_after: Annotated[Moment | None, QueryParameter(description="ISO-8601 with an offset or Z")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20,
    next_token: Annotated[str | None, QueryParameter(max_length=400)] = None,
) -> Response[str]:
    """The caller's jobs and those without an owner, newest first. With a status, operators get all callers' jobs."""
    settings = load(JobsSettings, os.environ)
    caller = current_caller(app)
    after = None if created_after is None else timestamp(created_after)
    query = Query(caller, status, model, after, operator=is_operator(caller, settings.operator_arns))
    page = list_jobs(wiring.job_store(settings).entries, query, limit, next_token)
    return answer(200, {"data": [show_entry(entry) for entry in page.jobs], "next_token": page.next_token})


@app.get("/videos/<video_id>", responses=documented({200: JobView}, 404), tags=["videos"])
def show_video(video_id: JobId) -> Response[str]:
    """The job's record, with links to its videos when completed, and ``Retry-After`` (seconds) while it may change."""
    settings = load(JobsSettings, os.environ)
    job = get_visible_job(app, wiring.job_store(settings), video_id, settings.operator_arns)
    headers = {} if job.terminal else {"Retry-After": str(settings.poll_interval_seconds)}
    return answer(200, show_job(job, wiring.links(settings), settings.video_retention_days), headers)


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
