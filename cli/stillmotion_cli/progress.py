"""Shows how a job goes on: one live line on a terminal, a plain line for every change anywhere else."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from stillmotion_cli.client import Job

_WORDS = {
    "queued": "queued",
    "submitting": "submitting to the model",
    "in_progress": "the model is at work",
    "delivering": "storing the video",
    "completed": "completed",
}


class Progress:
    """A context manager whose `update` takes the job record after every look."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("starting", console=console) if console.is_terminal else None
        self._started = time.monotonic()
        self._last = ""

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._status:
            self._status.stop()

    def update(self, job: Job) -> None:
        """Show the job's state, its polls, the time it took so far and, at the end, its size."""
        elapsed = time.monotonic() - self._started
        state = _WORDS.get(str(job["status"]), str(job["status"]))
        polls = f", polls: {job['polls']}" if job.get("polls") else ""
        videos = job.get("video") or []
        size = f", {videos[0]['bytes']:,} bytes" if videos else ""
        if self._status:
            self._status.update(f"{job['id']}  {state}{polls}{size}  ({elapsed:.0f} s)")
        if state != self._last:
            self._last = state
            self._console.print(f"{job['id']}  {state}{polls}{size}  ({elapsed:.1f} s)", highlight=False)
