"""The table at the end of a run: what was tried, and what of it gave way."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

from tests.support.tally import Tally

TALLY = Tally(
    "safe among strangers",
    *("hostile addresses, by three ways", "refused", "connections to a listener inside"),
    *("drips and floods", "threads left", "sockets left"),
    *("secrets planted", "texts searched", "secrets found"),
    *("AWS calls of functions", "not allowed by their roles"),
    *("routes by callers", "answered otherwise than written down", "answers that tell what exists"),
)
count = TALLY.count


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    TALLY.add(report)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    TALLY.show(terminalreporter)
