"""Publishing the end of a job: at least once, after the video and the record are stored, and again where it failed."""

from __future__ import annotations

from stillmotion.jobs.lifecycle import PUBLISH, Status
from stillmotion.jobs.record import Job, now
from stillmotion.ports import EventSink, JobStore, Notes
from stillmotion.storage.event_bus import COMPLETED, FAILED
from stillmotion.telemetry import count


class Publishing:
    """The use case of publishing a job's end.

    Until it is published, the record says so (:attr:`Job.unpublished`), and the sweeper finds it by that.
    """

    def __init__(self, store: JobStore, events: EventSink, notes: Notes | None = None) -> None:
        self._store = store
        self._events = events
        self._notes = notes

    def publish(self, job: Job) -> Job:
        """Write the job's sidecar, send its event, and record that; a job with nothing to publish stays as it is.

        Raises:
            StorageFailed: the sidecar or the event was not taken; the job stays unpublished.
            JobStateConflict: the job was resumed meanwhile.
        """
        if not job.unpublished:
            return job
        if job.status is Status.SUBMIT_UNKNOWN:
            count("SubmitOutcomesUnknown")
        completed = job.status is Status.COMPLETED
        if self._notes is not None:
            (self._notes.completed if completed else self._notes.failed)(job)
        self._events.send(COMPLETED if completed else FAILED, job)
        return self._store.update(job.id, PUBLISH, only=job.status, published_at=now())
