"""One poll: what it finds, and that it never changes what is settled."""

from __future__ import annotations

import pytest

from stillmotion.errors import (
    JobNotFound,
    JobStateConflict,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
    StillmotionError,
    StorageFailed,
)
from stillmotion.generation.poll import Polled, Polling
from stillmotion.jobs.callbacks import CallbackState
from stillmotion.jobs.lifecycle import TERMINAL, Status
from stillmotion.jobs.record import Job, ProviderState, Usage
from stillmotion.modelgates.job import Outcome, ProviderJob
from tests.support.fakes import MemoryJobStore, ScriptedProvider, a_job


@pytest.fixture
def store() -> MemoryJobStore:
    made = MemoryJobStore()
    made.create(a_job(usage=Usage(cost_usd=0.1)))
    return made


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
def polling(store: MemoryJobStore, provider: ScriptedProvider) -> Polling:
    return Polling(store, provider)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("pending", Outcome.WAITING),
        ("in_progress", Outcome.WAITING),
        ("a status of tomorrow", Outcome.WAITING),
        ("COMPLETED", Outcome.COMPLETED),
        ("failed", Outcome.FAILED),
        ("cancelled", Outcome.CANCELLED),
        ("expired", Outcome.EXPIRED),
    ],
)
def test_what_modelgates_says_is_put_on_record(
    store: MemoryJobStore, provider: ScriptedProvider, polling: Polling, status: str, outcome: Outcome
) -> None:
    provider.answers = [ProviderJob("job-1", status, "gen-1", error="said so", cost_usd=0.5)]
    polled = polling.poll("vid_1", 7)
    assert polled.outcome is outcome
    assert polled.job == store.find("vid_1")
    assert (polled.job.status, polled.job.polls) == (Status.IN_PROGRESS, 7)
    assert polled.job.usage == Usage(cost_usd=0.5)
    assert polled.job.provider == ProviderState(
        job_id="job-1", generation_id="gen-1", status=status, polling_url="/poll/1", error="said so"
    )
    assert provider.polled == [("job-1", "/poll/1")]


def test_what_modelgates_leaves_out_stays_as_it_was(provider: ScriptedProvider, polling: Polling) -> None:
    provider.answers = [ProviderJob("job-1", "in_progress", "gen-1", cost_usd=0.5), ProviderJob("job-1", "in_progress")]
    polling.poll("vid_1", 1)
    again = polling.poll("vid_1", 2).job
    assert (again.provider.generation_id, again.usage.cost_usd) == ("gen-1", 0.5)


@pytest.mark.parametrize(("asked", "wait"), [(None, 30), (5.0, 30), (120.2, 121)])
def test_a_throttled_poll_waits_at_least_as_long_as_asked(
    store: MemoryJobStore, provider: ScriptedProvider, polling: Polling, asked: float | None, wait: int
) -> None:
    before = store.find("vid_1")
    provider.answers = [ProviderThrottled("429", retry_after=asked)]
    assert polling.poll("vid_1", 1).for_machine(30) == {
        "id": "vid_1",
        "outcome": "waiting",
        "wait_seconds": wait,
        "wakes": "0",
    }
    assert store.find("vid_1") == before


@pytest.mark.parametrize("error", [ProviderUnavailable("502"), ProviderUnauthorized("401")])
def test_a_poll_without_an_answer_changes_nothing(
    store: MemoryJobStore, provider: ScriptedProvider, polling: Polling, error: StillmotionError
) -> None:
    before = store.find("vid_1")
    provider.answers = [error]
    with pytest.raises(type(error)):
        polling.poll("vid_1", 1)
    assert store.find("vid_1") == before


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.COMPLETED, Outcome.COMPLETED),
        (Status.CANCELLED, Outcome.CANCELLED),
        (Status.EXPIRED, Outcome.EXPIRED),
        (Status.FAILED, Outcome.FAILED),
        (Status.TIMED_OUT, Outcome.FAILED),
        (Status.SUBMIT_UNKNOWN, Outcome.FAILED),
    ],
)
def test_a_settled_job_is_not_asked_for_again(
    store: MemoryJobStore, provider: ScriptedProvider, polling: Polling, status: Status, outcome: Outcome
) -> None:
    store.put(a_job(status))
    assert polling.poll("vid_1", 1) == Polled(a_job(status, **_times(store)), outcome)
    assert provider.polled == []


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_job_that_is_settled_while_it_is_asked_for_keeps_its_end(
    store: MemoryJobStore, polling: Polling, status: Status
) -> None:
    store.before_update = lambda job_id, changes: store.put(a_job(status)) and None
    assert polling.poll("vid_1", 1).job.status is status
    assert store.jobs["vid_1"].status is status


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SUBMITTING])
def test_a_job_without_an_id_at_modelgates_cannot_be_polled(
    store: MemoryJobStore, provider: ScriptedProvider, polling: Polling, status: Status
) -> None:
    store.put(a_job(status))
    with pytest.raises(JobStateConflict, match="nothing to poll"):
        polling.poll("vid_1", 1)
    assert provider.polled == []


