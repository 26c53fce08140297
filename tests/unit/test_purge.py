"""Purging: what is deleted and what is not, what stays on record, and a crash at every point."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stillmotion.api.views import VideoLink, show_job
from stillmotion.errors import JobStateConflict, StorageFailed
from stillmotion.generation.submit import Origin, request_hash
from stillmotion.jobs.fields import to_json
from stillmotion.jobs.index import Query
from stillmotion.jobs.lifecycle import OF_PURGED, TERMINAL, TRANSITIONS, Status
from stillmotion.jobs.public import http_view
from stillmotion.jobs.record import Job, JobError, ProviderState, StoredVideo, Usage, now, timestamp
from stillmotion.jobs.spend import Reservation
from stillmotion.operations import purge as purge_module
from stillmotion.operations.operate import Control
from stillmotion.operations.purge import Purging
from stillmotion.ports import ObjectVersion
from stillmotion.requests.owned_names import upload_prefix
from tests.support.fakes import Bench, Died, Fuse, MemoryJobStore, a_job, a_request

ALICE = "arn:aws:iam::123456789012:role/alice"
ID, OTHER = "vid_" + "1" * 26, "vid_" + "2" * 26
MINE = upload_prefix(ALICE)
SECRET = "a-most-private-word"
PUT_AT = "2026-01-01T00:00:00.000Z"


class Jobs(MemoryJobStore):
    """Records that can be listed by owner too."""

    def entries(
        self, query: Query, partition: str, before: str | None, *, oldest_first: bool = False
    ) -> Iterator[dict[str, Any]]:
        if partition == query.partitions[0]:
            yield from (job.as_json() for job in list(self.jobs.values()) if job.created_at >= str(query.created_after))

    def find_many(self, job_ids: Collection[str]) -> Mapping[str, Job]:
        assert len(job_ids) <= 100
        return {job_id: self.jobs[job_id] for job_id in job_ids if job_id in self.jobs}

    def unpublished(self, partition: str) -> Iterator[str]:
        yield from ()

    def uninspected(self, partition: str, since: str) -> Iterator[str]:
        yield from ()


class Bucket:
    """Objects with versions, in memory; ``refuses`` cannot be deleted."""

    def __init__(self, fuse: Fuse, **buckets: list[str]) -> None:
        self.objects = {name: [ObjectVersion(key, "v1", PUT_AT) for key in keys] for name, keys in buckets.items()}
        self.refuses = ""
        self._fuse = fuse

    def versions(self, bucket: str, prefix: str) -> Iterator[ObjectVersion]:
        yield from [one for one in self.objects[bucket] if one.key.startswith(prefix)]

    def delete(self, bucket: str, versions: Iterable[ObjectVersion]) -> None:
        for one in versions:
            if one.key == self.refuses:
                raise StorageFailed("S3 did not delete it.")
            self.objects[bucket] = [held for held in self.objects[bucket] if held != one]
        self._fuse.burn("deleted")

    def keys(self, bucket: str) -> set[str]:
        return {one.key for one in self.objects[bucket]}


OF_THE_JOB = [
    *(f"videos/{ID}.mp4", f"videos/{ID}-1.mp4", f"videos/{ID}.json", f"videos/{ID}.jpg", f"videos/{ID}-last.jpg"),
    *(f"videos/{ID}.webp", f"videos/{ID}-1.webp"),
]
OF_OTHERS = [f"videos/{OTHER}.mp4", f"videos/{ID}x.mp4", "videos/", f"batches/{ID}.mp4", f"x/videos/{ID}.mp4"]
UPLOADS = [f"{MINE}{ID}/frame_images-0.png", f"{MINE}own.png"]
NOT_ITS_OWN = [
    *(f"{MINE}twice.png", f"{MINE}unnamed.png", f"{MINE}own.png.bak", f"{MINE}{OTHER}/frame_images-0.png"),
    *("shared/cat.png", f"uploads/stack/{ID}/x.png", f"drop/{ID}.png", f"{upload_prefix('bob')}own.png"),
]


def framed(*keys: str) -> dict[str, Any]:
    frames = [{"type": "image_url", "image_url": {"url": f"s3://pictures/{key}"}, "frame_type": "f"} for key in keys]
    return {"model": "m/m", "prompt": SECRET, "duration": 4, "frame_images": frames}


def a_completed_job(**changes: Any) -> Job:
    video = StoredVideo(bucket="clips", key=f"videos/{ID}.mp4", bytes=9, content_type="video/mp4", checksum="sha256:0")
    given = {
        "id": ID,
        "owner": ALICE,
        "request": framed(*UPLOADS, f"{MINE}twice.png", "shared/cat.png", f"{MINE}{OTHER}/frame_images-0.png"),
        "source": {"type": "http", "key": SECRET},
        "provider": ProviderState(job_id="pj", generation_id="g", status="completed", polling_url="/p", error=SECRET),
        "usage": Usage(cost_usd=0.5),
        "reserved": Reservation(day="2026-01-01", micro_usd=500_000),
        "estimated_cost_usd": 0.5,
        "video": [video],
        "metadata": {"order": "7"},
        "warnings": [SECRET],
        "inspection": {"inspected_at": now(), "videos": []},
        "published_at": now(),
        "inspection_published_at": now(),
        "completed_at": now(),
    }
    return a_job(Status.COMPLETED, **(given | changes))


class World:
    def __init__(self, die_after: int | None = None) -> None:
        self.fuse = Fuse(die_after)
        self.store = Jobs(self.fuse)
        self.store.put(a_completed_job())
        self.store.put(a_job(Status.COMPLETED, id=OTHER, owner=ALICE, request=framed(f"{MINE}twice.png")))
        self.bucket = Bucket(self.fuse, clips=[*OF_THE_JOB, *OF_OTHERS], pictures=[*UPLOADS, *NOT_ITS_OWN])
        self.purging = Purging(self.store, self.bucket, "pictures", "clips")

    def purge(self) -> Job:
        return self.purging.purge(self.store.jobs[ID])

    def assert_purged(self) -> None:
        job = self.store.jobs[ID]
        assert self.bucket.keys("clips") == set(OF_OTHERS)
        assert self.bucket.keys("pictures") == set(NOT_ITS_OWN)
        assert job.purged_at is not None
        assert SECRET not in str(to_json(job))


def test_a_purge_deletes_what_is_the_jobs_alone_and_nothing_else() -> None:
    world = World()
    world.purge()
    world.assert_purged()


def test_the_record_stays_as_the_trail_of_its_money() -> None:
    world = World()
    before, job = world.store.jobs[ID], world.purge()
    kept = (
        "id",
        "status",
        "owner",
        "usage",
        "reserved",
        "estimated_cost_usd",
        "request_hash",
        "created_at",
        "metadata",
    )
    assert {name: getattr(job, name) for name in kept} == {name: getattr(before, name) for name in kept}
    assert job.request == {"model": "m/m", "duration": 4}
    assert job.source == {"type": "http"}
    assert job.provider == ProviderState(job_id="pj", generation_id="g", status="completed")
    assert job.inspection is None
    assert [warning.split()[:3] for warning in job.warnings] == [["The", "upload", f"{MINE}twice.png"]]
    assert job.expires_at == before.expires_at


def test_it_is_shown_as_purged_without_a_link() -> None:
    world = World()
    job = world.purge()
    shown = show_job(job, lambda _: VideoLink("https://signed.example/"))
    assert shown["purged_at"] == job.purged_at
    [video] = shown["video"]
    assert (video["url"], video["url_reason"]) == (
        None,
        f"The job was purged on {str(job.purged_at)[:10]}: its video is deleted.",
    )
    assert not [name for name in video if name.endswith("_url")]
    assert http_view(job).get("resumable") is None


@pytest.mark.parametrize("status", sorted(set(Status) - TERMINAL))
def test_a_job_that_has_not_ended_is_not_purged(status: Status) -> None:
    world = World()
    world.store.put(replace(world.store.jobs[ID], status=status))
    with pytest.raises(JobStateConflict, match="only a job that has ended is purged"):
        world.purge()
    assert world.bucket.keys("clips") == {*OF_THE_JOB, *OF_OTHERS}


@pytest.mark.parametrize("status", sorted(TERMINAL - {Status.COMPLETED}))
def test_every_end_may_be_purged(status: Status) -> None:
    world = World()
    error = JobError(code="DownloadFailed", message=SECRET, provider_message=SECRET, faults=[{"given": SECRET}])
    world.store.put(replace(world.store.jobs[ID], status=status, error=error))
    job = world.purge()
    assert (job.status, job.resumable) == (status, False)
    assert job.error == JobError(code="DownloadFailed", message=purge_module.CUT)
    world.assert_purged()


def test_a_job_whose_end_is_still_worked_on_waits() -> None:
    world = World()
    for changes, why in (
        ({"published_at": None}, "its event is not published yet"),
        ({"inspection_published_at": None, "inspection_attempts": 1}, "is being inspected at this moment"),
    ):
        world.store.put(a_completed_job(**changes))
        with pytest.raises(JobStateConflict, match=why) as told:
            world.purge()
        assert told.value.retry_after == 60
    # Where nothing inspects, or an inspection has died, it is not waited for.
    world.store.put(a_completed_job(inspection_published_at=None))
    world.purge()
    long_ago = timestamp(datetime.now(UTC) - timedelta(seconds=purge_module.INSPECTION_SECONDS + 1))
    world.store.put(a_completed_job(inspection_published_at=None, inspection_attempts=1, updated_at=long_ago))
    assert world.purge().purged_at is not None


def test_a_record_that_changes_at_that_moment_is_left() -> None:
    world = World()
    job = world.store.jobs[ID]
    world.store.put(replace(job, updated_at="2026-01-01T00:00:00.000Z", polls=9))
    with pytest.raises(JobStateConflict, match="changed at this moment, so nothing was deleted") as told:
        world.purging.purge(job)
    assert told.value.retry_after == 5
    assert world.bucket.keys("clips") == {*OF_THE_JOB, *OF_OTHERS}


@pytest.mark.parametrize("after", range(1, 6))
def test_a_purge_that_dies_is_finished_by_the_next_call(after: int) -> None:
    world = World(die_after=after)
    with pytest.raises(Died):
        world.purge()
    shown = show_job(world.store.jobs[ID], lambda _: VideoLink("https://signed.example/"))
    assert shown["video"][0]["url"] is None
    world.fuse.after = None
    world.purge()
    world.assert_purged()


def test_its_effects_are_as_many_as_the_crashes_above() -> None:
    world = World()
    world.purge()
    assert len(world.fuse.effects) == 5


def test_what_s3_refuses_to_delete_leaves_the_purge_open() -> None:
    world = World()
    world.bucket.refuses = UPLOADS[1]
    with pytest.raises(StorageFailed):
        world.purge()
    assert world.store.jobs[ID].purged_at is None
    world.bucket.refuses = ""
    world.purge()
    world.assert_purged()


def test_a_second_purge_deletes_what_came_meanwhile_and_no_more() -> None:
    world = World()
    first = world.purge()
    world.bucket.objects["clips"].append(ObjectVersion(f"videos/{ID}.webp", "late", PUT_AT))
    assert world.purge() == first
    world.assert_purged()


def test_an_upload_that_too_many_jobs_may_name_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge_module, "MOST_JOBS", 1)
    world = World()
    job = world.purge()
    assert f"{MINE}own.png" in world.bucket.keys("pictures")
    assert len(job.warnings) == 2
    assert f"{MINE}{ID}/frame_images-0.png" not in world.bucket.keys("pictures")


def test_the_last_of_two_jobs_takes_their_upload_with_it() -> None:
    world = World()
    world.purge()
    assert f"{MINE}twice.png" in world.bucket.keys("pictures")
    world.store.put(replace(world.store.jobs[OTHER], published_at=now(), inspection_published_at=now()))
    world.purging.purge(world.store.jobs[OTHER])
    assert f"{MINE}twice.png" not in world.bucket.keys("pictures")


def test_a_video_in_an_earlier_bucket_is_named_as_left() -> None:
    world = World()
    [video] = world.store.jobs[ID].video
    world.store.put(replace(world.store.jobs[ID], video=[replace(video, bucket="clips-of-2025")]))
    assert any("s3://clips-of-2025/" in warning for warning in world.purge().warnings)


def test_a_job_without_an_owner_names_no_uploads_of_its_own() -> None:
    world = World()
    world.store.put(replace(world.store.jobs[ID], owner=None))
    world.purge()
    left = {*UPLOADS, *NOT_ITS_OWN} - {f"uploads/stack/{ID}/x.png"}
    assert world.bucket.keys("pictures") == left


@pytest.mark.parametrize(
    "transition", [one for one in TRANSITIONS if one.sources & TERMINAL and one not in OF_PURGED], ids=lambda t: t.when
)
def test_nothing_brings_a_purged_job_back(transition: Any) -> None:
    world = World()
    status = min(transition.sources & TERMINAL)
    world.store.put(replace(world.store.jobs[ID], status=status))
    world.purge()
    with pytest.raises(JobStateConflict):
        world.store.update(ID, transition, only=status)


def test_a_purged_job_is_not_resumed() -> None:
    bench = Bench()
    error = JobError(code="DownloadFailed", message="m")
    job = bench.store.put(a_job(Status.FAILED, error=error, purge_begun_at=now(), purged_at=now()))
    control = Control(bench.store, bench.failures, bench.provider, None)  # type: ignore[arg-type]
    with pytest.raises(JobStateConflict):
        control.resume(job)


def test_the_same_request_never_pays_again() -> None:
    bench = Bench()
    request = a_request()
    job = a_job(Status.COMPLETED, request={"model": "m"}, request_hash=request_hash(request), purged_at=now())
    bench.store.put(job)
    accepted = bench.submission.accept(request, job.id, Origin({"type": "test"}))
    assert (accepted.job, accepted.replayed) == (job, True)
    assert bench.submission.submit(accepted.job) == job
    assert bench.provider.sent == []


@pytest.mark.parametrize(("days", "ended_days_ago", "there"), [(0, 5000, True), (7, 6, True), (7, 7, False)])
def test_a_video_whose_days_are_over_has_no_link(days: int, ended_days_ago: int, there: bool) -> None:
    ended = timestamp(datetime.now(UTC) - timedelta(days=ended_days_ago))
    [video] = show_job(a_completed_job(completed_at=ended), lambda _: VideoLink("https://signed.example/"), days)[
        "video"
    ]
    assert (video["url"] is not None) == there
    if not there:
        assert (
            f"kept for 7 days here (VideoRetentionDays), and this one was stored on {ended[:10]}" in video["url_reason"]
        )
