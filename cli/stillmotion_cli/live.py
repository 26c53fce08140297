"""Progress, redrawn on a terminal; anywhere else a plain line for every change."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import RenderableType
from rich.live import Live

from stillmotion_cli.terminal import Terminal
from stillmotion_cli.units import clock

# Seconds. A log without a new line for longer than this looks as if nothing happened.
HEARTBEAT_SECONDS = 60.0


class LiveView(ABC):
    """A context manager for the time in which progress is shown."""

    def __init__(self, terminal: Terminal, now: Callable[[], float] = time.monotonic, per_second: float = 10) -> None:
        self._terminal = terminal
        self._now = now
        self._started = self._said_at = now()
        self._said = ""
        self._live: Live | None = None
        if terminal.is_live:
            self._live = Live(
                get_renderable=self._draw,
                console=terminal.errors,
                refresh_per_second=per_second,
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

    @property
    def _elapsed(self) -> str:
        return clock(self._now() - self._started)

    def _say(self, line: str, change: str) -> None:
        """Where nothing can be drawn, print the line when `change` is new or the silence gets long."""
        now = self._now()
        if not self._live and (change != self._said or now - self._said_at >= HEARTBEAT_SECONDS):
            self._said, self._said_at = change, now
            self._terminal.say(line)

    @abstractmethod
    def _draw(self) -> RenderableType:
        """The text on the terminal now."""
