"""One world to break for each module, and a tally for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator import Simulator
from local.simulator.settings import Settings
from tests.faults.invariants import SECRETS
from tests.faults.table import TALLY
from tests.faults.world import World
from tests.faults.world import world as made_world


@pytest.fixture(scope="module")
def broken_world() -> Iterator[World]:
    settings = {"seconds_pending": 0, "seconds_to_ready": 0, "clip": "tiny"}
    with Simulator(**settings) as simulator, made_world(simulator) as made:
        yield made


@pytest.fixture
def world(broken_world: World) -> World:
    broken_world.clean()
    return broken_world


@pytest.fixture(autouse=True)
def nothing_secret_is_printed(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Metrics go to standard output, as CloudWatch's embedded metric format."""
    yield
    printed = "".join(capsys.readouterr())
    for secret in (Settings().api_key, *SECRETS):
        assert secret not in printed, f"{secret} was printed"


@pytest.fixture(autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the test's report carry what the test counts."""
    yield from TALLY.carried(request)
