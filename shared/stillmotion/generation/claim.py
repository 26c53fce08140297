"""Claiming a job for its paid call: of all calls at once one wins, and its estimate is counted in the same transaction.

A claim relies on what operators allow as this process last saw it, first on nothing set. Its transaction fails where
that has changed; then it is read, and the claim is made again. So a limit that is set holds for the next claim, and
claims read nothing beforehand.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import UTC, datetime
from uuid import uuid4

from stillmotion.errors import JobStateConflict, PriceUnknown, SpendLimitReached, StorageFailed
from stillmotion.generation.limits import Limits
from stillmotion.jobs.lifecycle import CLAIM, Status
from stillmotion.jobs.record import Job
from stillmotion.jobs.spend import CeilingReached, Entries, EntriesChanged, Spend
from stillmotion.jobs.store import get_job
from stillmotion.ports import JobStore
from stillmotion.telemetry import count

_ATTEMPTS = 5
_REMEMBERED = 1000


class Claiming:
    """The use case of claiming; what operators allowed is remembered by caller."""

    def __init__(self, store: JobStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._seen: MutableMapping[str | None, Entries] = {}

    def claim(self, job: Job) -> Job | None:
        """The job, claimed and counted, if of all calls at once this is the one to make the paid call.

        Raises:
            SpendLimitReached: a day's limit leaves no room; final.
            PriceUnknown: there is a limit, and what the job costs cannot be known; final.
            StorageFailed: may be tried again.
        """
        claim, entries = str(uuid4()), self._seen.get(job.owner, Entries())
        for _ in range(_ATTEMPTS):
            moment = datetime.now(UTC)
            try:
                return self._claim(job, claim, self._limits.reserve(job, entries, moment), moment)
            except EntriesChanged:
                entries = self._read(job.owner)
            except (SpendLimitReached, PriceUnknown):
                # Only what holds now refuses for good.
                relied_on, entries = entries, self._read(job.owner)
                if relied_on == entries:
                    count("SpendLimitReached", model=job.model)
                    raise
        raise StorageFailed("What may be spent was changed again and again at this moment. Try again.")

    def _claim(self, job: Job, claim: str, spend: Spend, moment: datetime) -> Job | None:
        try:
            return self._store.update(
                job.id, CLAIM, spend=spend, claim=claim, reserved=spend.reservation, returned=None
            )
        except JobStateConflict:
            held = get_job(self._store, job.id)
            # Our own claim, written by a try whose answer was lost: no other process will make the call.
            return held if (held.status, held.claim) == (Status.SUBMITTING, claim) else None
        except CeilingReached as reached:
            raise self._limits.reached(job, spend, reached, moment) from None

    def _read(self, caller: str | None) -> Entries:
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[caller] = self._store.entries_for(caller)
        return self._seen[caller]
