"""Ending a job without a video: once, with the right status, and told of."""

from __future__ import annotations

import json

import pytest

from stillmotion.errors import (
    ERRORS,
    DownloadFailed,
    Fault,
    GenerationCancelled,
    GenerationFailed,
    InternalError,
    JobNotFound,
    PollingTimedOut,
    StillmotionError,
    StorageFailed,
    SubmitOutcomeUnknown,
)
from stillmotion.generation.record_failure import (
    classify_by_progress,
    error_by_progress,
    generation_error,
    polling_timed_out,
)
from stillmotion.jobs.lifecycle import CLAIM, END, STATUS_OF_ERROR, TERMINAL, Status
from stillmotion.jobs.record import JobError, ProviderState, Usage
from stillmotion.modelgates.job import Outcome
from tests.support.fakes import Bench, Died, a_job

OPEN = [status for status in Status if status not in TERMINAL]


def make(status: Status = Status.IN_PROGRESS, die_after: int | None = None) -> Bench:
    bench = Bench(die_after)
    bench.store.put(a_job(status))
    return bench


@pytest.mark.parametrize("kind", [kind for kind in ERRORS.values() if kind is not InternalError], ids=str)
def test_every_error_ends_a_job_with_its_status_its_name_and_its_facts(kind: type[StillmotionError]) -> None:
    bench = make(Status.SUBMITTING if kind is SubmitOutcomeUnknown else Status.IN_PROGRESS)
    error = kind("what happened", faults=[Fault("#/x", "is", 1)], provider_message="their words")
    job = bench.failures.record("vid_1", error)
    assert job.status is STATUS_OF_ERROR.get(kind.__name__, Status.FAILED)
    assert job.error == JobError(
        code=kind.__name__,
        message="what happened",
        retryable=kind.retryable,
        provider_message="their words",
        faults=[{"pointer": "#/x", "detail": "is", "given": 1}],
    )
    assert job.completed_at is not None
    [(name, told)] = bench.events.sent
    assert (name, told["error"]["code"]) == ("Video Generation Failed", kind.__name__)


@pytest.mark.parametrize("status", OPEN)
def test_a_job_can_be_ended_from_every_open_state(status: Status) -> None:
    ended = Status.SUBMIT_UNKNOWN if status is Status.CONFIRMING else Status.FAILED
    assert make(status).failures.record("vid_1", GenerationFailed("x")).status is ended


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_job_that_has_ended_keeps_its_end(status: Status) -> None:
    bench = make(status)
    job = bench.failures.record("vid_1", StorageFailed("late"))
    assert (job.status, job.error) == (status, None)
    assert bench.events.names == ([] if status is Status.COMPLETED else ["Failed"])


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_end_between_reading_and_writing_is_kept(status: Status) -> None:
    bench = make()

    def ended_meanwhile(job_id: str, changes: dict[str, object]) -> None:
        bench.store.before_update = None
        bench.store.put(a_job(status, published_at="2026-01-01T00:00:00.000Z"))

    bench.store.before_update = ended_meanwhile
    assert bench.failures.record("vid_1", GenerationFailed("x")).status is status
    assert bench.events.sent == []


@pytest.mark.parametrize("die_after", [1, 2, 3])
def test_wherever_the_process_dies_the_next_try_ends_it_the_same_way(die_after: int) -> None:
    bench = make(die_after=die_after)
    with pytest.raises(Died):
        bench.failures.record("vid_1", GenerationFailed("first"))
    job = bench.failures.record("vid_1", StorageFailed("second"))
    assert job.error is not None
    assert job.error.code == "GenerationFailed"
    assert job.published_at is not None
    assert bench.events.names == ["Failed"] * (2 if die_after == 2 else 1)


def test_ending_twice_tells_once() -> None:
    bench = make()
    first = bench.failures.record("vid_1", GenerationFailed("x"))
    assert bench.failures.record("vid_1", GenerationFailed("y")) == first
    assert bench.events.names == ["Failed"]


def test_an_event_that_could_not_be_sent_is_sent_by_the_next_try() -> None:
    bench = make()
    bench.events.down = True
    with pytest.raises(StorageFailed):
        bench.failures.record("vid_1", GenerationFailed("x"))
    assert bench.job.status is Status.FAILED
    bench.events.down = False
    assert bench.failures.record("vid_1", InternalError("x")).error == bench.job.error
    assert bench.events.names == ["Failed"]


