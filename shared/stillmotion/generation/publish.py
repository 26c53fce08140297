"""Publishing the end of a job: at least once, after the video and the record are stored, and again where it failed."""

from __future__ import annotations

from stillmotion.errors import StorageFailed
from stillmotion.jobs.lifecycle import PUBLISH, Status
from stillmotion.jobs.public import without_signatures
from stillmotion.jobs.record import Job, now
from stillmotion.ports import EventSink, JobStore, Notes
from stillmotion.storage.event_bus import COMPLETED, FAILED
from stillmotion.telemetry import count, logger


class Publishing:
    """The use case of publishing a job's end.

    Until it is published, the record says so (:attr:`Job.unpublished`), and the sweeper finds it by that.
    """

    def __init__(self, store: JobStore, events: EventSink, notes: Notes | None = None) -> None:
        self._store = store
        self._events = events
        self._notes = notes

    def publish(self, job: Job) -> Job:
        """Write the job's note, send its event, and record that; a job with nothing to publish stays as it is.

        A note that cannot be written holds back no event: one that S3 would refuse again is done without, any other is
        tried again by whoever publishes the job again.

        Raises:
            StorageFailed: the event was not taken, or the note may be at another try; the job stays unpublished.
            JobStateConflict: the job was resumed meanwhile.
        """
        if not job.unpublished:
            return job
        if job.status is Status.SUBMIT_UNKNOWN:
            count("SubmitOutcomesUnknown")
        completed = job.status is Status.COMPLETED
        missed = self._note(job)
        self._events.send(COMPLETED if completed else FAILED, job)
        if missed is not None and not missed.refused:
            raise missed
        cut = {} if _may_go_on(job) else {"request": without_signatures(job.request)}
        return self._store.update(job.id, PUBLISH, only=job.status, published_at=now(), **cut)

    def _note(self, job: Job) -> StorageFailed | None:
        """Write the note; what it failed with."""
        if self._notes is None:
            return None
        try:
            (self._notes.completed if job.status is Status.COMPLETED else self._notes.failed)(job)
        except StorageFailed as error:
            logger.warning("note not written", extra={"job_id": job.id, "code": error.aws_code})
            count("NotesFailed")
            return error
        return None


def _may_go_on(job: Job) -> bool:
    """Whether links that the caller signed may still be needed: the clip is inspected after this, or may still come.
    From any other record they are cut: they are secrets."""
    return job.status in (Status.COMPLETED, Status.SUBMIT_UNKNOWN) or job.resumable
