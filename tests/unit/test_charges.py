"""Charges against estimates, and the credits that are left."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from stillmotion.errors import ProviderUnavailable
from stillmotion.generation import charges
from stillmotion.generation.charges import CreditsWatch, watch_charge
from stillmotion.jobs.record import PriceEstimate, Usage
from stillmotion.jobs.spend import Spend, correction
from tests.support.fakes import a_job


def metrics(printed: str) -> dict[str, Any]:
    """The metrics in printed EMF lines, by name."""
    lines = [json.loads(line) for line in printed.splitlines() if "_aws" in line]
    names = [(line, metric["Name"]) for line in lines for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    return {name: line[name] for line, name in names}


@pytest.mark.parametrize(
    ("charged", "estimated", "counted"),
    [
        (0.13, 0.12, True),
        (0.120002, 0.12, True),
        (0.1200004, 0.12, False),
        (0.12, 0.12, False),
        (0.11, 0.12, False),
        (None, 0.12, False),
        (0.12, None, False),
    ],
)
def test_a_charge_above_the_estimate_is_counted_and_logged(
    charged: float | None,
    estimated: float | None,
    counted: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(charges.logger, "error", lambda _, extra: logged.append(extra))
    price = PriceEstimate(at_most_usd="0.12", basis=["duration_seconds_720p"])
    watch_charge(a_job(usage=Usage(cost_usd=charged), estimated_cost_usd=estimated, price=price))
    assert ("ChargedMoreThanEstimated" in metrics(capsys.readouterr().out)) is counted
    named = [(entry["model"], entry["basis"]) for entry in logged]
    assert named == ([(a_job().model, ["duration_seconds_720p"])] if counted else [])


class Account:
    """An account with this much left, or without an answer."""

    def __init__(self, left: Decimal | None, error: Exception | None = None) -> None:
        self.left, self.error = left, error

    def credits_left(self) -> Decimal | None:
        if self.error is not None:
            raise self.error
        return self.left


@pytest.mark.parametrize(
    ("account", "reported"),
    [
        (Account(Decimal("12.5")), 12.5),
        (Account(Decimal(0)), 0.0),
        (Account(None), None),
        (Account(None, ProviderUnavailable("away")), None),
    ],
)
def test_credits_left_become_a_metric(
    account: Account, reported: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    CreditsWatch(account).report()
    found = metrics(capsys.readouterr().out).get("CreditsLeftUsd")
    assert found in ([reported], reported)


def test_a_charge_that_nobody_could_estimate_counts_on_its_day() -> None:
    """Else a limit that is set at noon would not include the morning."""
    reserved = Spend("2026-11-27", 0, "alice").reservation
    assert correction(reserved, 5.0) == Spend("2026-11-27", 5_000_000, "alice")
    assert correction(reserved, 0.0) is None
