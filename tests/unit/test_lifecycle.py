"""The table of states and transitions."""

from __future__ import annotations

import pytest

from scripts.lifecycle import BEGIN, END, PAGE, diagram
from stillmotion.jobs.lifecycle import (
    OPEN,
    RESUMED_FROM,
    STATUS_OF_ERROR,
    TERMINAL,
    TRANSITIONS,
    ForbiddenTransition,
    Status,
    check_transition,
)
from tests.support.template import ROOT

PAIRS = {(step.source, step.target) for step in TRANSITIONS}


def test_every_transition_is_listed_once_and_has_a_known_maker() -> None:
    assert len(PAIRS) == len(TRANSITIONS)
    for step in TRANSITIONS:
        assert (ROOT / "shared" / "stillmotion" / "generation" / f"{step.by}.py").is_file()


def test_a_completed_or_cancelled_job_is_never_left() -> None:
    assert not [pair for pair in PAIRS if pair[0] in (Status.COMPLETED, Status.CANCELLED)]
    for target in set(Status) - {Status.COMPLETED}:
        with pytest.raises(ForbiddenTransition):
            check_transition({Status.COMPLETED}, target)


@pytest.mark.parametrize("source", sorted(TERMINAL))
def test_a_terminal_state_is_left_only_by_resuming_or_giving_up(source: Status) -> None:
    makers = {step.by for step in TRANSITIONS if step.source is source}
    assert makers <= {"resume", "operate"}
    assert (source in RESUMED_FROM) == ("resume" in makers)


@pytest.mark.parametrize("source", sorted(OPEN))
def test_an_open_job_can_end_in_every_way_but_completed(source: Status) -> None:
    for target in TERMINAL - {Status.COMPLETED}:
        check_transition({source}, target)


def test_only_deliver_completes_a_job_and_only_submit_claims_one() -> None:
    assert [(step.source, step.by) for step in TRANSITIONS if step.target is Status.COMPLETED] == [
        (Status.DELIVERING, "deliver")
    ]
    assert [(step.source, step.by) for step in TRANSITIONS if step.target is Status.SUBMITTING] == [
        (Status.QUEUED, "submit")
    ]


def test_one_forbidden_source_among_the_expected_ones_is_enough() -> None:
    check_transition({Status.IN_PROGRESS, Status.DELIVERING}, Status.DELIVERING)
    with pytest.raises(ForbiddenTransition, match="queued does not become delivering"):
        check_transition({Status.QUEUED, Status.IN_PROGRESS}, Status.DELIVERING)


def test_every_error_ends_a_job_in_a_terminal_state() -> None:
    assert set(STATUS_OF_ERROR.values()) <= TERMINAL


def test_the_diagram_in_the_docs_is_made_from_the_table() -> None:
    _, _, rest = PAGE.read_text().partition(BEGIN)
    assert rest.partition(END)[0] == diagram()
