"""POST /videos: submitted at once where possible, queued where not, handed over in any case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stillmotion.errors import (
    EndedAtOnce,
    IdempotencyConflict,
    ImageNotUsable,
    ProviderOutOfCredits,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
    StillmotionError,
    StorageFailed,
    SubmitOutcomeUnknown,
    UnsupportedByModel,
)
from stillmotion.generation.create import SUBMIT_SECONDS, Created, CreateVideo
from stillmotion.generation.submit import Origin
from stillmotion.jobs.lifecycle import TERMINAL, Status
from stillmotion.jobs.record import Job
from stillmotion.modelgates.job import Outcome, ProviderJob
from tests.support.fakes import Bench, Died, a_request


class Caller:
    """A caller of the use case over fakes, and the executions; ``started`` holds what each was handed over."""

    def __init__(self, die_after: int | None = None) -> None:
        self.bench = Bench(die_after)
        self.started: list[Job] = []
        self.waits: list[int] = []
        self.machine_down = False
        self._create = CreateVideo(self.bench.submission, self.bench.failures, self)

    def post(self, seconds_left: float = 28.0, **changes: Any) -> Created:
        return self._create.handle(a_request(**changes), "vid_1", Origin({"type": "http"}), seconds_left)

    def arn(self, name: str) -> str:
        return f"arn:{name}"

    def stop(self, job: Job) -> None:
        raise AssertionError("a new job's execution is not stopped")

    def running(self, arn: str) -> bool:
        raise AssertionError("a new job's execution is not asked for")

    def start(self, job: Job, name: str | None = None, outcome: Outcome | None = None, *, wait_seconds: int = 0) -> str:
        if self.machine_down:
            raise StorageFailed("Step Functions did not take it.")
        self.started.append(job)
        self.waits.append(wait_seconds)
        self.bench.fuse.burn("started")
        return self.arn(name or job.id)


def test_a_request_is_submitted_and_then_handed_over() -> None:
    caller = Caller()
    created = caller.post()
    assert (created.job.status, created.replayed) == (Status.IN_PROGRESS, False)
    assert [job.provider.job_id for job in caller.started] == ["job-1"]
    assert caller.bench.fuse.effects[-1] == "started"


@pytest.mark.parametrize("error", [ProviderThrottled("429"), ProviderUnavailable("503"), StorageFailed("DynamoDB")])
def test_a_throttled_submit_is_queued_and_handed_over(error: StillmotionError) -> None:
    caller = Caller()
    caller.bench.provider.submits = [error]
    created = caller.post()
    assert created.job.status is Status.QUEUED
    assert [job.provider.job_id for job in caller.started] == [None]
    assert caller.bench.events.sent == []


def test_the_workflow_does_not_submit_sooner_than_modelgates_asked_the_api() -> None:
    for error, least, most in (
        (ProviderThrottled("429", retry_after=120), 120, 120),
        (ProviderUnavailable("no connection"), 15, 19),
        (StorageFailed("DynamoDB"), 0, 0),
    ):
        caller = Caller()
        caller.bench.provider.submits = [error]
        caller.post()
        assert least <= caller.waits[0] <= most


def test_with_too_little_time_left_nothing_is_sent_and_the_job_is_queued() -> None:
    caller = Caller()
    assert caller.post(seconds_left=SUBMIT_SECONDS - 0.1).job.status is Status.QUEUED
    assert caller.bench.provider.sent == []
    assert len(caller.started) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProviderRejected("400", provider_message="moderated"), Status.FAILED),
        (ProviderOutOfCredits("402"), Status.FAILED),
        (SubmitOutcomeUnknown("lost"), Status.SUBMIT_UNKNOWN),
        (ValueError("a bug"), Status.SUBMIT_UNKNOWN),
    ],
)
def test_a_final_refusal_ends_the_job_and_names_it(error: Exception, status: Status) -> None:
    caller = Caller()
    caller.bench.provider.submits = [error]
    with pytest.raises(EndedAtOnce) as ended:
        caller.post()
    assert ended.value.job_id == "vid_1"
    assert caller.bench.job.status is status
    assert caller.bench.job.error is not None
    assert caller.bench.job.error.code == ended.value.error.code
    assert caller.bench.events.names == ["Failed"]
    assert caller.started == []
    assert caller.post().job.status is status
    assert len(caller.bench.provider.sent) == 1


@pytest.mark.parametrize("down", ["events", "table"])
def test_a_lost_answer_is_reported_even_if_it_cannot_be_recorded(down: str) -> None:
    caller = Caller()
    caller.bench.provider.submits = [SubmitOutcomeUnknown("lost")]
    if down == "events":
        caller.bench.events.down = True
    else:
        caller.bench.store.down = {"update:submit_unknown"}
    with pytest.raises(EndedAtOnce) as ended:
        caller.post()
    assert ended.value.error.code == "SubmitOutcomeUnknown"
    assert len(caller.started) == 1  # the workflow ends it


@pytest.mark.parametrize(
    ("changes", "error"), [({"duration": 5}, UnsupportedByModel), ({"model": "x/y"}, StillmotionError)]
)
def test_a_refused_request_leaves_nothing_behind(changes: dict[str, Any], error: type[Exception]) -> None:
    caller = Caller()
    with pytest.raises(error):
        caller.post(**changes)
    assert caller.bench.fuse.effects == []


def test_an_image_that_is_gone_when_it_is_sent_ends_the_job_unpaid() -> None:
    caller = Caller()
    caller.bench.images.unsendable = ImageNotUsable("deleted meanwhile")
    with pytest.raises(EndedAtOnce):
        caller.post()
    assert caller.bench.job.status is Status.FAILED
    assert caller.bench.provider.sent == []


def test_a_machine_that_does_not_start_does_not_invite_a_second_try() -> None:
    caller = Caller()
    caller.machine_down = True
    assert caller.post().job.status is Status.IN_PROGRESS
    assert len(caller.bench.provider.sent) == 1


def test_an_event_that_cannot_be_sent_fails_no_paid_job() -> None:
    caller = Caller()
    caller.bench.events.down = True
    assert caller.post().job.status is Status.IN_PROGRESS
    assert len(caller.started) == 1


def test_the_same_request_again_gives_the_same_job_and_pays_nothing() -> None:
    caller = Caller()
    first = caller.post()
    again = caller.post()
    assert (again.job, again.replayed) == (first.job, True)
    assert len(caller.bench.provider.sent) == 1
    assert len(caller.started) == 1


def test_another_request_with_the_same_key_is_a_conflict() -> None:
    caller = Caller()
    caller.post()
    with pytest.raises(IdempotencyConflict):
        caller.post(prompt="something else")
    assert len(caller.bench.provider.sent) == 1


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SUBMITTING, Status.IN_PROGRESS])
def test_a_repeated_request_restarts_an_orphaned_job(status: Status) -> None:
    caller = Caller()
    caller.post()
    caller.started.clear()
    job = caller.bench.store.put(replace(caller.bench.job, status=status))
    assert caller.post().replayed
    assert caller.started == []  # somebody may be at it
    caller.bench.store.age("vid_1")
    assert caller.post().job.id == job.id
    assert len(caller.started) == 1
    assert len(caller.bench.provider.sent) == 1


@pytest.mark.parametrize("status", [Status.DELIVERING, *sorted(TERMINAL)])
def test_a_job_that_needs_no_execution_is_not_handed_over_again(status: Status) -> None:
    caller = Caller()
    caller.post()
    caller.bench.store.put(replace(caller.bench.job, status=status))
    caller.bench.store.age("vid_1")
    assert caller.post().replayed
    assert len(caller.started) == 1


def test_a_job_that_has_been_polled_is_alive() -> None:
    caller = Caller()
    caller.post()
    caller.bench.store.put(replace(caller.bench.job, polls=1))
    caller.bench.store.age("vid_1")
    assert caller.post().replayed
    assert len(caller.started) == 1


@pytest.mark.parametrize("die_after", range(1, 7))
def test_a_retry_after_any_crash_pays_at_most_once(die_after: int) -> None:
    caller = Caller(die_after)
    with pytest.raises(Died):
        caller.post()
    paid = len(caller.bench.provider.sent)
    caller.post()
    caller.bench.store.age("vid_1")
    assert caller.post().replayed
    assert len(caller.bench.provider.sent) == paid <= 1
    assert caller.started
    # What the workflow makes of it: it pays for a queued job alone.
    status = caller.bench.job.status
    caller.bench.provider.submits = [ProviderJob("job-2", "pending")]
    try:
        caller.bench.submission.submit(caller.bench.job)
    except SubmitOutcomeUnknown:
        assert status is Status.SUBMITTING
    assert len(caller.bench.provider.sent) == (paid + 1 if status is Status.QUEUED else paid) <= 1
