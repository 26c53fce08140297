"""Counts of a suite, carried by its tests' reports also from other processes, and shown as a table at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from _pytest.terminal import TerminalReporter


class Tally:
    """What the test that runs has counted, and the sum of all tests of this run."""

    def __init__(self, title: str, *counted: str) -> None:
        self._title = title
        self._counted = counted
        self._test = dict.fromkeys(counted, 0)
        self._total = dict.fromkeys(counted, 0)

    def count(self, name: str, number: int = 1) -> None:
        """Add to the test's counts."""
        self._test[name] += number

    def carried(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """The body of a fixture: let the test's report carry what the test counts."""
        self._test.update(dict.fromkeys(self._counted, 0))
        yield
        request.node.user_properties.append((self._title, dict(self._test)))

    def add(self, report: pytest.TestReport) -> None:
        """Add a report's counts to the sum."""
        for name, found in report.user_properties:
            if report.when == "teardown" and name == self._title and isinstance(found, Mapping):
                for counted in self._counted:
                    self._total[counted] += found[counted]

    def show(self, terminal: TerminalReporter) -> None:
        """Print the table, unless nothing was counted."""
        if not any(self._total.values()):
            return
        terminal.section(self._title)
        width = max(map(len, self._counted)) + 4
        for name, number in self._total.items():
            terminal.write_line(f"{name:<{width}}{number:>8,}")
