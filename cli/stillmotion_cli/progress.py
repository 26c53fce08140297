"""Shows the progress of a job: one live line on a terminal, a plain line for every change anywhere else."""

import time
from collections.abc import Callable

from rich.spinner import Spinner
from rich.text import Text

from stillmotion_cli.client import Job
from stillmotion_cli.live import LiveView
from stillmotion_cli.shown import one_line
from stillmotion_cli.terminal import Terminal
from stillmotion_cli.units import size

_WORDS = {
    "queued": "queued",
    "submitting": "submitting to the model",
    "confirming": "waiting for ModelGates to name the job, because its answer was lost",
    "in_progress": "the model is at work",
    "delivering": "storing the video",
    "completed": "completed",
}


class Progress(LiveView):
    """A context manager: `doing` names a step, `update` takes the job's record, `bytes` a transfer."""

    def __init__(self, terminal: Terminal, now: Callable[[], float] = time.monotonic) -> None:
        self._text = ""
        self._spinner = Spinner("dots")
        super().__init__(terminal, now)

    def doing(self, text: str) -> None:
        """A step of our own before the job; shown on a terminal only."""
        self._text = text

    def update(self, job: Job) -> None:
        """The job's state, its polls so far and, at the end, its size."""
        status = one_line(job["status"])
        state = f"{job['id']}  {_WORDS.get(status, status)}"
        polls = f", {job['polls']} poll{'s' if job['polls'] != 1 else ''}" if job.get("polls") else ""
        count = sum(int(video.get("bytes") or 0) for video in job.get("video") or [])
        self._text = state + polls + (f", {size(count)}" if count else "")
        self._say(self._line().plain, state)

    def bytes(self, done: int, total: int) -> None:
        """How much of the clip has arrived."""
        self._text = f"downloading  {size(done)} of {size(total)} ({100 * done // max(total, 1)} %)"

    def _draw(self) -> Spinner:
        self._spinner.update(text=self._line())
        return self._spinner

    def _line(self) -> Text:
        return Text.assemble(self._text, (f"  ({self._elapsed})", "dim"))
