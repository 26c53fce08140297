"""What functions needed of AWS in all integration tests together, held against what their roles allow.

A test whose function needs what its role does not allow fails. That nothing is allowed which nobody needs can be said
only when every test has run: then a grant that no call has used fails the run. Reports bring the calls here, also those
of other processes. Every run loads this module; what it looks things up in is loaded only where it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.terminal import TerminalReporter

if TYPE_CHECKING:
    from tests.support.role_calls import Need
    from tests.support.roles import Grant

PROPERTY = "aws needs"
NEEDS: set[Need] = set()
FILES = {path.name for path in Path(__file__).parent.glob("test_*.py")}
RUN: set[str] = set()
NOT_SEEN = {
    "sqs:SendMessage": "Lambda itself sends what it gives up to the queue",
    "s3:AbortMultipartUpload": "a large upload broke off: tests/unit/test_transfer.py, test_batch_memory.py",
    "states:DescribeMapRun": "moto has no Map Runs: tests/unit/test_workflow.py",
}
"""Actions that no handler can be seen to need here, and who needs them."""


def missing(needs: set[Need]) -> list[Need]:
    """What the roles do not allow."""
    from tests.support.roles import grants

    def allowed(need: Need) -> bool:
        covering = [grant for grant in grants(need.function) if grant.covers(need)]
        return bool(covering) and not any(grant.denies for grant in covering)

    return sorted(need for need in needs if not allowed(need))


def unused(needs: set[Need]) -> list[tuple[str, Grant]]:
    """What the roles allow and nobody needed, by function."""
    from tests.support.inprocess import HANDLERS
    from tests.support.roles import grants

    found = []
    for function in HANDLERS:
        own = [need for need in needs if need.function == function]
        for grant in grants(function):
            seen = grant.denies or grant.action in NOT_SEEN
            if not (seen or any(grant.covers(need) for need in own)):
                found.append((function, grant))
    return found


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    path = Path(report.nodeid.partition("::")[0])
    if path.parent.name == "integration" and report.when == "teardown":
        RUN.add(path.name)
        for name, found in report.user_properties:
            if name == PROPERTY and isinstance(found, list):
                from tests.support.role_calls import Need

                NEEDS.update(Need(*one) for one in found)


def _is_whole(config: pytest.Config) -> bool:
    chosen = config.option.keyword or config.option.markexpr or getattr(config.option, "lf", False)
    return not hasattr(config, "workerinput") and not chosen and RUN >= FILES


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == 0 and _is_whole(session.config) and unused(NEEDS):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if not _is_whole(config):
        return
    left = unused(NEEDS)
    terminalreporter.section("every function's calls and its role")
    terminalreporter.write_line(f"actions on resources needed {len({need[:3] for need in NEEDS}):>8,}")
    terminalreporter.write_line(f"not allowed                 {len(missing(NEEDS)):>8,}")
    terminalreporter.write_line(f"allowed and not needed      {len(left):>8,}")
    for function, grant in left:
        terminalreporter.write_line(f"  {function} {grant.sid}: {grant.action} on {grant.resource}")
