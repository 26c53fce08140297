"""One local cloud for all end-to-end tests of a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from local.cloud import LocalCloud
from stillmotion_cli.stack import Stack
from tests.e2e.support import Caller, SimulatorControl

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, and keep it on one worker, because the cloud is one."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group("e2e"))


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """The local cloud of this session."""
    with LocalCloud("e2e", seconds_to_ready=1) as running:
        yield running


@pytest.fixture(scope="session")
def stack(cloud: LocalCloud) -> Stack:
    """The deployed stack."""
    return cloud.stack


@pytest.fixture(scope="session")
def caller(stack: Stack) -> Caller:
    """A caller of the stack."""
    return Caller(stack)


@pytest.fixture(scope="session")
def simulator(stack: Stack) -> SimulatorControl:
    """The simulated ModelGates."""
    assert stack.simulator_url
    return SimulatorControl(stack.simulator_url)


@pytest.fixture
def other_picture(tmp_path: Path) -> Path:
    """A picture unlike the sample, in another format and shape."""
    gradient = Image.linear_gradient("L").resize((900, 900))
    picture = Image.merge("RGB", (gradient, gradient.rotate(90), gradient.rotate(180)))
    path = tmp_path / "last.png"
    picture.save(path)
    return path
