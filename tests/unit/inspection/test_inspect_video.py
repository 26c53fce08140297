"""The use case: what is stored, recorded and published, and what happens when it breaks off anywhere."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from stillmotion.errors import StorageFailed
from stillmotion.inspection.clip import Limits
from stillmotion.inspection.inspect_video import MAX_ATTEMPTS, Inspecting, Ports
from stillmotion.inspection.report import Thresholds
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.public import sidecar
from stillmotion.jobs.record import Job, StoredVideo
from stillmotion.storage.given_pictures import PictureGone
from stillmotion.storage.stored_clips import ClipGone
from tests.support.clips import clip, picture
from tests.support.fakes import Died, Fuse, MemoryEvents, MemoryJobStore, a_job
from tests.support.stretching import Bytes

FIRST, LAST, OTHER = picture("lake"), picture("hill"), picture("snow")
ASKED = {"model": "google/veo-3.1-lite", "duration": 1, "aspect_ratio": "16:9", "generate_audio": False}


class MemoryClips:
    """The output bucket; the names in `down` cannot be read or written."""

    def __init__(self, fuse: Fuse, **objects: bytes) -> None:
        self.objects: dict[str, bytes] = {f"videos/{name}.mp4": content for name, content in objects.items()}
        self.types: dict[str, str] = {}
        self.down: set[str] = set()
        self.opened = 0
        self._fuse = fuse

    def open(self, video: StoredVideo) -> Bytes:
        self.opened += 1
        if "open" in self.down:
            raise StorageFailed("S3 is away.")
        if video.key not in self.objects:
            raise ClipGone(f"There is no object '{video.key}'.")
        self._fuse.burn("opened")
        return Bytes(self.objects[video.key])

    def put_picture(self, video: StoredVideo, key: str, content: bytes, content_type: str) -> None:
        if "put" in self.down:
            raise StorageFailed("S3 is away.")
        self.objects[key], self.types[key] = content, content_type
        self._fuse.burn(f"stored:{key}")


class MemoryPictures:
    def __init__(self, **pictures: bytes) -> None:
        self.pictures = {f"s3://given/{name}": content for name, content in pictures.items()}

    def read(self, url: str) -> bytes:
        if url not in self.pictures:
            raise PictureGone("it cannot be read from S3 (NoSuchKey)")
        return self.pictures[url]


class MemoryNotes:
    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    def completed(self, job: Job) -> None:
        self.written.append(sidecar(job))

    def failed(self, job: Job) -> None:
        raise AssertionError("an inspected job has not failed")


class World:
    """A completed job with some clips, and everything an inspection works on."""

    def __init__(
        self, *clips: bytes, die_after: int | None = None, given: tuple[str, ...] = ("first",), **asked: Any
    ) -> None:
        self.fuse = Fuse(die_after)
        self.store = MemoryJobStore(self.fuse)
        self.events = MemoryEvents(self.fuse)
        self.notes = MemoryNotes()
        names = ["vid_1" if at == 0 else f"vid_1-{at}" for at in range(len(clips))]
        self.clips = MemoryClips(self.fuse, **dict(zip(names, clips, strict=True)))
        self.given = MemoryPictures(first=FIRST, last=LAST, other=OTHER)
        ends = ("first_frame", "last_frame")
        images = [
            {"type": "image_url", "image_url": {"url": f"s3://given/{name}"}, "frame_type": end}
            for name, end in zip(given, ends, strict=False)
        ]
        videos = [
            StoredVideo(
                bucket="clips", key=f"videos/{name}.mp4", bytes=1, content_type="video/mp4", checksum="sha256:0"
            )
            for name in names
        ]
        request = ASKED | ({"frame_images": images} if images else {}) | asked
        self.store.put(a_job(Status.COMPLETED, request=request, video=videos))

    def inspect(self, **limits: Any) -> Job | None:
        ports = Ports(self.store, self.clips, self.given, self.events, self.notes)
        inspecting = Inspecting(ports, Thresholds(psnr_db=25, ssim=0.75), Limits(**limits))
        return inspecting.inspect("vid_1", lambda: 300.0)

    @property
    def job(self) -> Job:
        return self.store.jobs["vid_1"]

    @property
    def found(self) -> list[dict[str, Any]]:
        assert self.job.inspection is not None
        return list(self.job.inspection["videos"])


def test_a_clip_like_its_pictures_is_inspected_without_a_warning() -> None:
    world = World(clip(FIRST, LAST), given=("first", "last"))
    world.inspect()
    (found,) = world.found
    assert found["warnings"] == []
    assert found["facts"]["decodes_to_end"] is True
    assert [one["frame"] for one in found["likeness"]] == ["first_frame", "last_frame"]
    assert all(one["psnr_db"] > 30 and one["ssim"] > 0.9 for one in found["likeness"])
    assert world.job.status is Status.COMPLETED
    assert not world.job.uninspected


def test_pictures_lie_beside_the_clip() -> None:
    world = World(clip(FIRST), clip(LAST))
    world.inspect()
    for found, stem in zip(world.found, ("videos/vid_1", "videos/vid_1-1"), strict=True):
        keys = {"poster": f"{stem}.jpg", "last_frame": f"{stem}-last.jpg", "preview": f"{stem}.webp"}
        assert found["pictures"] == keys
        for key in keys.values():
            with Image.open(io.BytesIO(world.clips.objects[key])) as image:
                assert image.size == (320, 180)
                assert image.get_format_mimetype() == world.clips.types[key]


def test_another_picture_warns_and_fails_nothing() -> None:
    world = World(clip(FIRST), given=("other",))
    world.inspect()
    (said,) = world.found[0]["warnings"]
    assert said.startswith("The first frame does not look like the given picture")
    assert (world.job.status, world.job.error) == (Status.COMPLETED, None)


def test_what_differs_from_the_request_is_warned_of() -> None:
    world = World(clip(FIRST), duration=8, aspect_ratio="9:16", generate_audio=True)
    world.inspect()
    assert world.found[0]["warnings"] == [
        "The clip is 1.0 s long; 8 s were asked for.",
        "The clip is 320x180; the shape 9:16 was asked for.",
        "The clip has no sound; sound was asked for.",
    ]


def test_the_result_is_in_sidecar_and_event_and_the_event_comes_last() -> None:
    world = World(clip(FIRST))
    world.inspect()
    assert [name for name, _ in world.events.sent] == ["Video Inspected"]
    assert world.events.sent[0][1]["inspection"] == world.job.inspection == world.notes.written[0]["inspection"]
    told = world.fuse.effects.index("event:Video Inspected")
    assert [effect for effect in world.fuse.effects[:told] if effect.startswith("stored:")]
    assert world.fuse.effects[told + 1 :] == ["update:same"]


@pytest.mark.parametrize("content", [b"no video at all", clip(FIRST)[:2000]])
def test_a_clip_that_cannot_be_inspected_says_why_and_stays_completed(content: bytes) -> None:
    world = World(content)
    world.inspect()
    (found,) = world.found
    assert set(found) == {"problem", "warnings"}
    assert len(found["problem"]) > 20
    assert world.job.status is Status.COMPLETED
    assert not world.job.uninspected


def test_one_bad_output_does_not_hide_the_others() -> None:
    world = World(b"no video at all", clip(LAST))
    del world.clips.objects["videos/vid_1.mp4"]
    world.inspect()
    first, second = world.found
    assert first["problem"] == "There is no object 'videos/vid_1.mp4'."
    assert second["facts"]["codec"] == "h264"


def test_a_picture_that_is_gone_is_said_and_not_warned_of() -> None:
    world = World(clip(FIRST), given=("gone",))
    world.inspect()
    problem = "The picture is not there to compare: it cannot be read from S3 (NoSuchKey)."
    assert world.found[0]["likeness"] == [{"frame": "first_frame", "problem": problem}]
    assert world.found[0]["warnings"] == []


def test_a_job_from_text_alone_has_no_likeness() -> None:
    world = World(clip(FIRST), given=())
    world.inspect()
    assert world.found[0]["likeness"] == []


def test_inspecting_again_changes_and_sends_nothing() -> None:
    world = World(clip(FIRST))
    world.inspect()
    record, effects = world.job, list(world.fuse.effects)
    assert world.inspect() == record
    assert world.fuse.effects == effects


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.COMPLETED}))
def test_a_job_that_is_not_completed_is_left_alone(status: Status) -> None:
    world = World(clip(FIRST))
    world.store.put(replace(world.job, status=status))
    assert world.inspect() is None
    assert world.fuse.effects == []


def test_a_job_that_is_not_there_is_left_alone() -> None:
    world = World(clip(FIRST))
    world.store.jobs.clear()
    assert world.inspect() is None


@pytest.mark.parametrize("die_after", range(1, 9))
def test_an_inspection_that_dies_anywhere_is_finished_by_the_next(die_after: int) -> None:
    world = World(clip(FIRST), die_after=die_after)
    try:
        world.inspect()
    except Died:
        assert world.job.uninspected or die_after == 8
    world.inspect()
    assert not world.job.uninspected
    assert world.found[0]["warnings"] == []
    assert {name for name, _ in world.events.sent} == {"Video Inspected"}


def test_a_clip_that_ends_the_process_is_given_up() -> None:
    world = World(clip(FIRST))
    for _ in range(MAX_ATTEMPTS - 1):
        world.fuse.after = len(world.fuse.effects) + 2  # the attempt is counted, the clip is opened
        with pytest.raises(Died):
            world.inspect()
    world.fuse.after = None
    opened = world.clips.opened
    world.inspect()
    assert world.clips.opened == opened
    assert world.found[0]["problem"].startswith("3 inspections of it ended without a result")
    assert not world.job.uninspected


@pytest.mark.parametrize("action", ["open", "put"])
def test_storage_that_is_away_for_long_does_not_count_against_the_clip(action: str) -> None:
    world = World(clip(FIRST))
    world.clips.down = {action}
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(StorageFailed):
            world.inspect()
    world.clips.down = set()
    world.inspect()
    assert "problem" not in world.found[0]


def test_a_refused_event_is_sent_by_the_next_without_decoding_again() -> None:
    world = World(clip(FIRST))
    world.events.down = True
    with pytest.raises(StorageFailed):
        world.inspect()
    assert world.job.uninspected
    world.events.down = False
    world.inspect()
    assert world.clips.opened == 1
    assert [name for name, _ in world.events.sent] == ["Video Inspected"]
