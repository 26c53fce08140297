"""Control: stopping and resuming jobs, behind ``DELETE /videos/{id}`` and ``POST /videos/{id}/resume``."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring, workflow
from stillmotion.api import JobId, answer, current_caller, documented, new_api
from stillmotion.control import Control
from stillmotion.job_store import get_owned_job
from stillmotion.settings import ControlSettings, load
from stillmotion.telemetry import entry_point
from stillmotion.views import JobView

app = new_api()


def _control(settings: ControlSettings) -> Control:
    arn, machine = settings.state_machine_arn, wiring.state_machine()
    return Control(
        wiring.job_store(settings),
        wiring.failures(settings),
        start=lambda job, name, outcome: workflow.start(machine, arn, job, name=name, outcome=outcome),
        stop=lambda job: workflow.stop(machine, job),
        arn=lambda name: workflow.execution_arn(arn, name),
    )


@app.delete("/videos/<video_id>", responses=documented({200: JobView}, 404, 409), tags=["videos"])
def cancel_video(video_id: JobId) -> Response[str]:
    """Stop waiting for a job. ModelGates may still finish the clip and charge for it."""
    settings = load(ControlSettings, os.environ)
    job = get_owned_job(wiring.job_store(settings), video_id, current_caller(app))
    return answer(200, _control(settings).cancel(job).public())


@app.post("/videos/<video_id>/resume", responses=documented({202: JobView}, 404, 409), tags=["videos"])
def resume_video(video_id: JobId) -> Response[str]:
    """Go on with a job that timed out or whose delivery failed, without a new paid call."""
    settings = load(ControlSettings, os.environ)
    job = get_owned_job(wiring.job_store(settings), video_id, current_caller(app))
    return answer(202, _control(settings).resume(job).public(), {"Location": f"/videos/{job.id}"})


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
