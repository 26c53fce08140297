"""The simulator's state, put together once and handed to everything that answers requests."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from local.simulator.addresses import Outbound
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
    """Settings, clock, faults, jobs, and the log of requests."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._first_settings = settings
        self.clock = Clock()
        self.faults = Faults()
        self.signer = Signer()
        self.outbound = Outbound()
        self.webhooks = Webhooks(self.outbound)
        self.studio = Studio(self.outbound)
        self.book = JobBook(self.clock, self.studio, self._tell)
        self.requests: deque[dict[str, Any]] = deque(maxlen=LOGGED_REQUESTS)

    def change(self, changes: Mapping[str, Any]) -> Settings:
        """Change settings and return them all; raises UnknownSettingError."""
        self.settings = changed(self.settings, changes)
        return self.settings

    def charge(self, plan: Plan) -> None:
        """Take the price of a clip from the credits; raises ApiError 402 where they do not reach."""
        credits_usd = self.settings.credits_usd
        if credits_usd is None:
            return
        cost = float(plan.cost)
        if credits_usd < cost:
            raise ApiError(
                402, f"Insufficient credits: this video costs {cost:.2f} USD and {credits_usd:.2f} USD are left"
            )
        self.settings = replace(self.settings, credits_usd=round(credits_usd - cost, 6))

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

    async def _tell(self, job: Job) -> None:
        await self.webhooks.deliver(job, self.settings)
