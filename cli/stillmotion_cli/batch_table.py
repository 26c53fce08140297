"""The progress of a batch: a live table on a terminal, a plain line for every change anywhere else."""

import time
from collections.abc import Callable

from rich import box
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stillmotion_cli.client import Document
from stillmotion_cli.live import LiveView
from stillmotion_cli.shown import one_line
from stillmotion_cli.terminal import Terminal
from stillmotion_cli.units import clock, money

COLOURS = {"done": "green", "failed": "red", "skipped": "cyan", "running": "yellow", "not_run": "red"}
SHOWN = ("pending", "running", "done", "skipped", "failed", "not_run")


class BatchTable(LiveView):
    """A context manager that `update` gives the batch as the API shows it."""

    def __init__(self, terminal: Terminal, now: Callable[[], float] = time.monotonic) -> None:
        self._batch: Document = {}
        super().__init__(terminal, now, per_second=4)

    def update(self, batch: Document) -> None:
        """The batch's numbers; where nothing can be drawn, they are printed when they have changed."""
        self._batch = batch
        line = f"{batch['id']}  {sentence(batch)}"
        self._say(f"{line}  ({self._elapsed})", line)

    def _draw(self) -> Table:
        table = Table(box=box.SIMPLE, show_header=False, padding=(0, 1))
        if not self._batch:
            table.add_row("starting", self._elapsed)
            return table
        counts, total = self._batch["counts"], self._batch.get("items") or 0
        table.add_row("batch", Text(one_line(f"{self._batch['id']}, run {self._batch['run']}")))
        table.add_row("status", Text(one_line(f"{self._batch['status']}  ({self._elapsed})")))
        ended = sum(counts[name] for name in ("done", "skipped", "failed"))
        table.add_row("items", ProgressBar(total=max(total, 1), completed=ended, width=40))
        for name in SHOWN:
            if counts[name] or name in ("done", "failed"):
                table.add_row(name.replace("_", " "), Text(f"{counts[name]:,} of {total:,}", COLOURS.get(name, "")))
        if self._batch.get("estimated_cost_usd") is not None:
            table.add_row("estimate", money(self._batch["estimated_cost_usd"]))
        return table


def sentence(batch: Document) -> str:
    """The batch's numbers in one line."""
    counts = [f"{batch['counts'][name]:,} {name.replace('_', ' ')}" for name in SHOWN if batch["counts"][name]]
    total = f" of {batch['items']:,}" if batch.get("items") else ""
    return f"{one_line(batch['status'])}{': ' + ', '.join(counts) + total if counts else ''}"


def show_batch(terminal: Terminal, batch: Document) -> None:
    """A batch's summary, or its progress."""
    facts = [
        ("id", str(batch["id"])),
        ("run", str(batch["run"])),
        ("status", sentence(batch)),
        ("manifest", str(batch["manifest"])),
    ]
    facts += [("failed", f"{count:,} {reason}") for reason, count in (batch.get("failed_by_reason") or {}).items()]
    if batch.get("cost_usd") is not None:
        facts.append(("cost", money(batch["cost_usd"])))
    elif batch.get("estimated_cost_usd") is not None:
        facts.append(("estimate", money(batch["estimated_cost_usd"])))
    if batch.get("duration_seconds") is not None:
        facts.append(("took", clock(batch["duration_seconds"])))
    if batch.get("results"):
        facts.append(("results", str(batch["results"])))
    if batch.get("error"):
        facts.append(("error", f"{batch['error']['code']}: {batch['error']['message']}"))
    for name, value in facts:
        terminal.line(Text.assemble((f"{name:<13}", "dim"), one_line(value)))
