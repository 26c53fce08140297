"""One simulator for a run, emptied for every test. A conftest imports both fixtures by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator import Simulator


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(seconds_pending=0, seconds_to_ready=0, clip="tiny") as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    running_simulator.reset()
    return running_simulator
