"""Which job a dropped object is: one for each put, and none for a put that only repeats another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from stillmotion.batches.item import AttemptState, attempt_state
from stillmotion.drops.folder import DroppedRequest, Drops
from stillmotion.errors import StorageFailed, SubmitInProgress
from stillmotion.generation.defaults import Defaults
from stillmotion.jobs.record import Job
from stillmotion.ports import DropMark, DropMarks, JobStore
from stillmotion.stepfunctions.execution_input import DroppedObject

REPEATED_SECONDS = 15 * 60
"""Within this time after another put, a put of equal bytes and metadata counts as an uploader's retry."""
_UNDER_WAY_SECONDS = 120
"""Within this time after its mark, a put may still become a record."""
_TRIES = 5


class DroppedJobs:
    """The use case of dropped objects, over its ports.

    Args:
        fields: the stack's defaults for pictures without fields of their own, except the model.
    """

    def __init__(
        self,
        drops: Drops,
        defaults: Defaults,
        fields: Mapping[str, Any],
        marks: DropMarks,
        store: JobStore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._drops = drops
        self._defaults = defaults
        self._fields = dict(fields)
        self._marks = marks
        self._store = store
        self._clock = clock

    def find(self, started: DroppedObject) -> Job | None:
        """The job that this put has made already, however late its event comes again."""
        return self._store.find(started.job_id)

    def read(self, started: DroppedObject) -> DroppedRequest | None:
        """What the object asks for, as :meth:`Drops.read` says."""
        return self._drops.read(started.drop)

    def completed(self, asked: DroppedRequest) -> dict[str, Any]:
        """The whole request, as :meth:`Defaults.complete` says."""
        return self._defaults.complete(asked.asked, self._fields if asked.is_picture else None)

    def earlier(self, started: DroppedObject, asked: DroppedRequest) -> Job | None:
        """The job of an earlier put of the same content that did not fail; ``None`` where this put makes one.

        Raises:
            SubmitInProgress: the earlier put is on its way to a job.
            StorageFailed: may be tried again.
        """
        own = DropMark(started.job_id, started.refused_id, asked.put_at, int(self._clock()))
        for _ in range(_TRIES):
            mark = self._marks.mark(asked.content, own, asked.put_at - REPEATED_SECONDS)
            if mark.job_id == own.job_id:
                return None
            job = self._store.find(mark.job_id)
            if job is not None and attempt_state(job) is not AttemptState.EXHAUSTED:
                return job
            if job is None and self._may_come(mark):
                raise SubmitInProgress("An equal object was dropped just before and is being submitted. Try again.")
            if self._marks.replace(asked.content, mark, own):
                return None
        raise StorageFailed("The mark of a dropped object changes all the time. Try again.")

    def _may_come(self, mark: DropMark) -> bool:
        """Whether a put without a job may still become one: it was marked just now, and was not refused."""
        young = self._clock() - mark.marked_at < _UNDER_WAY_SECONDS
        return young and self._store.find(mark.refused_id) is None
