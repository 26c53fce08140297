"""What all tests share: marks by folder, sums at the end of a run, no limit on one example's time, Ctrl-C.

The limit would be of no use on machines that are busy with other things. A run that a shell starts in the background
ignores Ctrl-C, and so would the commands under test, which inherit that.
"""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.faults import table
from tests.integration import privileges
from tests.security import table as security

settings.register_profile("stillmotion", deadline=None)
settings.load_profile("stillmotion")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """What sums up a run, from the reports of all processes."""
    for summary in (table, privileges, security):
        config.pluginmanager.register(summary)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by its folder, and keep tests that share a local cloud on one worker: e2e, browser."""
    folder = item.path.relative_to(HERE).parts[0]
    item.add_marker(folder)
    if folder in ("e2e", "browser"):
        item.add_marker(pytest.mark.xdist_group(folder))
