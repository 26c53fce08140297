"""Which jobs a sweep has to look at: those that nobody was told of, that stand still, or that timed out a while ago.

An index knows a job's status and when it was made and ended; when it last changed, only its record knows. So an index
gives candidates, oldest first, and the record says whether the job is due. Of timed-out jobs those that ended last come
first: older ones are those that were looked at already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Protocol

from stillmotion.jobs.index import Query, untold_partitions
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, timestamp
from stillmotion.jobs.store import JobStore

STILL_SECONDS = 900.0
"""A job that has not changed for so long may have lost its execution."""

SECOND_LOOKS = (timedelta(hours=1), timedelta(hours=24))
LOOKED_FOR = timedelta(hours=96)
LONGEST_LIFE = timedelta(days=1)
"""From a job's making to its timing out: 240 polls of 300 s at most, and what it waits before."""

LOOK_PAUSE_SECONDS = 1800.0
"""A look that came to nothing is not taken again so soon, so that the next sweep begins with other jobs."""


class Index(JobStore, Protocol):
    """Job records that can also be listed by status, and by whether anybody was told of them."""

    def untold(self, partition: str) -> Iterator[str]:
        """The ids of one partition's jobs that have ended and nobody was told of, oldest first."""

    def entries(
        self, query: Query, partition: str, before: str | None, *, oldest_first: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Entries of one partition, newest first unless said otherwise."""


@dataclass(slots=True)
class Candidates:
    """Jobs of one index partition that may be due, by id; their records say whether they are."""

    ids: Iterator[str]
    due: Callable[[Job], bool]
    found: int = 0


class Due:
    """Reads the indexes for a sweep; nothing is read before it is asked for."""

    def __init__(self, store: Index, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock

    def untold(self) -> list[Candidates]:
        """Jobs that have ended, that nobody was told of, and that nobody is about to tell of."""

        def due(job: Job) -> bool:
            return job.untold and self._still(job, STILL_SECONDS)

        return [Candidates(self._store.untold(partition), due) for partition in untold_partitions()]

    def standing_still(self) -> list[Candidates]:
        """Jobs that have not ended and have not changed for long."""
        before = timestamp(self._clock() - timedelta(seconds=STILL_SECONDS))
        waiting = (Status.QUEUED, Status.SUBMITTING, Status.IN_PROGRESS, Status.DELIVERING)
        return [
            Candidates(_ids(self._store.entries(query, partition, before, oldest_first=True)), self._stuck(query))
            for query in (Query(None, status) for status in waiting)
            for partition in query.partitions
        ]

    def timed_out(self) -> list[Candidates]:
        """Jobs whose next look has come: each look has a time of its own, so that no backlog of one delays another."""
        now = self._clock()
        found: list[Candidates] = []
        for after, until in pairwise((*SECOND_LOOKS, LOOKED_FOR)):
            query = Query(None, Status.TIMED_OUT, created_after=timestamp(now - until - LONGEST_LIFE))
            first, last = timestamp(now - until), timestamp(now - after)
            for partition in query.partitions:
                entries = self._store.entries(query, partition, last)
                found.append(Candidates(_ids(_ended_between(entries, first, last)), self._to_be_looked_at))
        return found

    def _stuck(self, query: Query) -> Callable[[Job], bool]:
        return lambda job: job.status is query.status and self._still(job, STILL_SECONDS)

    def _to_be_looked_at(self, job: Job) -> bool:
        if job.status is not Status.TIMED_OUT or job.provider.job_id is None or job.completed_at is None:
            return False
        if job.looks >= len(SECOND_LOOKS) or not self._still(job, LOOK_PAUSE_SECONDS):
            return False
        return self._clock() >= datetime.fromisoformat(job.completed_at) + SECOND_LOOKS[job.looks]

    def _still(self, job: Job, seconds: float) -> bool:
        """Whether the record has not changed for so long."""
        return (self._clock() - datetime.fromisoformat(job.updated_at)).total_seconds() >= seconds


def _ids(entries: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    return (str(entry["id"]) for entry in entries)


def _ended_between(entries: Iterator[dict[str, Any]], first: str, last: str) -> Iterator[dict[str, Any]]:
    """Those that ended after the first time and not after the last; times of records sort as text."""
    return (entry for entry in entries if first < str(entry.get("completed_at", "")) <= last)
