"""One simulator and a fresh stack for each test, a tally for each test, and every call held against its role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator import Simulator
from tests.integration.privileges import missing
from tests.security.table import COUNTED, PROPERTY, TALLY, count
from tests.support.role_calls import recording


@pytest.fixture(autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the test's report carry what the test counts."""
    TALLY.update(dict.fromkeys(COUNTED, 0))
    yield
    request.node.user_properties.append((PROPERTY, dict(TALLY)))


@pytest.fixture(autouse=True)
def calls_within_roles(tally: None) -> Iterator[None]:
    """Whatever a test is about: no function needs more than its role allows."""
    with recording() as needs:
        yield
    over = missing(needs)
    count("AWS calls of functions", len(needs))
    count("not allowed by their roles", len(over))
    assert over == []


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(seconds_pending=0, seconds_to_ready=0, clip="tiny") as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    running_simulator.reset()
    return running_simulator
