"""Which jobs a sweep has to check: unpublished ones, ones that have not changed for long, and ones that timed out.

An index entry has a job's status and the times of its creation and end, but only the record has the time of its last
change. So an index gives candidates, oldest first, and the record decides whether a job is due. Of timed-out jobs those
that ended last come first: older ones have been rechecked already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from stillmotion.jobs.index import Query, uninspected_partitions, unpublished_partitions
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, timestamp
from stillmotion.ports import JobIndex

STILL_SECONDS = 900.0
"""A job that has not changed for so long may have lost its execution."""

INSPECTED_FOR = timedelta(days=3)
"""Counted from a job's creation. Older jobs are not inspected, even where inspections are switched on later."""

CALLED_BACK_FOR = timedelta(days=7)
"""Counted from a job's creation. A callback that comes later has no effect."""
_MAYBE_UNKNOWN = (Status.SUBMIT_UNKNOWN, Status.FAILED, Status.CANCELLED)

RECHECKED_AFTER = (timedelta(hours=1), timedelta(hours=24))
LAST_RECHECK = timedelta(hours=96)
LONGEST_LIFE = timedelta(days=1)
"""From the creation of a job to its time-out: at most 240 polls of 300 s, and the wait before the submit."""

RECHECK_PAUSE_SECONDS = 1800.0
"""A recheck that got no answer is repeated only after this pause, so that the next sweep begins with other jobs."""


@dataclass(slots=True)
class Candidates:
    """Jobs of one index partition that may be due, by id; their records say whether they are."""

    ids: Iterator[str]
    due: Callable[[Job], bool]
    found: int = 0


class Due:
    """Reads the indexes for a sweep; nothing is read before it is asked for."""

    def __init__(self, store: JobIndex, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock

    def unpublished(self) -> list[Candidates]:
        """Finished jobs whose event is not yet published, and that no process is about to publish."""

        def due(job: Job) -> bool:
            return job.unpublished and self._unchanged_for(job, STILL_SECONDS)

        return [Candidates(self._store.unpublished(partition), due) for partition in unpublished_partitions()]

    def unchanged(self) -> list[Candidates]:
        """Jobs that have not ended and have not changed for long."""
        before = timestamp(self._clock() - timedelta(seconds=STILL_SECONDS))
        waiting = (Status.QUEUED, Status.SUBMITTING, Status.CONFIRMING, Status.IN_PROGRESS, Status.DELIVERING)
        return [
            Candidates(_ids(self._store.entries(query, partition, before, oldest_first=True)), self._orphaned(query))
            for query in (Query(None, status) for status in waiting)
            for partition in query.partitions
        ]

    def timed_out(self) -> list[Candidates]:
        """Jobs whose next recheck is due. First and second rechecks are listed apart, so a backlog of one delays no
        other.
        """
        now = self._clock()
        found: list[Candidates] = []
        for after, until in pairwise((*RECHECKED_AFTER, LAST_RECHECK)):
            query = Query(None, Status.TIMED_OUT, created_after=timestamp(now - until - LONGEST_LIFE))
            first, last = timestamp(now - until), timestamp(now - after)
            for partition in query.partitions:
                entries = self._store.entries(query, partition, last)
                found.append(Candidates(_ids(_ended_between(entries, first, last)), self._recheck_due))
        return found

    def called_back_late(self) -> list[Candidates]:
        """Jobs that ended while their submit outcome was unknown, and that a callback may name late."""

        def due(job: Job) -> bool:
            ended_unknown = job.status in (Status.SUBMIT_UNKNOWN, Status.CANCELLED) or job.given_up
            return ended_unknown and job.confirm_until is not None and job.provider.job_id is None

        since = timestamp(self._clock() - CALLED_BACK_FOR)
        return [
            Candidates(_ids(_maybe_unknown(self._store.entries(query, partition, None))), due)
            for query in (Query(None, status, created_after=since) for status in _MAYBE_UNKNOWN)
            for partition in query.partitions
        ]

    def uninspected(self) -> list[Candidates]:
        """Completed jobs whose inspection is not yet published, and that no process is about to inspect."""

        def due(job: Job) -> bool:
            return job.uninspected and self._unchanged_for(job, STILL_SECONDS)

        since = timestamp(self._clock() - INSPECTED_FOR)
        return [Candidates(self._store.uninspected(part, since), due) for part in uninspected_partitions()]

    def _orphaned(self, query: Query) -> Callable[[Job], bool]:
        return lambda job: job.status is query.status and self._unchanged_for(job, STILL_SECONDS)

    def _recheck_due(self, job: Job) -> bool:
        if job.status is not Status.TIMED_OUT or job.provider.job_id is None or job.completed_at is None:
            return False
        if job.rechecks >= len(RECHECKED_AFTER) or not self._unchanged_for(job, RECHECK_PAUSE_SECONDS):
            return False
        return self._clock() >= datetime.fromisoformat(job.completed_at) + RECHECKED_AFTER[job.rechecks]

    def _unchanged_for(self, job: Job, seconds: float) -> bool:
        """Whether the record has not changed for so long."""
        return (self._clock() - datetime.fromisoformat(job.updated_at)).total_seconds() >= seconds


def _ids(entries: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    return (str(entry["id"]) for entry in entries)


def _maybe_unknown(entries: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The entries without failed jobs whose submit outcome was known; for the others, only the record says it."""
    for entry in entries:
        code = (entry.get("error") or {}).get("code")
        if entry.get("status") != Status.FAILED or code == "SubmitOutcomeUnknown":
            yield entry


def _ended_between(entries: Iterator[dict[str, Any]], first: str, last: str) -> Iterator[dict[str, Any]]:
    """Those that ended after the first time and not after the last; times of records sort as text."""
    return (entry for entry in entries if first < str(entry.get("completed_at", "")) <= last)
