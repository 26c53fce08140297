"""What all tests share: the fault suite's table at the end, no limit on the time of one generated example, and Ctrl-C.

The limit would be of no use on machines that are busy with other things. A run that a shell starts in the background
ignores Ctrl-C, and so would the commands under test, which inherit that.
"""

import signal

from hypothesis import settings

from tests.faults.table import pytest_runtest_logreport, pytest_terminal_summary

__all__ = ["pytest_runtest_logreport", "pytest_terminal_summary"]

settings.register_profile("stillmotion", deadline=None)
settings.load_profile("stillmotion")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
