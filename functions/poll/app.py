"""Poll: the workflow's Poll state."""

from __future__ import annotations

import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.settings import ProviderSettings, load
from stillmotion.stepfunctions import video_tasks

wiring.prepare(wiring.polling, ProviderSettings)


@entry_point
@video_tasks.task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Ask ModelGates once: ``{"id", "polls", "interval", "wakes"}``.

    ``polls`` is the number of this poll, ``interval`` the seconds between two polls, ``wakes`` the number of callbacks
    that the last poll has seen, as text. Executions that an earlier release started give no ``wakes``.
    """
    polling = wiring.polling(load(ProviderSettings, os.environ))
    polled = polling.poll(event["id"], event["polls"], int(event.get("wakes", "0")))
    return polled.for_machine(event["interval"])
