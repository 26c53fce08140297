"""Inspect: receives the events of delivered videos, inspects their clips, and publishes what it found."""

from __future__ import annotations

import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.settings import InspectSettings, load

wiring.prepare(wiring.inspecting, InspectSettings)


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Inspect the job that an event of the stack's bus names; answers its id, if it is completed."""
    inspecting = wiring.inspecting(load(InspectSettings, os.environ))
    job = inspecting.inspect(event["detail"]["id"], lambda: context.get_remaining_time_in_millis() / 1000)
    return {"id": None if job is None else job.id}
