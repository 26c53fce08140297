"""Jobs whose submit outcome is unknown, where ModelGates calls back: they wait for it, are adopted, or end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stillmotion.errors import (
    GenerationCancelled,
    GenerationFailed,
    InternalError,
    InvalidRequest,
    JobStateConflict,
    PollingTimedOut,
    ProviderThrottled,
    ProviderUnavailable,
    StillmotionError,
    StorageFailed,
    SubmitInProgress,
    SubmitOutcomeUnknown,
)
from stillmotion.generation.adopt import Adoption
from stillmotion.generation.poll import UNCONFIRMED, Polling
from stillmotion.generation.record_failure import Confirming, Failures, polling_timed_out
from stillmotion.generation.submit import CalledBack, Submission
from stillmotion.jobs.callbacks import CallbackState
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, JobError, ProviderState, Usage, timestamp
from stillmotion.jobs.spend import Reservation
from stillmotion.modelgates.job import Outcome, ProviderJob
from stillmotion.operations.operate import Control
from tests.support.fakes import MODEL, Bench, MemoryCallbacks, a_job

LOST = SubmitOutcomeUnknown("the answer was lost")
WINDOW = 1800
RESERVED = Reservation(day="2026-11-27", micro_usd=250_000)


SLUG = f"{MODEL}-20261001"


class Addresses:
    def address(self, job_id: str) -> str:
        return f"https://call.example.com/{job_id}"


class World(Bench):
    """The use cases of a stack that ModelGates calls back."""

    def __init__(self) -> None:
        super().__init__()
        self.callbacks = MemoryCallbacks(self.fuse)
        names = {MODEL, SLUG}
        self.adoption = Adoption(
            self.store, self.callbacks, self.provider, self.events, lambda one, other: {one, other} <= names
        )
        self.failures = Failures(self.store, self.events, None, Confirming(self.callbacks, WINDOW))
        answered = CalledBack(Addresses(), self.adoption)
        self.submission = Submission(
            self.store, self.provider, self.catalogue, self.images, self.events, called_back=answered
        )
        self.polling = Polling(self.store, self.provider, self.callbacks, lambda: self.adoption)
        self.provider.answers = [an_answer()]

    def put(self, status: Status = Status.CONFIRMING, **changes: Any) -> Job:
        given: dict[str, Any] = {"provider": ProviderState(), "confirm_until": soon(), "reserved": RESERVED}
        return self.store.put(a_job(status, **(given | changes)))


def an_answer(**changes: Any) -> ProviderJob:
    answer = ProviderJob("job-9", "completed", polling_url="/poll/9", cost_usd=0.2, named_id="job-9", model=MODEL)
    return replace(answer, **changes)


def soon(seconds: float = WINDOW) -> str:
    return timestamp(datetime.now(UTC) + timedelta(seconds=seconds))


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("error", [LOST, InternalError("crashed"), SubmitInProgress("?"), StorageFailed("down")])
def test_an_unknown_submit_waits_for_a_callback_first(world: World, error: StillmotionError) -> None:
    world.put(Status.SUBMITTING, confirm_until=None)
    job = world.failures.record("vid_1", error)
    assert (job.status, job.error, job.completed_at) == (Status.CONFIRMING, None, None)
    assert abs((datetime.fromisoformat(str(job.confirm_until)) - datetime.now(UTC)).total_seconds() - WINDOW) < 5
    assert job.reserved == RESERVED
    assert world.callbacks.kept == ["vid_1"]  # looked at, and kept from now on
    assert world.events.names == []


def test_without_callbacks_it_ends_at_once(world: World) -> None:
    world.put(Status.SUBMITTING)
    assert Failures(world.store, world.events).record("vid_1", LOST).status is Status.SUBMIT_UNKNOWN


@pytest.mark.parametrize("error", [LOST, InternalError("crashed"), StorageFailed("down"), GenerationFailed("x")])
def test_a_confirming_job_waits_until_its_time_is_over(world: World, error: StillmotionError) -> None:
    until = world.put().confirm_until
    assert world.failures.record("vid_1", error).status is Status.CONFIRMING
    assert world.job.confirm_until == until
    world.put(confirm_until=soon(-1), estimated_cost_usd=0.25)
    job = world.failures.record("vid_1", error)
    assert (job.status, job.usage) == (Status.SUBMIT_UNKNOWN, Usage(may_have_cost_usd=0.25))
    assert job.error is not None
    assert "no callback has named the job in time" in job.error.message
    assert world.events.names == ["Failed"]


def test_used_up_polls_end_it_as_unknown(world: World) -> None:
    world.put()
    assert world.failures.record("vid_1", polling_timed_out(60)).status is Status.SUBMIT_UNKNOWN
    assert isinstance(polling_timed_out(60), PollingTimedOut)


def test_a_poll_adopts_what_a_callback_named_and_modelgates_confirms(world: World) -> None:
    world.put()
    world.callbacks.note("vid_1", "job-9")
    polled = world.polling.poll("vid_1", 3)
    assert (polled.outcome, polled.wakes) == (Outcome.COMPLETED, 1)
    job = world.job
    assert (job.status, job.provider.job_id, job.usage.cost_usd) == (Status.IN_PROGRESS, "job-9", 0.2)
    assert job.provider.polling_url == "/poll/9"
    assert job.submitted_at is not None
    assert job.reserved == RESERVED
    assert world.store.markers == {"job-9": "vid_1"}
    assert world.provider.polled == [("job-9", None)]
    assert world.events.names == ["Submitted"]


@pytest.mark.parametrize("adopted_before", [False, True])
def test_an_event_that_is_not_sent_does_not_stop_an_adoption(world: World, adopted_before: bool) -> None:
    world.put()
    world.events.down = True
    world.callbacks.note("vid_1", "job-9")
    assert world.polling.poll("vid_1", 1).job.status is Status.IN_PROGRESS


def test_without_an_id_a_poll_waits_and_asks_nothing(world: World) -> None:
    world.put()
    world.callbacks.note("vid_1", None)
    polled = world.polling.poll("vid_1", 1)
    assert (polled.outcome, polled.wakes) == (Outcome.WAITING, 1)
    assert world.provider.polled == []
    assert world.job.status is Status.CONFIRMING


@pytest.mark.parametrize("callbacks", [True, False], ids=["on", "switched off meanwhile"])
def test_a_poll_says_when_the_time_is_over(world: World, callbacks: bool) -> None:
    world.put(confirm_until=soon(-1))
    polling = world.polling if callbacks else Polling(world.store, world.provider, None, lambda: world.adoption)
    assert polling.poll("vid_1", 1).for_machine(30)["outcome"] == UNCONFIRMED


def test_a_callback_at_the_last_moment_still_counts(world: World) -> None:
    world.put(confirm_until=soon(-1))
    world.callbacks.note("vid_1", "job-9")
    assert world.polling.poll("vid_1", 60).job.status is Status.IN_PROGRESS


def forgotten(status: int) -> ProviderUnavailable:
    error = ProviderUnavailable(f"HTTP {status}")
    error.answered = status
    return error


DROPPED: dict[str, ProviderJob | StillmotionError] = {
    "unknown to ModelGates": forgotten(404),
    "gone": forgotten(410),
    "not in the answer": an_answer(named_id=None),
    "another id in the answer": an_answer(named_id="job-10"),
    "another model": an_answer(model="kling/kling-v3.0-std"),
}


@pytest.mark.parametrize("name", DROPPED)
def test_a_candidate_that_is_not_the_jobs_is_dropped(
    world: World, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = world.put()
    world.callbacks.note("vid_1", "job-9")
    world.provider.answers = [DROPPED[name]]
    assert world.polling.poll("vid_1", 1).outcome is Outcome.WAITING
    assert world.job == before
    assert world.callbacks.find("vid_1") == CallbackState(1)
    assert '"CallbackCandidatesDropped":' in capsys.readouterr().out
    assert world.store.markers == {}


def test_the_other_name_of_the_jobs_model_is_no_other_model(world: World) -> None:
    world.put()
    world.callbacks.note("vid_1", "job-9")
    world.provider.answers = [an_answer(model=SLUG)]
    assert world.polling.poll("vid_1", 1).job.provider.job_id == "job-9"


def test_a_candidate_of_another_job_is_dropped(world: World) -> None:
    before = world.put()
    world.store.markers["job-9"] = "vid_2"
    world.callbacks.note("vid_1", "job-9")
    assert world.polling.poll("vid_1", 1).outcome is Outcome.WAITING
    assert world.job == before
    assert world.callbacks.find("vid_1").provider_id is None


@pytest.mark.parametrize("answer", [an_answer(model=None), an_answer(status="pending"), an_answer(cost_usd=None)])
def test_an_answer_may_leave_out_what_is_not_known(world: World, answer: ProviderJob) -> None:
    world.put()
    world.provider.answers = [answer]
    world.callbacks.note("vid_1", "job-9")
    polled = world.polling.poll("vid_1", 1)
    assert (polled.job.provider.job_id, polled.outcome) == ("job-9", answer.outcome)


def test_a_candidate_is_kept_while_modelgates_gives_no_answer(world: World) -> None:
    world.put()
    world.callbacks.note("vid_1", "job-9")
    world.provider.answers = [ProviderThrottled("429", retry_after=70.0), ProviderUnavailable("500"), an_answer()]
    assert world.polling.poll("vid_1", 1).for_machine(30)["wait_seconds"] == 70
    with pytest.raises(ProviderUnavailable):
        world.polling.poll("vid_1", 2)
    assert world.callbacks.find("vid_1").provider_id == "job-9"
    assert world.polling.poll("vid_1", 3).job.provider.job_id == "job-9"


def test_an_adoption_that_another_process_wrote_is_the_same(world: World) -> None:
    job = world.put()
    world.callbacks.note("vid_1", "job-9")
    adopted = world.adoption.adopt(job)
    assert world.adoption.adopt(job) == adopted  # as it was read before: the write finds it done
    assert world.events.names.count("Submitted") == 2


def test_the_answer_to_a_submit_still_counts_while_confirming(world: World) -> None:
    world.accept()
    real = world.provider.submit

    def slow(body: Any) -> ProviderJob:
        world.failures.record("vid_1", LOST)  # another process took this one for dead
        return real(body)

    world.provider.submit = slow  # type: ignore[method-assign]
    job = world.submission.submit(world.job)
    assert (job.status, job.provider.job_id) == (Status.IN_PROGRESS, "job-1")


def test_a_submit_marks_the_id_as_its_own(world: World) -> None:
    assert world.submission.submit(world.accept()).status is Status.IN_PROGRESS
    assert world.store.markers == {"job-1": "vid_1"}


def test_an_id_that_another_job_holds_is_an_unknown_outcome(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.store.markers["job-1"] = "vid_0"
    with pytest.raises(SubmitOutcomeUnknown, match="'job-1'"):
        world.submission.submit(world.accept())
    assert world.job.provider.job_id is None
    assert '"ProviderIdsTaken":' in capsys.readouterr().out


def not_accepted(world: World) -> Job:
    """A job whose submit was answered with 429 once."""
    world.provider.submits = [ProviderThrottled("429"), ProviderJob("job-1", "pending")]
    job = world.accept()
    with pytest.raises(ProviderThrottled):
        world.submission.submit(job)
    return world.job


def test_a_second_claim_adopts_what_a_callback_named_and_does_not_pay(world: World) -> None:
    job = not_accepted(world)
    world.store.put(replace(world.job, reserved=None, returned=RESERVED))
    job = world.job
    world.callbacks.note("vid_1", "job-9")
    adopted = world.submission.submit(job)
    assert (adopted.status, adopted.provider.job_id) == (Status.IN_PROGRESS, "job-9")
    assert len(world.provider.sent) == 1
    # It is paid after all: counted again, on the day it was sent.
    assert (adopted.reserved, adopted.returned) == (RESERVED, None)
    assert world.store.days == {"2026-11-27": 250_000}


def test_a_second_claim_pays_where_no_callback_names_the_job(world: World) -> None:
    job = not_accepted(world)
    world.callbacks.note("vid_1", None)
    assert world.submission.submit(job).provider.job_id == "job-1"
    assert len(world.provider.sent) == 2


def test_a_second_claim_pays_nothing_while_modelgates_gives_no_answer(world: World) -> None:
    job = not_accepted(world)
    world.callbacks.note("vid_1", "job-9")
    world.provider.answers = [ProviderUnavailable("500")]
    with pytest.raises(ProviderUnavailable):
        world.submission.submit(job)
    assert world.job.status is Status.QUEUED
    assert len(world.provider.sent) == 1


def test_a_first_claim_reads_nothing_of_callbacks(world: World) -> None:
    world.callbacks.down = True
    assert world.submission.submit(world.accept()).status is Status.IN_PROGRESS


def test_a_confirming_job_is_not_submitted_again(world: World) -> None:
    job = world.put()
    assert world.submission.submit(job) == job
    assert world.provider.sent == []


class Stopped:
    """Executions of which only the end is wanted."""

    def __init__(self) -> None:
        self.stopped: list[str] = []
        self.started: list[str] = []

    def arn(self, name: str) -> str:
        return f"arn:{name}"

    def start(self, job: Job, name: str | None = None, outcome: Any = None, *, wait_seconds: int = 0) -> str:
        self.started.append(str(name))
        return self.arn(str(name))

    def stop(self, job: Job) -> None:
        self.stopped.append(job.id)

    def running(self, arn: str) -> bool:
        return False


def control(world: World, executions: Stopped | None = None) -> Control:
    return Control(world.store, world.failures, world.provider, executions or Stopped(), called_back=True)


def test_a_confirming_job_can_be_cancelled_and_says_what_it_may_cost(world: World) -> None:
    executions = Stopped()
    job = control(world, executions).cancel(world.put(estimated_cost_usd=0.25))
    assert (job.status, job.usage) == (Status.CANCELLED, Usage(may_have_cost_usd=0.25))
    assert job.error is not None
    assert "may have accepted and charged" in job.error.message
    assert job.reserved == RESERVED
    assert executions.stopped == ["vid_1"]


def test_a_confirming_job_is_settled_only_after_its_time(world: World) -> None:
    job = world.put()
    for settle in (lambda: control(world).adopt(job, "job-9"), lambda: control(world).abandon(job, charged=False)):
        with pytest.raises(JobStateConflict, match=f"until {job.confirm_until}") as refused:
            settle()
        assert refused.value.retry_after
    assert world.job == job


def test_settling_by_hand_claims_the_id_too(world: World) -> None:
    job = world.put(Status.SUBMIT_UNKNOWN)
    assert control(world).adopt(job, "job-9").provider.job_id == "job-9"
    assert world.store.markers == {"job-9": "vid_1"}
    other = world.store.put(replace(job, id="vid_2"))
    with pytest.raises(InvalidRequest, match="the id of another job"):
        control(world).adopt(other, "job-9")
    assert world.store.jobs["vid_2"] == other


GIVEN_UP: dict[str, Any] = {"error": JobError.of(LOST), "reserved": None, "returned": RESERVED}


def test_a_late_callback_lets_a_job_that_was_given_up_be_resumed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    job = world.put(Status.FAILED, **GIVEN_UP)
    world.callbacks.note("vid_1", "job-9")
    noted = world.adoption.note_late(job)
    assert noted is not None
    assert (noted.status, noted.provider.job_id, noted.usage.cost_usd) == (Status.FAILED, "job-9", 0.2)
    assert (noted.reserved, noted.returned) == (RESERVED, None)
    assert world.store.days == {"2026-11-27": 250_000}
    assert '"LateCallbacks":' in capsys.readouterr().out
    assert noted.resumable
    assert control(world).resume(noted).status is Status.IN_PROGRESS


def test_a_late_callback_of_a_cancelled_job_is_only_recorded(world: World) -> None:
    job = world.put(Status.CANCELLED, error=JobError.of(GenerationCancelled("x")))
    world.callbacks.note("vid_1", "job-9")
    noted = world.adoption.note_late(job)
    assert noted is not None
    assert (noted.status, noted.provider.job_id, noted.usage.cost_usd) == (Status.CANCELLED, "job-9", 0.2)
    assert (noted.reserved, noted.resumable) == (RESERVED, False)
    assert world.store.days == {}
    assert world.events.names == []


@pytest.mark.parametrize("named", [None, "job-9"])
def test_a_late_callback_without_the_jobs_own_id_changes_nothing(world: World, named: str | None) -> None:
    job = world.put(Status.FAILED, **GIVEN_UP)
    world.store.markers["job-9"] = "vid_2"
    world.callbacks.note("vid_1", named)
    assert world.adoption.note_late(job) is None
    assert world.job == job


def test_a_job_given_up_without_an_id_cannot_be_resumed(world: World) -> None:
    assert not world.put(Status.FAILED, **GIVEN_UP).resumable
