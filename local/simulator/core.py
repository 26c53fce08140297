"""The simulator's state, put together once and handed to everything that answers requests."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from aiohttp import web

from local.simulator.addresses import Outbound
from local.simulator.catalogue import Catalogue, read_catalogue
from local.simulator.clock import Clock
from local.simulator.errors import ApiError
from local.simulator.faults import Faults
from local.simulator.jobs import Job, JobBook
from local.simulator.settings import Settings, changed
from local.simulator.studio import Studio
from local.simulator.validation import Plan
from local.simulator.webhooks import Webhooks
from local.simulator.wire import Signer

LOGGED_REQUESTS = 5000


class Core:
    """Settings, models, clock, faults, jobs, and the log of requests."""

    def __init__(self, settings: Settings, catalogue: Catalogue | None = None) -> None:
        self.settings = settings
        self.catalogue = catalogue or Catalogue(read_catalogue())
        self._first_settings = settings
        self.clock = Clock()
        self.faults = Faults()
        self.signer = Signer()
        self.outbound = Outbound()
        self.webhooks = Webhooks(self.outbound, self.clock)
        self.studio = Studio(self.outbound)
        self.book = JobBook(self.clock, self.studio, self._tell)
        self.requests: deque[dict[str, Any]] = deque(maxlen=LOGGED_REQUESTS)

    def change(self, changes: Mapping[str, Any]) -> Settings:
        """Change settings and return them all; raises UnknownSettingError."""
        self.settings = changed(self.settings, changes)
        return self.settings

    def charge(self, plan: Plan) -> Decimal:
        """Take the price of a clip from the credits and return it (USD); raises ApiError 402 where they do not reach.

        All sums are decimals: floats would drift from the prices of the list.
        """
        cost = plan.cost + Decimal(str(self.settings.surcharge_usd))
        if self.settings.credits_usd is not None:
            left = Decimal(str(self.settings.credits_usd))
            if left < cost:
                raise ApiError(
                    402, f"Insufficient credits: this video costs {cost:.2f} USD and {left:.2f} USD are left"
                )
            self.settings = replace(self.settings, credits_usd=float(left - cost))
        return cost

    def key(self) -> dict[str, Any]:
        """Return what the key may spend and has spent since the last reset (USD; null: there is no limit)."""
        used, left = self.book.charged_usd(), self.settings.credits_usd
        return {
            "label": "local",
            "limit": None if left is None else float(Decimal(str(left)) + used),
            "limit_remaining": left,
            "usage": float(used),
            "expires_at": self.settings.key_expires_at,
        }

    def note(self, request: web.Request, place: str) -> None:
        """Write a request into the log: never the key, only whether there was one."""
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "host": request.host,
                "on": place,
                "at": time.time(),
                "authorization": "Authorization" in request.headers,
                "range": request.headers.get("Range"),
            }
        )

    def reset(self, *, settings: bool) -> None:
        """Forget jobs, requests, webhooks and skipped time, and where `settings` is set also what was changed."""
        self.book.clear()
        self.clock.reset()
        self.requests.clear()
        self.webhooks.attempts.clear()
        if settings:
            self.settings = self._first_settings
            self.faults.clear()

    async def close(self) -> None:
        """Stop all work."""
        self.book.clear()
        self.studio.close()
        await self.outbound.close()

    async def tell_again(self, job_ids: Sequence[str] | None, *, newest_first: bool = False) -> None:
        """Deliver the webhooks of these jobs in this order, or of all jobs in the order of their submits.

        Raises ApiError 404 naming a job that there is not.
        """
        ids = [job["id"] for job in self.book.ledger()["jobs"]] if job_ids is None else list(job_ids)
        jobs = [self.book.find(job_id) for job_id in ids]
        if None in jobs:
            raise ApiError(404, f"No such job: {ids[jobs.index(None)]}")
        found = [job for job in jobs if job is not None]
        await self.webhooks.again(found[::-1] if newest_first else found, self.settings)

    async def _tell(self, job: Job) -> None:
        await self.webhooks.deliver(job, self.settings)
