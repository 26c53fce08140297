"""Sweep: finds orphaned and unpublished jobs every 15 minutes, and repairs or reports them."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.settings import SweepSettings, load

wiring.prepare(wiring.recovery, SweepSettings)


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One sweep; answers numbers of jobs by what was done."""
    settings = load(SweepSettings, os.environ)
    swept = wiring.recovery(settings).sweep(lambda: context.get_remaining_time_in_millis() / 1000)
    wiring.credits_watch(settings).report()
    return asdict(swept)
