"""Control: stopping, purging, resuming and settling jobs: ``DELETE /videos/{id}`` and ``POST /videos/{id}/…``."""

from __future__ import annotations

import os
from typing import Annotated, Any

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query as QueryParameter
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api.resolver import JobId, answer, documented, get_visible_job, new_api, require_operator
from stillmotion.api.views import JobView, SettleOrder
from stillmotion.jobs.public import http_view
from stillmotion.settings import ControlSettings, load

app = new_api(SettleOrder)
wiring.prepare(wiring.control, ControlSettings)


@app.delete("/videos/<video_id>", responses=documented({200: JobView}, 404, 409), tags=["videos"])
def cancel_video(
    video_id: JobId,
    purge: Annotated[
        bool,
        QueryParameter(
            description="of a job that has ended: delete its video with everything made of it, the uploads that are "
            "its alone, and the private fields of its record. Not to be undone"
        ),
    ] = False,
) -> Response[str]:
    """Stop waiting for a job; ModelGates may still finish the clip and charge for it. With ``purge=true`` delete what a
    job that has ended was made of and what was made of it; its record stays, so that its key never pays again."""
    settings = load(ControlSettings, os.environ)
    job = get_visible_job(app, wiring.job_store(settings), video_id, settings.operator_arns)
    if purge:
        if job.owner is None:  # everybody may read it
            require_operator(app, settings.operator_arns)
        return answer(200, http_view(wiring.purging(settings).purge(job)))
    return answer(200, http_view(wiring.control(settings).cancel(job)))


@app.post("/videos/<video_id>/resume", responses=documented({202: JobView}, 404, 409), tags=["videos"])
def resume_video(video_id: JobId) -> Response[str]:
    """Resume a job that timed out or whose delivery failed, without a new paid call."""
    settings = load(ControlSettings, os.environ)
    job = get_visible_job(app, wiring.job_store(settings), video_id, settings.operator_arns)
    return answer(202, http_view(wiring.control(settings).resume(job)), {"Location": f"/videos/{job.id}"})


@app.post(
    "/videos/<video_id>/settle", responses=documented({200: JobView, 202: JobView}, 404, 409, 413, 415), tags=["videos"]
)
def settle_video(video_id: JobId, order: SettleOrder) -> Response[str]:
    """Settle a job that is submit_unknown, as an operator: adopt the job that ModelGates accepted (202), or give it up
    (200)."""
    settings = load(ControlSettings, os.environ)
    job = get_visible_job(app, wiring.job_store(settings), video_id, settings.operator_arns)
    require_operator(app, settings.operator_arns)
    control = wiring.control(settings)
    if order.provider_job_id is not None:
        job = control.adopt(job, order.provider_job_id)
        return answer(202, http_view(job), {"Location": f"/videos/{job.id}"})
    return answer(200, http_view(control.abandon(job, charged=order.charged is not False)))


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
