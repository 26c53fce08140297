"""Shows how a job goes on: one live line on a terminal, a plain line for every change anywhere else."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from stillmotion_cli.client import Job
from stillmotion_cli.terminal import Terminal
from stillmotion_cli.units import clock, size

# A log without a line for longer than this looks as if nothing went on.
HEARTBEAT_SECONDS = 60.0
_WORDS = {
    "queued": "queued",
    "submitting": "submitting to the model",
    "in_progress": "the model is at work",
    "delivering": "storing the video",
    "completed": "completed",
}


class Progress:
    """A context manager: `doing` names a step, `update` takes the job's record, `bytes` a transfer."""

    def __init__(self, terminal: Terminal, now: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._now = now
        self._started = now()
        self._text = ""
        self._said = ""
        self._said_at = now()
        self._live: Live | None = None
        if terminal.is_live:
            self._spinner = Spinner("dots")
            self._live = Live(
                get_renderable=self._draw,
                console=terminal.errors,
                refresh_per_second=10,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def doing(self, text: str) -> None:
        """A step of our own before the job; worth a word only to somebody who looks on."""
        self._text = text

    def update(self, job: Job) -> None:
        """The job's state, its polls so far and, at the end, its size."""
        status = str(job["status"])
        state = f"{job['id']}  {_WORDS.get(status, status)}"
        polls = f", {job['polls']} poll{'s' if job['polls'] != 1 else ''}" if job.get("polls") else ""
        count = sum(int(video.get("bytes") or 0) for video in job.get("video") or [])
        self._show(state + polls + (f", {size(count)}" if count else ""), state)

    def bytes(self, done: int, total: int) -> None:
        """How much of the clip has arrived."""
        self._text = f"downloading  {size(done)} of {size(total)} ({100 * done // max(total, 1)} %)"

    def _show(self, text: str, change: str) -> None:
        """Draw the text; where nothing can be drawn, print it when `change` is new or the silence gets long."""
        self._text = text
        if self._live:
            return
        now = self._now()
        if change != self._said or now - self._said_at >= HEARTBEAT_SECONDS:
            self._said, self._said_at = change, now
            self._terminal.say(self._line().plain)

    def _draw(self) -> Spinner:
        self._spinner.update(text=self._line())
        return self._spinner

    def _line(self) -> Text:
        return Text.assemble(self._text, (f"  ({clock(self._now() - self._started)})", "dim"))