def test_a_refused_request_gets_a_record_that_names_its_faults() -> None:
    bench = Bench()
    refused = a_job(Status.QUEUED, id="vid_2", request={"model": 5})
    error = ERRORS["InvalidRequest"]("#/model: is wrong", faults=[Fault("#/model", "is wrong", 5)])
    for _ in range(2):  # repeatable
        assert bench.failures.refuse(refused, error).status is Status.FAILED
    assert bench.events.names == ["Failed"]
    assert bench.provider.sent == []


def test_a_refused_request_is_never_recorded_as_queued() -> None:
    bench = Bench(die_after=1)
    with pytest.raises(Died):
        bench.failures.refuse(a_job(Status.QUEUED, id="vid_2"), ERRORS["InvalidRequest"]("is wrong"))
    assert bench.fuse.effects == ["create"]
    assert (bench.job.status, bench.job.unpublished) == (Status.FAILED, True)


def test_an_answer_that_got_lost_is_not_unknown_where_the_id_is_on_record() -> None:
    job = make().failures.record("vid_1", SubmitOutcomeUnknown("the workflow broke off"))
    assert (job.status, job.resumable) == (Status.TIMED_OUT, True)
    assert job.error is not None
    assert "job-1" in job.error.message


def test_a_job_changed_since_it_was_read_keeps_its_state() -> None:
    bench = make()
    seen = bench.job.updated_at
    bench.store.age("vid_1", 5)
    assert bench.failures.record("vid_1", GenerationFailed("x"), unchanged_since=seen).status is Status.IN_PROGRESS


def test_a_job_that_is_not_there_cannot_be_ended() -> None:
    with pytest.raises(JobNotFound):
        Bench().failures.record("vid_1", GenerationFailed("x"))


@pytest.mark.parametrize(
    ("status", "kind", "end"),
    [
        (Status.QUEUED, InternalError, Status.FAILED),
        (Status.SUBMITTING, SubmitOutcomeUnknown, Status.SUBMIT_UNKNOWN),
        (Status.IN_PROGRESS, InternalError, Status.FAILED),
        (Status.DELIVERING, DownloadFailed, Status.FAILED),
    ],
)
def test_a_step_that_died_without_a_word_means_what_the_record_says(
    status: Status, kind: type[StillmotionError], end: Status
) -> None:
    job = make(status).failures.record("vid_1", InternalError("A step ended with Runtime.ExitError."))
    assert job.status is end
    assert job.error is not None
    assert job.error.code == kind.__name__
    assert "Runtime.ExitError" in job.error.message


@pytest.mark.parametrize(
    ("error", "counted"), [(InternalError("A step ended with Runtime.ExitError."), 1), (GenerationFailed("no"), 0)]
)
def test_a_crash_is_counted_without_dimensions_of_its_own(
    capsys: pytest.CaptureFixture[str], error: StillmotionError, counted: int
) -> None:
    make(Status.IN_PROGRESS).failures.record("vid_1", error)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"InternalErrors"' in line]
    assert len(lines) == counted
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]] for line in lines)


@pytest.mark.parametrize(
    ("status", "reported", "kind", "end"),
    [
        (Status.QUEUED, "PollingTimedOut", InternalError, Status.FAILED),
        (Status.QUEUED, "GenerationExpired", InternalError, Status.FAILED),
        (Status.QUEUED, "SubmitOutcomeUnknown", InternalError, Status.FAILED),
        (Status.SUBMITTING, "GenerationCancelled", SubmitOutcomeUnknown, Status.SUBMIT_UNKNOWN),
        (Status.SUBMITTING, "PollingTimedOut", SubmitOutcomeUnknown, Status.SUBMIT_UNKNOWN),
        (Status.SUBMITTING, "StorageFailed", SubmitOutcomeUnknown, Status.SUBMIT_UNKNOWN),
        (Status.IN_PROGRESS, "SubmitOutcomeUnknown", PollingTimedOut, Status.TIMED_OUT),
        (Status.DELIVERING, "PollingTimedOut", DownloadFailed, Status.FAILED),
        (Status.DELIVERING, "GenerationCancelled", DownloadFailed, Status.FAILED),
    ],
)
def test_an_error_that_does_not_fit_the_progress_is_replaced(
    status: Status, reported: str, kind: type[StillmotionError], end: Status
) -> None:
    job = make(status).failures.record("vid_1", ERRORS[reported]("what happened."))
    assert job.error is not None
    assert (job.status, job.error.code) == (end, kind.__name__)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("code", sorted(ERRORS))
