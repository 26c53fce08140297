"""Sweeping, over fakes: what comes first, what is left out, and what a failure may not stop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stillmotion.errors import (
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
    StillmotionError,
    StorageFailed,
)
from stillmotion.generation.record_failure import Failures
from stillmotion.jobs.index import Query, position_of, status_partition, uninspected_partition, unpublished_partition
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, ProviderState, timestamp
from stillmotion.modelgates.job import Outcome, ProviderJob
from stillmotion.operations import reconcile
from stillmotion.operations.overdue import STILL_SECONDS
from stillmotion.operations.reconcile import Recovery, Swept
from tests.support.fakes import MemoryEvents, MemoryJobStore, ScriptedProvider, a_job

NOW = datetime.now(UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FAR = 300.0


class MemoryIndex(MemoryJobStore):
    """Records with their indexes. Reading what is in ``broken`` (a job's id, a partition) raises what stands there."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: dict[str, Exception] = {}
        self.read: list[str] = []

    def find(self, job_id: str) -> Job | None:
        self._may_break(job_id)
        self.read.append(job_id)
        return super().find(job_id)

    def entries(
        self, query: Query, partition: str, before: str | None, *, oldest_first: bool = False
    ) -> Iterator[dict[str, Any]]:
        self._may_break(partition)
        low, high = query.created_after or "0", before or "9"
        entries = [
            {"id": job.id, "status": job.status, "completed_at": job.completed_at, "position": position}
            for job in self.jobs.values()
            if status_partition(job.status, job.id) == partition
            and low <= (position := position_of(job.created_at, job.id)) < high
        ]
        yield from sorted(entries, key=lambda entry: str(entry["position"]), reverse=not oldest_first)

    def unpublished(self, partition: str) -> Iterator[str]:
        self._may_break(partition)
        found = [job for job in self.jobs.values() if job.unpublished and unpublished_partition(job.id) == partition]
        yield from [job.id for job in sorted(found, key=lambda job: job.created_at)]

    def uninspected(self, partition: str, since: str) -> Iterator[str]:
        self._may_break(partition)
        found = [job for job in self.jobs.values() if job.uninspected and uninspected_partition(job.id) == partition]
        yield from [job.id for job in sorted(found, key=lambda job: job.created_at) if job.created_at >= since]

    def _may_break(self, what: str) -> None:
        if what in self.broken:
            raise self.broken[what]


class MemoryExecutions:
    """Executions by name; ``down`` starts none, ``alive`` are the ARNs of those under way."""

    def __init__(self) -> None:
        self.started: list[tuple[str, Outcome]] = []
        self.alive: set[str] = set()
        self.down = False

    def arn(self, name: str) -> str:
        return f"arn:{name}"

    def start(self, job: Job, name: str | None = None, outcome: Outcome | None = None, *, wait_seconds: int = 0) -> str:
        assert name is not None
        assert outcome is not None
        if self.down:
            raise StorageFailed("Step Functions did not start it.")
        self.started.append((name, outcome))
        return self.arn(name)

    def stop(self, job: Job) -> None:
        raise AssertionError("a sweep stops nothing")

    def running(self, arn: str) -> bool:
        return arn in self.alive


class World:
    """A sweeper over fakes, with a clock of its own."""

    def __init__(self) -> None:
        self.store, self.events, self.executions = MemoryIndex(), MemoryEvents(), MemoryExecutions()
        self.provider = ScriptedProvider()
        self.now = NOW
        failures = Failures(self.store, self.events)
        self.recovery = Recovery(self.store, failures, self.provider, self.executions, lambda: self.now)

    def put(self, job_id: str, status: Status, age: timedelta = HOUR, **changes: Any) -> Job:
        """A job that was made and last changed that long ago."""
        then = timestamp(self.now - age)
        return self.store.put(a_job(status, id=job_id, **({"created_at": then, "updated_at": then} | changes)))

    def timed_out(self, job_id: str, age: timedelta = HOUR, rechecks: int = 0, **changes: Any) -> Job:
        """A job that timed out that long ago, half an hour after it was made, and was told of."""
        ended = timestamp(self.now - age)
        given = {"completed_at": ended, "published_at": ended, "updated_at": ended, "rechecks": rechecks}
        state = ProviderState(job_id=f"at-provider-{job_id}", status="in_progress")
        return self.put(job_id, Status.TIMED_OUT, age + HOUR / 2, **(given | {"provider": state} | changes))

    def unpublished(self, job_id: str, **changes: Any) -> Job:
        then = timestamp(self.now - HOUR)
        return self.put(job_id, Status.FAILED, completed_at=then, error={"code": "X", "message": "m"}, **changes)

    def sweep(self, seconds_left: Callable[[], float] = lambda: FAR) -> Swept:
        return self.recovery.sweep(seconds_left)

    def looked_up(self) -> list[str]:
        return [job_id.removeprefix("at-provider-") for job_id, _ in self.provider.polled]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """As many jobs as one sweep deals with of each partition."""
    monkeypatch.setattr(reconcile, "MAX_DUE", 3)
    return 3


def healthy(world: World, number: int) -> list[str]:
    """Jobs made long ago and polled a moment ago."""
    ids = [f"vid_healthy_{each}" for each in range(number)]
    for job_id in ids:
        world.put(job_id, Status.IN_PROGRESS, 2 * HOUR, updated_at=timestamp(world.now))
    return ids


def test_healthy_jobs_do_not_hide_an_abandoned_one(world: World, few: int) -> None:
    healthy(world, 10 * few)
    world.put("vid_still", Status.IN_PROGRESS)
    assert world.sweep() == Swept(checked=1, resumed=1, settled=0, published=0, failed=0)
    assert world.executions.started == [("vid_still-r1", Outcome.WAITING)]


def test_more_running_jobs_than_the_cap_do_not_hide_an_orphan(world: World, few: int) -> None:
    for each in range(10 * few):
        world.put(f"vid_alive_{each}", Status.IN_PROGRESS, 2 * HOUR, execution_arn="arn:alive")
    world.put("vid_dead", Status.IN_PROGRESS, execution_arn="arn:dead")
    world.executions.alive = {"arn:alive"}
    assert world.sweep().resumed == 1
    assert world.executions.started == [("vid_dead-r1", Outcome.WAITING)]


def test_unpublished_jobs_in_progress_do_not_hide_an_orphan(world: World, few: int) -> None:
    for each in range(10 * few):
        world.unpublished(f"vid_fresh_{each}", updated_at=timestamp(world.now))
    world.unpublished("vid_unpublished", created_at=timestamp(world.now))
    assert world.sweep().published == 1
    assert [told["id"] for _, told in world.events.sent] == ["vid_unpublished"]


def test_checked_jobs_do_not_hide_an_unchecked_one(world: World, few: int) -> None:
    for each in range(10 * few):
        world.timed_out(f"vid_both_{each}", 25 * HOUR + each * HOUR, rechecks=2)
        world.timed_out(f"vid_first_{each}", 2 * HOUR, rechecks=1)
    world.timed_out("vid_due", HOUR)
    world.timed_out("vid_due_again", 30 * HOUR, rechecks=1)
    assert world.sweep().resumed == 2
    assert sorted(world.looked_up()) == ["vid_due", "vid_due_again"]


def test_what_ended_too_lately_or_too_long_ago_is_not_even_read(world: World) -> None:
    world.timed_out("vid_fresh", timedelta(minutes=50), created_at=timestamp(world.now - 3 * HOUR))
    world.timed_out("vid_old", 100 * HOUR)
    assert world.sweep().checked == 0
    assert world.store.read == []


def test_a_sweep_is_bounded_and_the_next_does_the_rest(world: World, few: int) -> None:
    for each in range(20 * few):
        world.put(f"vid_{each}", Status.IN_PROGRESS, HOUR + timedelta(minutes=each))
    resumed = [world.sweep().resumed, world.sweep().resumed]
    assert resumed == [4 * few, 4 * few]
    assert len({name for name, _ in world.executions.started}) == 8 * few


def test_of_a_partition_the_oldest_come_first(world: World, few: int) -> None:
    ids = [f"vid_{each}" for each in range(100)]
    of_one = [job_id for job_id in ids if status_partition(Status.QUEUED, job_id) == "queued#0"]
    for minutes, job_id in enumerate(of_one):
        world.put(job_id, Status.QUEUED, HOUR + timedelta(minutes=minutes))
    world.sweep()
    assert [name.removesuffix("-r1") for name, _ in world.executions.started] == of_one[: -few - 1 : -1]


AWAY = [ProviderUnavailable("no answer"), ProviderThrottled("429"), ProviderUnauthorized("401")]


@pytest.mark.parametrize("error", AWAY, ids=lambda error: error.code)
def test_an_unreachable_modelgates_is_asked_once_a_sweep(
    world: World, error: StillmotionError, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in range(50):
        world.timed_out(f"vid_{each}")
    world.unpublished("vid_unpublished")
    world.put("vid_still", Status.IN_PROGRESS)
    world.provider.answers = [error]
    assert world.sweep() == Swept(checked=3, resumed=1, settled=0, published=1, failed=1)
    assert len(world.provider.polled) == 1
    assert {job.rechecks for job in world.store.jobs.values()} == {0}
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [metric["SweepRechecksStopped"] for metric in metrics if "SweepRechecksStopped" in metric] == [[1.0]]


def test_the_next_sweep_starts_with_another_job(world: World) -> None:
    for each in range(3):
        world.timed_out(f"vid_{each}")
    world.provider.answers = [ProviderUnavailable("500"), ProviderJob("job-1", "in_progress")]
    world.sweep()
    world.now += timedelta(seconds=STILL_SECONDS)
    world.sweep()
    [first, *others] = world.looked_up()
    assert sorted(others) == sorted({"vid_0", "vid_1", "vid_2"} - {first})
    world.now += HOUR
    world.sweep()
    assert world.looked_up()[3:] == [first]


@pytest.mark.parametrize("status", [404, 410])
def test_a_forgotten_job_does_not_block_the_checks_of_others(world: World, status: int) -> None:
    forgotten = ProviderUnavailable(f"HTTP {status}")
    forgotten.answered = status
    for each in range(3):
        world.timed_out(f"vid_{each}")
    world.provider.answers = [forgotten, forgotten, ProviderJob("job-1", "completed")]
    assert world.sweep() == Swept(checked=3, resumed=1, settled=0, published=0, failed=0)
    assert [job.rechecks for job in world.store.jobs.values()] == [1, 1, 1]


def test_a_check_is_not_lost_when_the_execution_cannot_start(world: World) -> None:
    before = world.timed_out("vid_1")
    world.executions.down = True
    assert world.sweep().failed == 1
    left = world.store.jobs["vid_1"]
    assert left == replace(before, updated_at=left.updated_at, resumes=1)
    world.executions.down = False
    world.now += HOUR
    assert world.sweep().resumed == 1
    assert (world.store.jobs["vid_1"].status, world.store.jobs["vid_1"].rechecks) == (Status.IN_PROGRESS, 1)


@pytest.mark.parametrize("error", [StorageFailed("throttled"), ZeroDivisionError("secret words")])
def test_a_job_that_cannot_be_read_stops_no_other(
    world: World, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    for each in range(3):
        world.put(f"vid_{each}", Status.IN_PROGRESS)
        world.unpublished(f"vid_unpublished_{each}")
        world.timed_out(f"vid_timed_out_{each}")
    world.store.broken = {"vid_1": error, "vid_unpublished_1": error, "vid_timed_out_1": error}
    assert world.sweep() == Swept(checked=9, resumed=4, settled=0, published=2, failed=3)
    told = [vars(record) for record in caplog.records if record.message == "not repaired"]
    assert {record["job_id"] for record in told} == set(world.store.broken)
    assert {record["code"] for record in told} == {type(error).__name__}
    assert "secret words" not in str(told)


@pytest.mark.parametrize("error", [StorageFailed("throttled"), KeyError("id")])
def test_a_partition_that_cannot_be_listed_stops_no_other(world: World, error: Exception) -> None:
    for each in range(40):
        world.put(f"vid_{each}", Status.IN_PROGRESS)
        world.unpublished(f"vid_unpublished_{each}")
    world.store.broken = {"in_progress#0": error, "unpublished#1": error, "timed_out#2": error}
    hidden = {
        job.id
        for job in world.store.jobs.values()
        if (unpublished_partition(job.id) if job.unpublished else status_partition(job.status, job.id))
        in world.store.broken
    }
    swept = world.sweep()
    assert {
        job.id for job in world.store.jobs.values() if job.unpublished or (not job.terminal and not job.resumes)
    } == hidden
    assert swept.failed == 4  # each partition once, timed_out#2 for both looks


def test_an_unplanned_error_of_one_step_stops_no_other(world: World) -> None:
    for each in range(3):
        world.timed_out(f"vid_{each}")
    answers: list[Any] = [RuntimeError("unplanned"), ProviderJob("job-1", "completed")]
    world.provider.answers = answers
    assert world.sweep() == Swept(checked=3, resumed=2, settled=0, published=0, failed=1)


def test_a_sweep_ends_in_time_with_something_done_of_each_kind(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    left = [FAR]
    step = 10.0
    for each in range(100):
        world.unpublished(f"vid_unpublished_{each}")
        world.put(f"vid_{each}", Status.IN_PROGRESS)
        world.timed_out(f"vid_timed_out_{each}")
    found = world.store.find

    def slow(job_id: str) -> Job | None:
        left[0] -= step / 2
        return found(job_id)

    world.store.find = slow  # type: ignore[method-assign]
    swept = world.sweep(lambda: left[0])
    assert reconcile.MARGIN_SECONDS - step <= left[0] <= reconcile.MARGIN_SECONDS
    assert min(swept.published, len(world.provider.polled), swept.resumed - len(world.provider.polled)) >= 5
    assert swept.failed == 0
    assert '"SweepsCutShort":[1.0]' in capsys.readouterr().out


def test_a_sweep_that_is_begun_without_time_does_nothing(world: World) -> None:
    world.put("vid_1", Status.IN_PROGRESS)
    assert world.sweep(lambda: 5.0).checked == 0
    assert world.store.jobs["vid_1"].resumes == 0


def completed(world: World, job_id: str, age: timedelta = HOUR, **changes: Any) -> Job:
    """A job that was completed and published that long ago."""
    then = timestamp(world.now - age)
    return world.put(job_id, Status.COMPLETED, age, **({"completed_at": then, "published_at": then} | changes))


def test_an_inspection_that_did_not_happen_is_asked_for(world: World) -> None:
    asked: list[str] = []
    world.recovery.ask_for_inspection = lambda job: asked.append(job.id)
    completed(world, "vid_not_inspected")
    completed(world, "vid_inspected", inspection_published_at=timestamp(world.now))
    completed(world, "vid_fresh", updated_at=timestamp(world.now))
    completed(world, "vid_old", 4 * DAY)
    world.put("vid_running", Status.IN_PROGRESS, updated_at=timestamp(world.now))
    assert world.sweep() == Swept(checked=1, resumed=0, settled=0, published=0, failed=0, inspections=1)
    assert asked == ["vid_not_inspected"]


def test_no_inspection_is_asked_for_where_they_are_switched_off(world: World) -> None:
    completed(world, "vid_not_inspected")
    assert world.sweep() == Swept(checked=0, resumed=0, settled=0, published=0, failed=0)


def test_a_bus_that_refuses_an_inspection_stops_nothing_else(world: World) -> None:
    def refuse(job: Job) -> None:
        raise StorageFailed("EventBridge did not take it.")

    world.recovery.ask_for_inspection = refuse
    completed(world, "vid_not_inspected")
    world.unpublished("vid_unpublished")
    assert world.sweep() == Swept(checked=2, resumed=0, settled=0, published=1, failed=1, inspections=0)
