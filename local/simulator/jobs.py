"""Jobs: their life from the submit to a terminal state, and what they cost."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from local.simulator.clock import Clock
from local.simulator.errors import ImageUnusableError
from local.simulator.settings import Settings
from local.simulator.studio import Studio
from local.simulator.validation import Plan

LOG = logging.getLogger(__name__)

# How long the answer to the nth poll waits for the clip: it must not say anything but that the job has ended.
NTH_POLL_PATIENCE_SECONDS = 120.0
DEFAULT_FAILURE = "The provider could not generate this video."
DATA_URL_SHOWN = 48


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended: its terminal status, when (unix seconds), its error in any shape of JSON, or its outputs."""

    status: str
    at: float
    error: Any = None
    failure_reason: Any = None
    clips: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Job:
    """One accepted submit."""

    id: str
    generation_id: str
    plan: Plan
    request: dict[str, Any]
    settings: Settings
    base_url: str
    submitted_at: float
    charged_usd: Decimal
    polls: int = 0
    ending: Ending | None = None
    release: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    # The webhook has been delivered, or given up, or there is none.
    told: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ready_at(self) -> float:
        """When the job is due by the clock, in unix seconds."""
        return self.submitted_at + (0 if self.settings.complete_on_submit else self.settings.seconds_to_ready)

    @property
    def waits_for_polls(self) -> bool:
        """Whether polls, not time, decide when the job is done."""
        return self.settings.polls_to_ready is not None and not self.settings.complete_on_submit

    @property
    def expires_at(self) -> float | None:
        """When the outputs of a completed job stop being available, in unix seconds."""
        if self.ending is None or self.ending.status != "completed":
            return None
        return self.ending.at + self.settings.output_ttl_seconds

    def status(self, now: float) -> str:
        """Return the status at a time (unix seconds)."""
        if self.ending is not None:
            return self.ending.status
        if self.waits_for_polls:
            return "pending" if self.polls <= 1 else "in_progress"
        return "pending" if now < self.submitted_at + self.settings.seconds_pending else "in_progress"

    def summary(self, now: float) -> dict[str, Any]:
        """Return what the ledger says about the job; embedded pictures are cut short."""
        return {
            "id": self.id,
            "model": self.plan.model,
            "request": _shortened(self.request),
            "charged_usd": float(self.charged_usd),
            "status": self.status(now),
            "error": self.ending.error if self.ending else None,
            "polls": self.polls,
            "submitted_at": self.submitted_at,
            "ended_at": self.ending.at if self.ending else None,
        }


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("data:") and len(value) > DATA_URL_SHOWN:
        return f"{value[:DATA_URL_SHOWN]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return value


class JobBook:
    """All jobs since the last reset, in the order in which they were accepted."""

    def __init__(self, clock: Clock, studio: Studio, on_end: Callable[[Job], Awaitable[None]]) -> None:
        self._clock = clock
        self._studio = studio
        self._on_end = on_end
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, plan: Plan, request: dict[str, Any], settings: Settings, base_url: str, charged_usd: Decimal) -> Job:
        """Accept a submit: the job is written down with what it costs (USD) and begins at once."""
        job = Job(
            id=str(secrets.randbelow(10**12) + 10**12) if settings.integer_ids else f"vgen-{secrets.token_hex(10)}",
            generation_id=f"gen-{secrets.token_hex(12)}",
            plan=plan,
            request=request,
            settings=settings,
            base_url=base_url,
            submitted_at=self._clock.now(),
            charged_usd=charged_usd,
        )
        self._jobs[job.id] = job
        for work in (self._live(job), self._release_in_time(job)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return job

    def find(self, job_id: str) -> Job | None:
        """Return a job, or None."""
        return self._jobs.get(job_id)

    def untold(self) -> int:
        """Return how many jobs will end by themselves or have ended, and are still to be told of."""
        waiting = [job for job in self._jobs.values() if not job.told.is_set()]
        return sum(job.ending is not None or not job.waits_for_polls for job in waiting)

    def count_poll(self, job_id: str) -> None:
        """Count a poll that has arrived, whatever becomes of its answer, and release the job on its nth."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        job.polls += 1
        if job.waits_for_polls and job.polls >= (job.settings.polls_to_ready or 0):
            job.release.set()

    async def settle(self, job: Job) -> None:
        """Let a job that is due reach its end before it is looked at.

        A job of the clock is waited for a few seconds, then it stays in progress; one of the nth poll must end there.
        """
        due = job.release.is_set() or (not job.waits_for_polls and self._clock.now() >= job.ready_at)
        if job.ending is None and due:
            patience = NTH_POLL_PATIENCE_SECONDS if job.waits_for_polls else job.settings.render_patience_seconds
            try:
                await asyncio.wait_for(job.finished.wait(), patience)
            except TimeoutError:
                return

    def ledger(self) -> dict[str, Any]:
        """Return every accepted submit, how many there are and what they cost together (USD)."""
        now = self._clock.now()
        jobs = [job.summary(now) for job in self._jobs.values()]
        return {
            "jobs": jobs,
            "total": len(jobs),
            "charged_usd": float(self.charged_usd()),
        }

    def charged_usd(self) -> Decimal:
        """Return what all jobs cost together, in USD."""
        return sum((job.charged_usd for job in self._jobs.values()), Decimal(0))

    def clear(self) -> None:
        """Forget all jobs and stop their work."""
        for task in self._tasks:
            task.cancel()
        # Whoever waits for a job that will not end now need not wait on.
        for job in self._jobs.values():
            job.finished.set()
            job.told.set()
        self._jobs.clear()

    async def _release_in_time(self, job: Job) -> None:
        if not job.waits_for_polls:
            await self._clock.wait_until(job.ready_at)
            job.release.set()

    async def _live(self, job: Job) -> None:
        outcome = await self._outcome(job)
        await job.release.wait()
        job.ending = replace(outcome, at=self._clock.now())
        job.finished.set()
        try:
            await self._on_end(job)
        finally:
            job.told.set()

    async def _outcome(self, job: Job) -> Ending:
        """Return how the job ends; when is not known yet."""
        fate = job.settings.fail_with
        if fate is not None:
            error = fate.get("error", None if "failure_reason" in fate else DEFAULT_FAILURE)
            return Ending(fate["status"], 0, error, fate.get("failure_reason"))
        try:
            return Ending("completed", 0, clips=tuple(await self._studio.make(job.plan, job.settings)))
        except ImageUnusableError as problem:
            return Ending("failed", 0, str(problem))
        # Whatever breaks while a clip is made must end the job, as it would at a provider, not leave it hanging.
        except Exception as problem:
            LOG.exception("job %s could not be rendered", job.id)
            return Ending("failed", 0, f"The provider failed to generate the video ({type(problem).__name__}).")
