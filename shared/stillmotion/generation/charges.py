"""Compares what ModelGates charges with the estimate: on the real service, only this shows a wrong price."""

from __future__ import annotations

from decimal import Decimal

from stillmotion.errors import StillmotionError
from stillmotion.jobs.record import Job
from stillmotion.ports import Credits
from stillmotion.telemetry import count, logger

TOLERANCE_USD = Decimal("0.000001")
"""Charges come as JSON numbers; a difference below a micro-dollar is rounding."""


def watch_charge(job: Job) -> None:
    """Count and log a job that was charged more than its estimate, with its model and the names of the price list."""
    charged, estimated = job.usage.cost_usd, job.estimated_cost_usd
    if charged is None or estimated is None or Decimal(str(charged)) - Decimal(str(estimated)) <= TOLERANCE_USD:
        return
    basis = [] if job.price is None else job.price.basis
    logger.error(
        "charged more than estimated",
        extra={"job_id": job.id, "model": job.model, "basis": basis, "charged": charged, "estimated": estimated},
    )
    count("ChargedMoreThanEstimated")


class CreditsWatch:
    """Reports what is left of the account's credits."""

    def __init__(self, provider: Credits) -> None:
        self._provider = provider

    def report(self) -> Decimal | None:
        """Emit the credits left as a metric, in USD; ``None`` where the account has no limit or gave no answer."""
        try:
            left = self._provider.credits_left()
        except StillmotionError as error:
            logger.warning("credits not known", extra={"code": error.code, "reason": error.detail})
            return None
        if left is not None:
            count("CreditsLeftUsd", float(left), "None")
        return left
