"""The progress of several clips: a live table on a terminal, a plain line for every change anywhere else."""

import threading
import time
from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from stillmotion_cli.live import LiveView
from stillmotion_cli.shown import one_line
from stillmotion_cli.terminal import Terminal

COLOURS = {"stored": "green", "failed": "red", "waiting": "dim"}
# A terminal has so many lines at least; the rest is summed up.
SHOWN = 20


class SeveralTable(LiveView):
    """A context manager that `update` names the state of a clip, from any thread."""

    def __init__(self, terminal: Terminal, names: Sequence[str], now: Callable[[], float] = time.monotonic) -> None:
        self._states = dict.fromkeys(names, "waiting")
        self._lock = threading.Lock()
        super().__init__(terminal, now, per_second=4)

    def update(self, name: str, state: str) -> None:
        """The clip's state, a word and perhaps more behind a comma; printed where nothing can be drawn."""
        with self._lock:
            if self._states[name] == state:
                return
            self._states[name] = state
            if not self._live:
                self._terminal.say(f"{one_line(name)}  {one_line(state)}  ({self._elapsed})")

    def _draw(self) -> Table:
        with self._lock:
            states = dict(self._states)
        ended = [name for name, state in states.items() if _word(state) in ("stored", "submitted", "failed")]
        # What is at work is what one wants to see; what has ended is listed at the end anyway.
        ordered = [name for name in states if name not in ended] + ended
        table = Table(box=box.SIMPLE, show_header=False, padding=(0, 1))
        for name in ordered[:SHOWN]:
            table.add_row(
                Text(one_line(name)), Text(one_line(states[name]), COLOURS.get(_word(states[name]), "yellow"))
            )
        if len(ordered) > SHOWN:
            table.add_row(Text(f"and {len(ordered) - SHOWN} more", "dim"), "")
        table.add_row(Text(f"{len(ended)} of {len(states)}", "bold"), Text(self._elapsed, "dim"))
        return table


def _word(state: str) -> str:
    return state.partition(",")[0]
