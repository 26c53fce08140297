"""The table at the end of a run: what was tried, and what it cost."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

COUNTED = ("faults tried", "paid submits", "double payments", "lost videos", "stuck jobs")
TALLY = dict.fromkeys(COUNTED, 0)
"""Of the test that runs; its report carries it here, also from another process."""
TOTAL = dict.fromkeys(COUNTED, 0)


def count(name: str, number: int = 1) -> None:
    """Add to the test's tally."""
    TALLY[name] += number


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, found in report.user_properties:
        if report.when == "call" and name == "tally" and isinstance(found, dict):
            for counted in COUNTED:
                TOTAL[counted] += found[counted]


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if TOTAL["faults tried"]:
        terminalreporter.section("nothing paid for twice, nothing paid for lost")
        for name in COUNTED:
            terminalreporter.write_line(f"{name:<16}{TOTAL[name]:>8,}")
