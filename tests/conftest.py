"""What all tests share: the fault suite's table at the end, and no limit on the time of one generated example.

The limit would be of no use on machines that are busy with other things.
"""

from hypothesis import settings

from tests.faults.table import pytest_runtest_logreport, pytest_terminal_summary

__all__ = ["pytest_runtest_logreport", "pytest_terminal_summary"]

settings.register_profile("stillmotion", deadline=None)
settings.load_profile("stillmotion")