@pytest.mark.parametrize("with_id", [False, True])
def test_every_error_ends_a_job_from_every_open_state_as_the_table_allows(
    status: Status, code: str, with_id: bool
) -> None:
    bench = Bench()
    state = ProviderState(job_id="job-1") if with_id else ProviderState()
    bench.store.put(a_job(status, provider=state))
    job = bench.failures.record("vid_1", ERRORS[code]("what happened."))
    assert job.status in {target for target, end in END.items() if status in end.sources}
    assert bench.events.names == ["Failed"]


def test_a_claim_between_reading_and_writing_makes_the_outcome_unknown() -> None:
    bench = make(Status.QUEUED)

    def claimed_meanwhile(job_id: str, changes: dict[str, object]) -> None:
        bench.store.before_update = None
        bench.store.update(job_id, CLAIM)

    bench.store.before_update = claimed_meanwhile
    job = bench.failures.record("vid_1", InternalError("A step ended with Sandbox.Timedout."))
    assert job.status is Status.SUBMIT_UNKNOWN


@pytest.mark.parametrize(
    ("status", "how", "kind"),
    [
        (Status.QUEUED, "ABORTED", GenerationCancelled),
        (Status.QUEUED, "FAILED", InternalError),
        (Status.SUBMITTING, "ABORTED", SubmitOutcomeUnknown),
        (Status.IN_PROGRESS, "TIMED_OUT", PollingTimedOut),
        (Status.DELIVERING, "FAILED", DownloadFailed),
    ],
)
def test_a_workflow_that_ended_early_means_what_the_progress_says(
    status: Status, how: str, kind: type[StillmotionError]
) -> None:
    error = error_by_progress(status, "It ended.", workflow_ended=how)
    assert type(error) is kind
    assert error.detail.startswith("It ended.")
    assert classify_by_progress(a_job(status), error).detail.startswith("It ended.")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.FAILED, "GenerationFailed"),
        (Outcome.CANCELLED, "GenerationCancelled"),
        (Outcome.EXPIRED, "GenerationExpired"),
    ],
)
def test_a_terminal_outcome_keeps_the_providers_own_words(outcome: Outcome, code: str) -> None:
    error = generation_error(outcome, "The image shows a person.")
    assert (error.code, error.provider_message) == (code, "The image shows a person.")
    assert "The image shows a person." in error.detail
    silent = generation_error(outcome, None)
    assert silent.provider_message is None
    assert silent.detail


def test_a_time_out_tells_to_resume_and_not_to_pay_again() -> None:
    error = polling_timed_out(60)
    assert "60 polls" in error.detail
    assert "do not submit it again, resume it" in error.detail
    assert error.retryable


@pytest.mark.parametrize(
    ("status", "job_id", "error", "most"),
    [
        (Status.IN_PROGRESS, "job-1", GenerationFailed("x"), 0.12),
        (Status.IN_PROGRESS, "job-1", PollingTimedOut("x"), 0.12),
        (Status.DELIVERING, "job-1", DownloadFailed("x"), 0.12),
        (Status.SUBMITTING, None, SubmitOutcomeUnknown("x"), 0.12),
        (Status.QUEUED, None, GenerationCancelled("x"), None),
        (Status.QUEUED, None, GenerationFailed("x"), None),
    ],
)
def test_what_may_have_been_charged_is_on_record(
    status: Status, job_id: str | None, error: StillmotionError, most: float | None
) -> None:
    bench = Bench()
    bench.store.put(a_job(status, provider=ProviderState(job_id=job_id), estimated_cost_usd=0.12))
    assert bench.failures.record("vid_1", error).usage == Usage(may_have_cost_usd=most)
    [(_, published)] = bench.events.sent
    assert published["usage"].get("may_have_cost_usd") == most


def test_a_known_charge_is_not_replaced_by_a_possible_one() -> None:
    bench = Bench()
    bench.store.put(a_job(usage=Usage(cost_usd=0.05), provider=ProviderState(job_id="job-1"), estimated_cost_usd=0.12))
    assert bench.failures.record("vid_1", GenerationFailed("x")).usage == Usage(cost_usd=0.05)
