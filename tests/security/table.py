"""The table at the end of a run: what was tried, and what of it gave way."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from _pytest.terminal import TerminalReporter

PROPERTY = "security counts"
COUNTED = (
    *("hostile addresses, by three ways", "refused", "connections to a listener inside"),
    *("drips and floods", "threads left", "sockets left"),
    *("secrets planted", "texts searched", "secrets found"),
    *("AWS calls of functions", "not allowed by their roles"),
    *("routes by callers", "answered otherwise than written down", "answers that tell what exists"),
)
TALLY = dict.fromkeys(COUNTED, 0)
"""Of the test that runs; its report carries it here, also from another process."""
TOTAL = dict.fromkeys(COUNTED, 0)


def count(name: str, number: int = 1) -> None:
    """Add to the test's tally."""
    TALLY[name] += number


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, found in report.user_properties:
        if report.when == "teardown" and name == PROPERTY and isinstance(found, Mapping):
            for counted in COUNTED:
                TOTAL[counted] += found[counted]


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if any(TOTAL.values()):
        terminalreporter.section("safe among strangers")
        for name in COUNTED:
            terminalreporter.write_line(f"{name:<40}{TOTAL[name]:>8,}")
