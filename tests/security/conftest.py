"""One simulator and a fresh stack for each test, a tally for each test, and every call held against its role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.privileges import missing
from tests.security.table import TALLY, count
from tests.support.role_calls import recording
from tests.support.simulators import running_simulator, simulator

__all__ = ["running_simulator", "simulator"]


@pytest.fixture(autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the test's report carry what the test counts."""
    yield from TALLY.carried(request)


@pytest.fixture(autouse=True)
def calls_within_roles(tally: None) -> Iterator[None]:
    """Whatever a test is about: no function needs more than its role allows."""
    with recording() as needs:
        yield
    over = missing(needs)
    count("AWS calls of functions", len(needs))
    count("not allowed by their roles", len(over))
    assert over == []
