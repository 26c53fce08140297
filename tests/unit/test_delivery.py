"""Bringing a video home: once, whole, and repeatable at every point."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stillmotion.errors import (
    DownloadFailed,
    GenerationExpired,
    JobStateConflict,
    NotAVideo,
    PollingTimedOut,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
    StillmotionError,
    StorageFailed,
)
from stillmotion.generation.deliver import Delivery
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, Usage
from stillmotion.modelgates.job import ProviderJob
from tests.support.fakes import MODEL, Bench, Died, MemoryContent, a_job


def make(die_after: int | None = None, job: Job | None = None) -> tuple[Bench, Delivery]:
    bench = Bench(die_after)
    bench.store.put(job or a_job(usage=Usage(cost_usd=0.1)))
    return bench, Delivery(bench.store, bench.provider, bench.videos, bench.events)


def test_a_video_is_stored_then_recorded_then_published() -> None:
    bench, delivery = make()
    job = delivery.deliver("vid_1")
    assert bench.fuse.effects == [
        "update:delivering",
        "stored:videos/vid_1.mp4",
        "update:completed",
        "event:Video Generation Completed",
        "update:same",
    ]
    assert job == bench.job
    assert (job.status, job.usage.cost_usd) == (Status.COMPLETED, 0.25)
    assert [(video.key, video.bytes) for video in job.video] == [("videos/vid_1.mp4", 5)]
    assert job.completed_at is not None
    [(_, told)] = bench.events.sent
    assert (told["status"], told["video"]) == ("completed", job.as_json()["video"])
    assert bench.videos.objects["videos/vid_1.mp4"][1] == {"job-id": "vid_1", "model": MODEL}


@pytest.mark.parametrize("die_after", range(1, 6))
def test_wherever_the_process_dies_the_next_delivery_finishes_it(die_after: int) -> None:
    bench, delivery = make(die_after)
    with pytest.raises(Died):
        delivery.deliver("vid_1")
    job = delivery.deliver("vid_1")
    assert job.status is Status.COMPLETED
    assert job.published_at is not None
    assert len(bench.provider.opened) == 1  # downloaded once
    assert bench.fuse.effects.count("update:completed") == 1
    assert bench.events.names == ["Completed"] * (2 if die_after == 4 else 1)
    assert delivery.deliver("vid_1") == job


def test_every_output_is_stored_once_under_its_number() -> None:
    bench, delivery = make()
    bench.provider.answers = [ProviderJob("job-1", "completed", unsigned_urls=("/0", "/1", "/2"))]
    bench.provider.contents = [b"first", DownloadFailed("broke off"), b"second", b"third"]
    with pytest.raises(DownloadFailed):
        delivery.deliver("vid_1")
    assert bench.job.status is Status.DELIVERING
    job = delivery.deliver("vid_1")
    assert [video.key for video in job.video] == ["videos/vid_1.mp4", "videos/vid_1-1.mp4", "videos/vid_1-2.mp4"]
    assert bench.provider.opened == [0, 1, 1, 2]


def test_without_a_list_every_output_that_answers_is_stored() -> None:
    bench, delivery = make()
    bench.provider.answers = [ProviderJob("job-1", "completed")]
    bench.provider.outputs = 3
    bench.provider.contents = [b"first", b"second", b"third"]
    job = delivery.deliver("vid_1")
    assert [video.key for video in job.video] == ["videos/vid_1.mp4", "videos/vid_1-1.mp4", "videos/vid_1-2.mp4"]


def test_one_output_for_every_number_is_one_output() -> None:
    bench, delivery = make()
    bench.provider.outputs = 100
    assert [video.key for video in delivery.deliver("vid_1").video] == ["videos/vid_1.mp4"]
    assert bench.provider.opened == [0, 1]


@pytest.mark.parametrize(("status", "ends"), [(400, True), (416, True), (502, True), (None, False)])
def test_an_unlisted_output_that_breaks_off_is_fetched_again(status: int | None, ends: bool) -> None:
    bench, delivery = make()
    bench.provider.outputs = 2
    refused = DownloadFailed("no")
    refused.answered = status
    bench.provider.contents = [b"first", refused, b"second"]
    if not ends:
        with pytest.raises(DownloadFailed):
            delivery.deliver("vid_1")
    assert len(delivery.deliver("vid_1").video) == (1 if ends else 2)


def test_an_object_of_another_job_is_not_taken_for_this_one() -> None:
    bench, delivery = make()
    bench.videos.store(MemoryContent(b"other"), "videos/vid_1.mp4", {"job-id": "vid_other"})
    assert delivery.deliver("vid_1").video[0].bytes == len(b"video")


@pytest.mark.parametrize(
    "error",
    [
        ProviderThrottled("429"),
        ProviderUnavailable("502"),
        ProviderUnauthorized("401"),
        DownloadFailed("broke off"),
        GenerationExpired("410"),
        NotAVideo("html"),
        StorageFailed("S3"),
    ],
)
def test_what_goes_wrong_leaves_a_job_that_can_be_delivered(error: StillmotionError) -> None:
    bench, delivery = make()
    if isinstance(error, NotAVideo | StorageFailed):
        bench.videos.failures = [error]
    else:
        bench.provider.contents = [error, b"video"]
    with pytest.raises(type(error)):
        delivery.deliver("vid_1")
    assert bench.job.status is Status.DELIVERING
    assert bench.events.sent == []
    assert bench.videos.objects == {}
    assert delivery.deliver("vid_1").status is Status.COMPLETED


def test_a_retry_sends_the_event_that_could_not_be_sent() -> None:
    bench, delivery = make()
    bench.events.down = True
    with pytest.raises(StorageFailed):
        delivery.deliver("vid_1")
    assert bench.job.status is Status.COMPLETED
    bench.failures.record("vid_1", StorageFailed("EventBridge"))
    assert (bench.job.status, bench.job.error) == (Status.COMPLETED, None)
    bench.events.down = False
    assert delivery.deliver("vid_1").published_at is not None
    assert bench.events.names == ["Completed"]
    assert len(bench.provider.opened) == 1


@pytest.mark.parametrize(
    "status",
    [Status.QUEUED, Status.SUBMITTING, Status.FAILED, Status.CANCELLED, Status.EXPIRED, Status.SUBMIT_UNKNOWN],
)
def test_a_job_in_another_state_is_not_delivered(status: Status) -> None:
    bench, delivery = make(job=a_job(status))
    with pytest.raises(JobStateConflict):
        delivery.deliver("vid_1")
    assert (bench.job.status, bench.fuse.effects) == (status, [])


def test_of_two_deliveries_at_once_both_answer_with_the_one_record() -> None:
    bench, delivery = make()
    bench.store.before_update = lambda job_id, changes: (
        None if changes.get("status") is not Status.COMPLETED else _other_was_first(bench)
    )
    job = delivery.deliver("vid_1")
    assert (job.status, job.completed_at) == (Status.COMPLETED, "2026-01-01T00:00:00.000Z")


def test_a_job_that_was_ended_while_it_was_delivered_keeps_its_end() -> None:
    bench, delivery = make()

    def cancelled_meanwhile(job_id: str, changes: dict[str, object]) -> None:
        if changes.get("status") is Status.COMPLETED:
            bench.store.put(replace(bench.job, status=Status.CANCELLED))

    bench.store.before_update = cancelled_meanwhile
    with pytest.raises(JobStateConflict):
        delivery.deliver("vid_1")
    assert bench.job.status is Status.CANCELLED
    assert bench.events.sent == []


@pytest.mark.parametrize(("told", "expected"), [(0.25, 0.25), (0.0, 0.0), (None, 0.1)])
def test_the_price_is_the_last_one_reported(told: float | None, expected: float) -> None:
    bench, delivery = make()
    bench.provider.answers = [ProviderJob("job-1", "completed", cost_usd=told)]
    assert delivery.deliver("vid_1").usage.cost_usd == expected


def test_a_late_failure_never_overwrites_a_completed_job() -> None:
    bench, delivery = make()
    done = delivery.deliver("vid_1")
    assert bench.failures.record("vid_1", PollingTimedOut("late")) == done
    assert bench.events.names == ["Completed"]


def _other_was_first(bench: Bench) -> None:
    first = {"status": Status.COMPLETED, "completed_at": "2026-01-01T00:00:00.000Z"}
    bench.store.put(replace(bench.job, **first))
    bench.store.before_update = None


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, list[float]]:
    """Values of the metrics with a model since the last call, by name."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    of_model = [line for line in lines if line.get("model") == MODEL]
    named = [(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], line) for line in of_model]
    return {name: line[name] for name, line in named}


def earlier(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_times_to_ready_and_to_stored_count_from_the_record_s_creation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, delivery = make(job=a_job(created_at=earlier(90)))
    delivery.deliver("vid_1")
    measured = metrics(capsys)
    [ready], [stored] = measured["SecondsToReady"], measured["SecondsToStored"]
    assert 89.9 < ready <= stored < 100  # records keep milliseconds


def test_a_repeated_delivery_measures_no_time_to_ready(capsys: pytest.CaptureFixture[str]) -> None:
    _, delivery = make(job=a_job(Status.DELIVERING, created_at=earlier(90)))
    delivery.deliver("vid_1")
    measured = metrics(capsys)
    assert "SecondsToReady" not in measured
    assert 89.9 < measured["SecondsToStored"][0] < 100
