"""A simulator of its own for every test, and a plain HTTP client for it."""

from collections.abc import Iterator

import pytest

from local.simulator import Simulator
from tests.unit.simulator.support import Client


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(seconds_to_ready=0, clip="tiny", test_models=True) as running:
        yield running


@pytest.fixture
def client(sim: Simulator) -> Iterator[Client]:
    talking = Client(sim)
    yield talking
    talking.pool.clear()
