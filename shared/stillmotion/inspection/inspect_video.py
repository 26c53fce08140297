"""Inspecting a completed job: its clips are looked into, pictures of them are stored, and the result is published.

The order makes it repeatable. An attempt is counted before a clip is opened, so that a clip that ends the process is
given up after a few attempts; the pictures are stored before the record names them; and until the result is published,
the record says so (`Job.uninspected`) and the sweep asks for another inspection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from stillmotion.errors import StillmotionError, StorageFailed
from stillmotion.inspection.clip import Limits, NotInspectable, Watched, watch
from stillmotion.inspection.likeness import compare
from stillmotion.inspection.pictures import animated_preview, jpeg
from stillmotion.inspection.ranges import Source
from stillmotion.inspection.report import Likeness, Thresholds, VideoReport, damages, differences, unlike
from stillmotion.jobs.lifecycle import NOTE_INSPECTION, PUBLISH_INSPECTION, Status
from stillmotion.jobs.public import without_signatures
from stillmotion.jobs.record import Job, StoredVideo, now
from stillmotion.ports import EventSink, JobStore, Notes
from stillmotion.storage.event_bus import INSPECTED
from stillmotion.storage.given_pictures import PictureGone
from stillmotion.storage.stored_clips import ClipGone
from stillmotion.telemetry import count, logger

MAX_ATTEMPTS = 4
"""Of which three end without a result before a job counts as not inspectable: the event, and Lambda's two retries."""

MARGIN_SECONDS = 30.0
"""Of the process's time, kept for pictures and the record."""


class Clips(Protocol):
    """Where clips lie."""

    def open(self, video: StoredVideo) -> Source:
        """A stored clip. Raises ClipGone, StorageFailed."""

    def put_picture(self, video: StoredVideo, key: str, content: bytes, content_type: str) -> None:
        """Put a picture beside a clip. Raises StorageFailed."""


class Pictures(Protocol):
    """Where the given pictures are."""

    def read(self, url: str) -> bytes:
        """A picture's bytes. Raises PictureGone, StorageFailed."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What an inspection works on."""

    store: JobStore
    clips: Clips
    given: Pictures
    events: EventSink
    notes: Notes


class Inspecting:
    """The use case of inspecting, over its ports.

    Args:
        ports: where everything is.
        thresholds: below them a frame does not look like its picture, which is a warning.
        limits: what one clip may take; its seconds are cut to what the process has left.
    """

    def __init__(self, ports: Ports, thresholds: Thresholds, limits: Limits | None = None) -> None:
        self._ports = ports
        self._thresholds = thresholds
        self._limits = limits or Limits()

    def inspect(self, job_id: str, seconds_left: Callable[[], float]) -> Job | None:
        """Inspect a job and publish the result. `None` where there is no such completed job.

        A job whose inspection is published already is left as it is.

        Args:
            seconds_left: until the process ends.

        Raises:
            StorageFailed: something could not be read or stored; try again.
        """
        job = self._ports.store.find(job_id)
        if job is None or job.status is not Status.COMPLETED:
            return None
        if not job.uninspected:
            return job
        if job.inspection is None:
            job = self._find_out(job, seconds_left)
        return self._publish(job)

    def _find_out(self, job: Job, seconds_left: Callable[[], float]) -> Job:
        attempts = job.inspection_attempts + 1
        if attempts >= MAX_ATTEMPTS:
            why = f"{job.inspection_attempts} inspections of it ended without a result, for lack of memory or time."
            reports = [VideoReport(problem=why) for _ in job.video]
        else:
            self._note(job, inspection_attempts=attempts)
            try:
                given = dict(self._given(job))
                reports = list(self._reports(job, given, seconds_left))
            except StorageFailed:
                with suppress(StillmotionError):  # it says nothing about the clip
                    self._note(job, inspection_attempts=attempts - 1)
                raise
        _count(job, reports)
        found = {"inspected_at": now(), "videos": [report.as_record() for report in reports]}
        return self._note(job, inspection=found)

    def _publish(self, job: Job) -> Job:
        self._ports.notes.completed(job)
        self._ports.events.send(INSPECTED, job)
        # Nothing needs the given pictures any more, and a link that a caller signed is a secret.
        cut = without_signatures(job.request)
        return self._ports.store.update(job.id, PUBLISH_INSPECTION, inspection_published_at=now(), request=cut)

    def _note(self, job: Job, **changes: Any) -> Job:
        return self._ports.store.update(job.id, NOTE_INSPECTION, **changes)

    def _given(self, job: Job) -> Iterator[tuple[str, bytes | str]]:
        """The given picture of each end of the clips, or why it cannot be had."""
        for image in job.request.get("frame_images") or ():
            try:
                yield image["frame_type"], self._ports.given.read(image["image_url"]["url"])
            except PictureGone as error:
                yield image["frame_type"], f"The picture is not there to compare: {error}."

    def _reports(
        self, job: Job, given: dict[str, bytes | str], seconds_left: Callable[[], float]
    ) -> Iterator[VideoReport]:
        for at, video in enumerate(job.video):
            share = (seconds_left() - MARGIN_SECONDS) / (len(job.video) - at)
            limits = replace(self._limits, seconds=max(1.0, min(self._limits.seconds, share)))
            try:
                watched = watch(self._ports.clips.open(video), limits)
            except (NotInspectable, ClipGone) as error:
                logger.warning("clip not inspected", extra={"job_id": job.id, "key": video.key, "reason": str(error)})
                yield VideoReport(problem=str(error))
                continue
            likeness = tuple(_likeness(watched, given))
            warnings = [*damages(watched.facts), *differences(watched.facts, job.request)]
            warnings += [said for one in likeness for said in unlike(one, self._thresholds)]
            yield VideoReport(watched.facts, likeness, self._put_pictures(video, watched), tuple(warnings))

    def _put_pictures(self, video: StoredVideo, watched: Watched) -> dict[str, str]:
        """Store the pictures of a clip; their keys by what they show."""
        stem = video.key.rpartition(".")[0]
        made = {"poster": (f"{stem}.jpg", jpeg(watched.first), "image/jpeg")}
        if watched.last is not None:
            made["last_frame"] = (f"{stem}-last.jpg", jpeg(watched.last), "image/jpeg")
        preview = animated_preview(watched.preview or [watched.first], watched.preview_fps)
        made["preview"] = (f"{stem}.webp", preview, "image/webp")
        for key, content, content_type in made.values():
            self._ports.clips.put_picture(video, key, content, content_type)
        return {name: key for name, (key, _, _) in made.items()}


def _likeness(watched: Watched, given: dict[str, bytes | str]) -> Iterator[Likeness]:
    for name, frame in (("first_frame", watched.first), ("last_frame", watched.last)):
        picture = given.get(name)
        if isinstance(picture, str):
            yield Likeness(name, problem=picture)
        elif picture is not None and frame is None:
            yield Likeness(name, problem="The end of the clip was not reached.")
        elif picture is not None and frame is not None:
            yield compare(name, frame, picture)


def _count(job: Job, reports: list[VideoReport]) -> None:
    warned = sum(len(report.warnings) for report in reports)
    problems = sum(report.problem is not None for report in reports)
    logger.info("job inspected", extra={"job_id": job.id, "warnings": warned, "problems": problems})
    count("JobsInspected", model=job.model)
    if warned:
        count("InspectionWarnings", warned, model=job.model)
    if problems:
        count("ClipsNotInspected", problems, model=job.model)
