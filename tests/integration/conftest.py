"""One simulator for the whole run, a fresh stack for every test, and every call held against its function's role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator import Simulator
from tests.integration.privileges import PROPERTY, missing
from tests.support.inprocess import Cloud, cloud
from tests.support.role_calls import recording
from tests.support.simulators import running_simulator, simulator

__all__ = ["running_simulator", "simulator"]


@pytest.fixture(autouse=True)
def calls_within_roles(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test is about: no function needs more than its role allows."""
    with recording() as needs:
        yield
    request.node.user_properties.append((PROPERTY, [list(need) for need in sorted(needs)]))
    assert missing(needs) == []


@pytest.fixture
def stack(simulator: Simulator) -> Iterator[Cloud]:
    with cloud(simulator) as made:
        yield made
