"""What all tests share: marks by folder, sums at the end of a run, no limit on one example's time, Ctrl-C.

The limit would be of no use on machines that are busy with other things. A run that a shell starts in the background
ignores Ctrl-C, and so would the commands under test, which inherit that.
"""

import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.loaders
import moto.core.loaders
import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import settings
from moto.core.botocore_stubber import BotocoreStubber

from tests.faults import table
from tests.integration import privileges
from tests.security import table as security

settings.register_profile("stillmotion", deadline=None)
settings.load_profile("stillmotion")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
LONGEST_NAME = 60
"""Characters of a case's name."""


class OnceLoader(JSONFileLoader):
    """Parses each model file once for all clients: moto forgets boto3's session, and its models, after every test."""

    load_file = staticmethod(cache(JSONFileLoader().load_file))


@pytest.fixture(autouse=True, scope="session")
def models_are_read_once() -> Iterator[None]:
    """Share what botocore reads. moto's own loader reads for itself: it changes the models that it reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moto.core.loaders.Loader, "FILE_LOADER_CLASS", JSONFileLoader)
        patch.setattr(botocore.loaders.Loader, "FILE_LOADER_CLASS", OnceLoader)
        yield


@pytest.fixture(autouse=True, scope="session")
def moto_takes_a_bytearray() -> Iterator[None]:
    """botocore sends a bytearray as it sends bytes; moto takes it for a form's fields."""
    answer = BotocoreStubber.process_request

    def answered(stubber: Any, request: Any) -> Any:
        if isinstance(request.body, bytearray):
            request.body = bytes(request.body)
        return answer(stubber, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "process_request", answered)
        yield


def pytest_configure(config: pytest.Config) -> None:
    """What sums up a run, from the reports of all processes."""
    for summary in (table, privileges, security):
        config.pluginmanager.register(summary)


def pytest_make_parametrize_id(config: pytest.Config, val: object) -> str | None:
    """Name a case that is a long text by its beginning and length; pytest names all others."""
    if isinstance(val, str | bytes) and len(val) > LONGEST_NAME:
        return f"{val[:LONGEST_NAME]!r}... {len(val)}"
    return None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by its folder, and keep tests that share a local cloud on one worker: e2e, browser."""
    folder = item.path.relative_to(HERE).parts[0]
    item.add_marker(folder)
    if folder in ("e2e", "browser"):
        item.add_marker(pytest.mark.xdist_group(folder))
