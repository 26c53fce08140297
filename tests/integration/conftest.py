"""One simulator for the whole run, and a fresh stack for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator import Simulator
from tests.support.inprocess import Cloud, cloud


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(seconds_pending=0, seconds_to_ready=0, clip="tiny") as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    running_simulator.reset()
    return running_simulator


@pytest.fixture
def stack(simulator: Simulator) -> Iterator[Cloud]:
    with cloud(simulator) as made:
        yield made
