"""Continuing a job in another execution: by resuming it, and by taking it over."""

from __future__ import annotations

import pytest

from stillmotion.errors import StorageFailed, SubmitInProgress
from stillmotion.jobs.lifecycle import RESUMED_FROM, UNDO_RESUME, ForbiddenTransition, Status
from stillmotion.jobs.record import Job, JobError, ProviderState, Usage, now
from stillmotion.modelgates.job import Outcome, ProviderJob
from stillmotion.operations.resume import Resuming, take_over
from tests.support.fakes import MemoryJobStore, a_job

OTHER = "arn:other"


class Machine:
    """Executions by name; ``down`` starts none."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.started: list[tuple[str, Outcome]] = []

    def arn(self, name: str) -> str:
        return f"arn:{name}"

    def start(self, job: Job, name: str, outcome: Outcome) -> str:
        if self.down:
            raise StorageFailed("Step Functions did not start it.")
        self.started.append((name, outcome))
        return self.arn(name)

    def stop(self, job: Job) -> None:
        raise AssertionError("a resumption stops nothing")

    def running(self, arn: str) -> bool:
        return False


def ended(status: Status) -> Job:
    """A job that has ended and was published, with all that says so."""
    error = JobError(code="X", message="m")
    return a_job(status, error=error, completed_at=now(), published_at=now(), execution_arn="arn:first", resumes=2)


def a_job_in(status: Status) -> Job:
    return ended(status) if status in RESUMED_FROM else a_job(status, execution_arn="arn:first", resumes=2)


@pytest.mark.parametrize("status", sorted(UNDO_RESUME))
def test_a_resumed_job_is_open_and_has_a_new_execution(status: Status) -> None:
    store, machine = MemoryJobStore(), Machine()
    job = store.put(a_job_in(status))
    resumed = Resuming(store, machine).resume_in_new_execution(job, Outcome.WAITING)
    assert resumed.status is (Status.QUEUED if status is Status.QUEUED else Status.IN_PROGRESS)
    assert (resumed.resumes, resumed.execution_arn) == (3, "arn:vid_1-r3")
    assert (resumed.error, resumed.completed_at, resumed.published_at) == (None, None, None)
    assert machine.started == [("vid_1-r3", Outcome.WAITING)]


@pytest.mark.parametrize("status", sorted(UNDO_RESUME))
def test_a_resumption_whose_execution_does_not_start_is_taken_back(status: Status) -> None:
    store = MemoryJobStore()
    job = store.put(a_job_in(status))
    changes = job.with_answer(ProviderJob("job-1", "completed", cost_usd=0.5))
    with pytest.raises(StorageFailed):
        Resuming(store, Machine(down=True)).resume_in_new_execution(job, Outcome.COMPLETED, answer=changes, rechecks=1)
    left = store.jobs["vid_1"]
    kept = ("status", "error", "completed_at", "published_at", "execution_arn", "provider", "usage", "rechecks")
    assert {name: getattr(left, name) for name in kept} == {name: getattr(job, name) for name in kept}


@pytest.mark.parametrize("status", [Status.SUBMITTING, Status.COMPLETED, Status.CANCELLED])
def test_a_job_that_is_never_resumed_is_refused(status: Status) -> None:
    store, machine = MemoryJobStore(), Machine()
    job = store.put(a_job(status))
    with pytest.raises(ForbiddenTransition):
        Resuming(store, machine).resume_in_new_execution(job, Outcome.WAITING)
    assert (store.jobs["vid_1"], machine.started) == (job, [])


def test_what_a_recheck_found_is_recorded_with_the_resumption() -> None:
    store = MemoryJobStore()
    job = store.put(ended(Status.TIMED_OUT))
    changes = job.with_answer(ProviderJob("job-1", "completed", "gen-9", cost_usd=0.5))
    resumed = Resuming(store, Machine()).resume_in_new_execution(job, Outcome.COMPLETED, answer=changes, rechecks=1)
    assert (resumed.rechecks, resumed.usage) == (1, Usage(cost_usd=0.5))
    assert resumed.provider == ProviderState(
        job_id="job-1", generation_id="gen-9", status="completed", polling_url="/poll/1"
    )


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SUBMITTING, Status.IN_PROGRESS, Status.DELIVERING])
def test_an_open_job_that_is_taken_over_keeps_its_state(status: Status) -> None:
    store = MemoryJobStore()
    taken = take_over(store, store.put(a_job(status, execution_arn="arn:first")), OTHER)
    assert (taken.status, taken.execution_arn) == (status, OTHER)


@pytest.mark.parametrize("status", sorted(RESUMED_FROM))
def test_an_ended_job_that_is_taken_over_is_in_progress_again(status: Status) -> None:
    store = MemoryJobStore()
    taken = take_over(store, store.put(ended(status)), OTHER)
    assert (taken.status, taken.execution_arn) == (Status.IN_PROGRESS, OTHER)
    assert (taken.error, taken.completed_at, taken.published_at) == (None, None, None)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.CANCELLED])
def test_a_job_that_is_over_is_not_taken_over(status: Status) -> None:
    store = MemoryJobStore()
    with pytest.raises(ForbiddenTransition):
        take_over(store, store.put(a_job(status, execution_arn="arn:first")), OTHER)


def test_an_execution_that_has_the_job_already_changes_nothing() -> None:
    store = MemoryJobStore()
    job = store.put(a_job(execution_arn=OTHER))
    store.down = {"update"}
    assert take_over(store, job, OTHER) == job


def test_a_job_that_changed_meanwhile_is_not_taken_over() -> None:
    store = MemoryJobStore()
    seen = a_job(Status.IN_PROGRESS, execution_arn="arn:first")
    store.put(a_job(Status.DELIVERING, execution_arn="arn:first"))
    with pytest.raises(SubmitInProgress):
        take_over(store, seen, OTHER)
    assert store.jobs["vid_1"].execution_arn == "arn:first"
