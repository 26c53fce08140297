"""The table at the end of a run: what was tried, and what it cost."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

from tests.support.tally import Tally

TALLY = Tally(
    "nothing paid for twice, nothing paid for lost",
    *("faults tried", "paid submits", "double payments", "lost videos", "stuck jobs"),
)
count = TALLY.count


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    TALLY.add(report)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    TALLY.show(terminalreporter)