def test_a_missing_record_and_an_unreachable_table_are_reported(store: MemoryJobStore, polling: Polling) -> None:
    with pytest.raises(JobNotFound):
        polling.poll("vid_2", 1)
    store.down = {"update"}
    with pytest.raises(StorageFailed):
        polling.poll("vid_1", 1)


def test_a_delivering_job_may_be_polled_and_stays_delivering(store: MemoryJobStore, polling: Polling) -> None:
    store.put(a_job(Status.DELIVERING))
    assert polling.poll("vid_1", 1).job.status is Status.DELIVERING


class Callbacks:
    """What callbacks have left, by a script; the calls are written down together with those of the provider."""

    def __init__(self, state: CallbackState, provider: ScriptedProvider) -> None:
        self.state, self.provider = state, provider
        self.asked_before: list[int] = []

    def note(self, job_id: str, provider_id: str | None) -> CallbackState | None:
        raise AssertionError("a poll is no callback")

    def find(self, job_id: str) -> CallbackState:
        assert job_id == "vid_1"
        self.asked_before.append(len(self.provider.polled))
        return self.state

    def keep(self, job_id: str) -> CallbackState:
        raise AssertionError("a poll keeps nothing")

    def drop(self, job_id: str, provider_id: str) -> None:
        raise AssertionError("nothing to drop")


@pytest.mark.parametrize("answer", [ProviderJob("job-1", "in_progress"), ProviderThrottled("429")])
def test_callbacks_are_counted_before_modelgates_is_asked(
    store: MemoryJobStore, provider: ScriptedProvider, answer: ProviderJob | StillmotionError
) -> None:
    callbacks = Callbacks(CallbackState(2, "job-1", "task"), provider)
    provider.answers = [answer]
    polled = Polling(store, provider, callbacks).poll("vid_1", 1)
    assert callbacks.asked_before == [0]
    assert (polled.wakes, polled.for_machine(30)["wakes"]) == (2, "2")


def test_with_callbacks_switched_off_the_number_that_was_seen_stays(
    store: MemoryJobStore, provider: ScriptedProvider
) -> None:
    provider.answers = [ProviderJob("job-1", "in_progress")]
    assert Polling(store, provider).poll("vid_1", 1, seen_wakes=3).wakes == 3


@pytest.mark.parametrize(
    ("named", "seen", "counted"),
    [("job-1", 1, 0), (None, 1, 0), ("job-2", 1, 1), ("job-2", 2, 0)],
    ids=["the record's id", "no id", "another id", "another id, seen before"],
)
def test_another_id_than_the_records_is_counted_once(
    store: MemoryJobStore,
    provider: ScriptedProvider,
    capsys: pytest.CaptureFixture[str],
    named: str | None,
    seen: int,
    counted: int,
) -> None:
    polled = Polling(store, provider, Callbacks(CallbackState(2, named), provider)).poll("vid_1", 1, seen)
    assert polled.job.provider.job_id == "job-1"
    assert capsys.readouterr().out.count('"PossibleDoublePayments":') == counted


def _times(store: MemoryJobStore) -> dict[str, str]:
    job: Job = store.jobs["vid_1"]
    return {"created_at": job.created_at, "updated_at": job.updated_at}
