"""Telling of a job that has ended: at least once, after the object and the record, and again if telling failed."""

from __future__ import annotations

from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, now
from stillmotion.jobs.store import JobStore
from stillmotion.storage.event_bus import COMPLETED, FAILED, EventSink
from stillmotion.storage.sidecars import Notes
from stillmotion.telemetry import count


class Announcing:
    """The use case of telling, over its ports.

    Until a job's end has been told, its record says so (:attr:`Job.untold`), and the sweeper finds it by that.
    """

    def __init__(self, store: JobStore, events: EventSink, notes: Notes | None = None) -> None:
        self._store = store
        self._events = events
        self._notes = notes

    def announce(self, job: Job) -> Job:
        """Write the job's note, send its event, and record that it was told; a job that needs none is left alone.

        Raises:
            StorageFailed: something did not take it; nothing is recorded as told.
            JobStateConflict: the job was resumed meanwhile.
        """
        if not job.untold:
            return job
        if job.status is Status.SUBMIT_UNKNOWN:
            count("SubmitOutcomesUnknown")
        completed = job.status is Status.COMPLETED
        if self._notes is not None:
            (self._notes.completed if completed else self._notes.failed)(job)
        self._events.send(COMPLETED if completed else FAILED, job)
        return self._store.update(job.id, expected={job.status}, announced_at=now())
