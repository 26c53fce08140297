"""Delivering webhooks: signed, with bounded retries, and remembered for tests.

Each job is told of once, when it has ended. Settings make that late, early, repeated or missing; :meth:`Webhooks.again`
tells of jobs in any order, as often as it is asked to.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import aiohttp

from local.simulator.addresses import Outbound
from local.simulator.clock import Clock
from local.simulator.jobs import Job
from local.simulator.settings import Settings
from local.simulator.wire import webhook_json

KEY_HEADER = "X-ModelGates-Idempotency-Key"
SIGNATURE_HEADER = "X-ModelGates-Signature"
KEPT = 1000


def sign(secret: str, body: bytes, at: int) -> str:
    """Return the signature header of a webhook body: HMAC-SHA256 over `<unix seconds>,` and the body."""
    digest = hmac.new(secret.encode(), f"{at},".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Webhooks:
    """Sends webhooks and keeps what became of the last thousand attempts."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock
        self.attempts: deque[dict[str, Any]] = deque(maxlen=KEPT)

    async def deliver(self, job: Job, settings: Settings) -> None:
        """Tell a job's `callback_url` how it ended, as many copies as are set, each with its own retries."""
        if job.plan.callback_url is None or not settings.webhooks:
            return
        await self._clock.wait_until(self._clock.now() + settings.webhook_delay_seconds)
        body = json.dumps(webhook_json(job)).encode()
        for _ in range(settings.webhook_copies):
            await self._deliver_one(job, job.plan.callback_url, body, settings)

    async def again(self, jobs: Sequence[Job], settings: Settings) -> None:
        """Tell of these jobs at once and one after the other; those that have not ended or gave no address are left."""
        for job in jobs:
            if job.ending is not None and job.plan.callback_url is not None:
                body = json.dumps(webhook_json(job)).encode()
                await self._deliver_one(job, job.plan.callback_url, body, settings)

    async def _deliver_one(self, job: Job, url: str, body: bytes, settings: Settings) -> None:
        for attempt in range(1, settings.webhook_attempts + 1):
            outcome = await self._post(job, url, body, settings)
            self.attempts.append({"job_id": job.id, "url": url, "attempt": attempt, "at": time.time(), **outcome})
            if 200 <= (outcome["status"] or 0) < 300:
                return
            if attempt < settings.webhook_attempts:
                await asyncio.sleep(settings.webhook_backoff_seconds * 2 ** (attempt - 1))

    async def _post(self, job: Job, url: str, body: bytes, settings: Settings) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", KEY_HEADER: f"{job.id}-{job.status(0)}"}
        if settings.signing_secret is not None:
            # The receiver compares with real time, so a clock that a test has moved must not show here.
            headers[SIGNATURE_HEADER] = sign(settings.signing_secret, body, int(time.time()))
        session = self._outbound.session(loopback_only=url.startswith("http:"))
        timeout = aiohttp.ClientTimeout(total=settings.webhook_timeout_seconds)
        try:
            async with session.post(url, data=body, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                return {"status": answer.status, "error": None}
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return {"status": None, "error": type(error).__name__}
