"""Delivering a finished video: stream it to S3, complete the record, publish the event.

Six calls to AWS for a clip of one part: the claim, the object, the completion, the note, the event, and that it is
published. Repeatable at every point: an object that is already whole is not downloaded again, a record that is
complete is not written again, and an event that was not sent is sent.
"""

from __future__ import annotations

from stillmotion.errors import (
    DownloadFailed,
    GenerationExpired,
    JobStateConflict,
    NotAVideo,
    ProviderError,
    StillmotionError,
)
from stillmotion.generation.charges import watch_charge
from stillmotion.generation.publish import Publishing
from stillmotion.jobs.lifecycle import BEGIN_DELIVERY, COMPLETE, Status
from stillmotion.jobs.record import Job, StoredVideo, Usage, now
from stillmotion.jobs.spend import correction
from stillmotion.jobs.store import get_job
from stillmotion.modelgates.job import ProviderJob
from stillmotion.ports import EventSink, JobStore, Notes, Provider, Videos
from stillmotion.telemetry import count, logger

MAX_UNLISTED_OUTPUTS = 16


class Delivery:
    """The use case of delivering a video."""

    def __init__(
        self,
        store: JobStore,
        provider: Provider,
        videos: Videos,
        events: EventSink,
        notes: Notes | None = None,
    ) -> None:
        self._store = store
        self._provider = provider
        self._videos = videos
        self._publishing = Publishing(store, events, notes)

    def deliver(self, job_id: str) -> Job:
        """Store every output of a completed job, complete the record, and send the event.

        Raises:
            DownloadFailed, StorageFailed, ProviderError: not this time; may be tried again.
            NotAVideo, GenerationExpired: final.
        """
        job, first = self._begin(job_id)
        if job.status is not Status.COMPLETED:
            job = self._complete(job, first)
        return self._publishing.publish(job)

    def _begin(self, job_id: str) -> tuple[Job, bool]:
        """The job, and whether this is its first delivery, so that nothing of it can be in S3 yet."""
        try:
            job = self._store.update(job_id, BEGIN_DELIVERY, only=Status.IN_PROGRESS)
            return job, job.resumes == 0
        except JobStateConflict:
            job = get_job(self._store, job_id)
            return (job if job.status is Status.COMPLETED else self._store.update(job.id, BEGIN_DELIVERY)), False

    def _complete(self, job: Job, first: bool) -> Job:
        assert job.provider.job_id is not None  # a job is in progress only with a provider's id on record
        answer = self._provider.job(job.provider.job_id, job.provider.polling_url)
        videos = self._outputs(job, answer, first)
        cost = answer.cost_usd if answer.cost_usd is not None else job.usage.cost_usd
        try:
            job = self._store.update(
                job.id,
                COMPLETE,
                video=videos,
                usage=Usage(cost_usd=cost),
                completed_at=now(),
                spend=correction(job.reserved, cost),
            )
        except JobStateConflict:
            # Two deliveries ran at once and stored the same bytes; the other one was first to record it.
            job = get_job(self._store, job.id)
            if job.status is not Status.COMPLETED:
                raise
        logger.info("job completed", extra={"job_id": job.id, "bytes": sum(video.bytes for video in videos)})
        count("JobsCompleted", model=job.model)
        watch_charge(job)
        if job.usage.cost_usd is not None:
            count("SpendUsd", job.usage.cost_usd, "None", model=job.model)
        count("BytesDelivered", sum(video.bytes for video in videos), "Bytes", model=job.model)
        return job

    def _outputs(self, job: Job, answer: ProviderJob, first: bool) -> list[StoredVideo]:
        """Every output that is listed; without a list, the first one and all after it that are there."""
        videos = [self._fetch(job, answer, index, first) for index in range(answer.outputs)]
        for index in range(1, 1 if answer.lists_outputs else MAX_UNLISTED_OUTPUTS):
            try:
                video = self._fetch(job, answer, index, first)
            except (GenerationExpired, NotAVideo):
                break
            except DownloadFailed as error:
                if error.answered is None:  # it was there, and broke off
                    raise
                break
            if any(video.checksum == known.checksum for known in videos):
                break  # a service that gives one output for every number
            videos.append(video)
        return videos

    def _fetch(self, job: Job, answer: ProviderJob, index: int, first: bool) -> StoredVideo:
        key = f"videos/{job.id}.mp4" if index == 0 else f"videos/{job.id}-{index}.mp4"
        stored = None if first else self._videos.find(key, job.id)
        if stored is not None:
            return stored
        try:
            with self._provider.content(answer, index) as content:
                return self._videos.store(content, key, {"job-id": job.id, "model": job.model})
        except (ProviderError, StillmotionError) as error:
            logger.warning("delivery broke off", extra={"job_id": job.id, "index": index, "reason": error.detail})
            raise
