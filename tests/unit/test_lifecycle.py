"""The table of states and transitions."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from scripts.lifecycle import BEGIN, PAGE, diagram
from scripts.lifecycle import END as END_OF_DIAGRAM
from stillmotion.jobs import lifecycle
from stillmotion.jobs.lifecycle import (
    ABANDON,
    BEGIN_DELIVERY,
    CLAIM,
    COMPLETE,
    END,
    OPEN,
    RESUMED_FROM,
    STATUS_OF_ERROR,
    TERMINAL,
    TRANSITIONS,
    ForbiddenTransition,
    Status,
    Transition,
    check_transition,
    resumption,
)
from tests.support.template import ROOT

MODULES = {
    path.stem: path
    for package in ("generation", "operations", "inspection")
    for path in sorted((ROOT / "shared" / "stillmotion" / package).glob("*.py"))
}
"""Everything that may write to a record, by the name of its module."""

CHANGES = [
    (source, step.target, step) for step in TRANSITIONS for source in step.sources if step.target not in (None, source)
]
"""Every change of state, with its transition."""


def makers_of(module: str) -> set[str]:
    """Who makes the transitions that a module imports from the table."""
    names = {
        alias.name
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "stillmotion.jobs.lifecycle"
        for alias in node.names
    }
    found: set[str] = set()
    for name in names:
        value = getattr(lifecycle, name)
        rows = value.values() if isinstance(value, dict) else [value]
        found |= {row.by for row in rows if isinstance(row, Transition)}
    return found


def test_every_transition_is_listed_once_and_has_a_known_maker() -> None:
    rows = [(source, step.target, step.by, step.when) for step in TRANSITIONS for source in step.sources]
    assert len(set(rows)) == len(rows)
    for step in TRANSITIONS:
        assert step.by in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_uses_only_the_transitions_that_it_makes(module: str) -> None:
    # Operate only asks from which states a job may be cancelled; the end itself is written by record_failure.
    asked = {"record_failure"} if module == "operate" else set()
    assert makers_of(module) - asked == {step.by for step in TRANSITIONS if step.by == module}


def test_a_completed_or_cancelled_job_is_never_left() -> None:
    assert not [step for source, _, step in CHANGES if source in (Status.COMPLETED, Status.CANCELLED)]


@pytest.mark.parametrize("source", sorted(TERMINAL))
def test_a_terminal_state_is_left_only_by_resuming_or_giving_up(source: Status) -> None:
    makers = {step.by for start, _, step in CHANGES if start is source}
    # What a callback names late is resumed, whether an operator or the callback names it.
    assert makers <= {"resume", "operate", "adopt"}
    assert ("adopt" in makers) == (source is Status.SUBMIT_UNKNOWN)
    assert (source in RESUMED_FROM) == ("resume" in makers)


@pytest.mark.parametrize(
    ("source", "ends"),
    [
        (Status.QUEUED, {Status.FAILED, Status.CANCELLED}),
        (Status.SUBMITTING, {Status.FAILED, Status.SUBMIT_UNKNOWN}),
        (Status.CONFIRMING, {Status.CANCELLED, Status.SUBMIT_UNKNOWN}),
        (Status.IN_PROGRESS, {Status.FAILED, Status.CANCELLED, Status.EXPIRED, Status.TIMED_OUT}),
        (Status.DELIVERING, {Status.FAILED, Status.EXPIRED}),
    ],
)
def test_an_open_job_ends_only_as_its_progress_allows(source: Status, ends: set[Status]) -> None:
    assert {target for target, end in END.items() if source in end.sources} == ends


def test_only_deliver_completes_a_job_and_only_submit_claims_one() -> None:
    assert [step for _, target, step in CHANGES if target is Status.COMPLETED] == [COMPLETE]
    assert [step for _, target, step in CHANGES if target is Status.SUBMITTING] == [CLAIM]
    assert (COMPLETE.by, CLAIM.by) == ("deliver", "claim")


def test_one_forbidden_source_among_the_expected_ones_is_enough() -> None:
    check_transition(BEGIN_DELIVERY, {Status.IN_PROGRESS, Status.DELIVERING})
    with pytest.raises(ForbiddenTransition, match="queued does not become delivering"):
        check_transition(BEGIN_DELIVERY, {Status.QUEUED, Status.IN_PROGRESS})


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_a_transition_from_no_state_is_refused(transition: Transition) -> None:
    with pytest.raises(ForbiddenTransition, match="names no state"):
        check_transition(transition, set())


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_a_transition_of_another_maker_is_refused(transition: Transition) -> None:
    with pytest.raises(ForbiddenTransition):
        check_transition(replace(transition, by="create"), transition.sources)


@pytest.mark.parametrize("status", Status)
def test_a_job_is_resumed_from_the_states_that_the_table_names(status: Status) -> None:
    if status in {Status.SUBMITTING, Status.CONFIRMING, Status.COMPLETED, Status.CANCELLED}:
        with pytest.raises(ForbiddenTransition, match=f"{status} is not resumed"):
            resumption(status)
        return
    target = resumption(status).target or status
    assert target is (Status.QUEUED if status is Status.QUEUED else Status.IN_PROGRESS)
    undo = lifecycle.UNDO_RESUME[status]
    assert (undo.sources, undo.target or status) == ({target}, status)


def test_giving_up_is_the_operators_and_ends_an_unknown_submit() -> None:
    assert (ABANDON.by, ABANDON.sources, ABANDON.target) == ("operate", {Status.SUBMIT_UNKNOWN}, Status.FAILED)


def test_every_error_ends_a_job_in_a_terminal_state() -> None:
    assert set(STATUS_OF_ERROR.values()) <= TERMINAL
    assert set(END) == TERMINAL - {Status.COMPLETED}
    assert all(end.sources <= OPEN for end in END.values())


def test_the_diagram_in_the_docs_is_made_from_the_table() -> None:
    _, _, rest = PAGE.read_text().partition(BEGIN)
    assert rest.partition(END_OF_DIAGRAM)[0] == diagram()
