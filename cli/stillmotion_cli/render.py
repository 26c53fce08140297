"""Records, lists and models as people read them."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from stillmotion_cli.client import Document, Job
from stillmotion_cli.generation import next_step
from stillmotion_cli.shown import one_line
from stillmotion_cli.terminal import Terminal
from stillmotion_cli.timeline import Timeline
from stillmotion_cli.units import age, clock, iso, money, size

_COLOURS = {"completed": "green", "failed": "red", "expired": "red", "submit_unknown": "red", "timed_out": "yellow"}
_OPTIONS = ("duration", "resolution", "aspect_ratio", "size", "generate_audio", "seed")


def show_job(terminal: Terminal, job: Job) -> None:
    """Everything about one job that a person asks for, and what to do next."""
    for name, value in _facts(job):
        style = _COLOURS.get(value, "") if name == "status" else ""
        terminal.line(Text.assemble((f"{name:<13}", "dim"), (one_line(value), style)))
    if step := next_step(job):
        terminal.say("")
        terminal.say(step, "dim")


def _facts(job: Job) -> Iterator[tuple[str, str]]:
    request, error, usage = job.get("request") or {}, job.get("error") or {}, job.get("usage") or {}
    yield "id", str(job["id"])
    yield "status", str(job["status"])
    yield "model", str(job.get("model") or request.get("model") or "-")
    if request.get("prompt"):
        yield "prompt", str(request["prompt"])
    asked = [f"{name.replace('_', ' ')} {request[name]}" for name in _OPTIONS if request.get(name) is not None]
    if asked:
        yield "asked for", ", ".join(asked)
    for frame in request.get("frame_images") or []:
        yield str(frame.get("frame_type", "frame")).replace("_", " "), str(frame.get("image_url", {}).get("url"))
    yield "created", f"{job.get('created_at')} ({age(job.get('created_at'))} ago)"
    if job.get("completed_at"):
        yield "ended", f"{job['completed_at']}{_took(job)}"
    if job.get("polls"):
        yield "polls", str(job["polls"])
    for video in job.get("video") or []:
        yield "video", f"s3://{video['bucket']}/{video['key']} ({size(int(video['bytes']))}, {video['content_type']})"
    if usage.get("cost_usd") is not None:
        yield "cost", money(usage["cost_usd"])
    elif usage.get("may_have_cost_usd") is not None:
        yield "cost", f"may have cost up to {money(usage['may_have_cost_usd'])}"
    for key, value in (job.get("metadata") or {}).items():
        yield "metadata", f"{key}={value}"
    for warning in job.get("warnings") or []:
        yield "warning", str(warning)
    if error:
        yield "error", f"{error.get('code')}: {error.get('message')}"
    if error.get("provider_message"):
        yield "ModelGates", str(error["provider_message"])


def _took(job: Job) -> str:
    try:
        begun, ended = (datetime.fromisoformat(str(job[name])) for name in ("created_at", "completed_at"))
    except (KeyError, ValueError):
        return ""
    return f" (after {clock((ended - begun).total_seconds())})"


def show_timeline(terminal: Terminal, timeline: Timeline) -> None:
    """One line for each thing that happened in a job's life: when, how long after its creation, how long it took."""
    rows = [
        [iso(entry.at), _span(timeline.after(entry)), _span(entry.seconds), entry.source, entry.what]
        for entry in timeline.entries
    ]
    table(terminal, ["at", "after", "took", "from", "what"], rows)
    for reason in timeline.unread:
        terminal.say(f"Not read: {reason}", "yellow")


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}s"


def show_jobs(terminal: Terminal, jobs: Sequence[Document]) -> None:
    """One line for each job, newest first."""
    rows: list[list[str | Text]] = [
        [
            str(job["id"]),
            Text(str(job["status"]), style=_COLOURS.get(str(job["status"]), "")),
            age(job.get("created_at")),
            _length(job),
            _cost(job.get("usage") or {}),
            str(job.get("model") or "-"),
        ]
        for job in jobs
    ]
    table(terminal, ["id", "status", "age", "size", "cost", "model"], rows)


def _cost(usage: Document) -> str:
    """What a job cost, or with a leading sign what it may have cost at most."""
    if usage.get("cost_usd") is None and usage.get("may_have_cost_usd") is not None:
        return f"≤{money(usage['may_have_cost_usd'])}"
    return money(usage.get("cost_usd"))


def _length(job: Document) -> str:
    count = sum(int(video.get("bytes") or 0) for video in job.get("video") or [])
    return size(count) if count else "-"


def show_models(terminal: Terminal, models: Sequence[Document]) -> None:
    """One line for each model; a dash stands for what the model does not state."""
    rows: list[list[str | Text]] = [
        [
            str(model["id"]),
            money(model.get("estimated_cost_usd")),
            _listed(model.get("supported_durations")),
            _listed(model.get("supported_resolutions") or model.get("supported_sizes")),
            _listed(model.get("supported_aspect_ratios")),
            _listed([name.removesuffix("_frame") for name in model.get("supported_frame_images") or []])
            if model.get("supported_frame_images") != []
            else "none",
            {True: "yes", False: "no"}.get(model.get("generate_audio"), "-"),  # type: ignore[arg-type]
        ]
        for model in models
    ]
    table(terminal, ["model", "price", "seconds", "resolution", "aspect", "frames", "audio"], rows)


def _listed(values: Sequence[Any] | None) -> str:
    """The values; a long run of whole numbers as its ends."""
    if not values:
        return "-"
    if len(values) > 3 and all(isinstance(value, int) for value in values):
        low, high = min(values), max(values)
        if sorted(values) == list(range(low, high + 1)):
            return f"{low}-{high}"
    return " ".join(str(value) for value in values)


def table(terminal: Terminal, names: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """A table that fits a terminal; elsewhere aligned columns of whatever width, for grep and awk."""
    cells = [[Text(one_line(cell), style="" if isinstance(cell, str) else cell.style) for cell in row] for row in rows]
    if terminal.output.is_terminal:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for number, name in enumerate(names):
            # Names are copied into the next command, so they are never cut.
            table.add_column(name, no_wrap=number < 2, overflow="fold")
        for row in cells:
            table.add_row(*row)
        terminal.output.print(table)
        return
    lines = [list(names), *[[cell.plain for cell in row] for row in cells]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        terminal.line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_event(terminal: Terminal, event: Document) -> None:
    """One event on one line."""
    if "detail" not in event:
        terminal.line(f"{event.get('time') or '-'}  {event.get('message') or json.dumps(event)}")
        return
    detail = event.get("detail") or {}
    error = detail.get("error") or {}
    model = (detail.get("request") or {}).get("model") or detail.get("model") or ""
    kind = str(event.get("detail-type") or "").removeprefix("Video Generation ") or "event"
    words = [event.get("time") or "-", f"{kind:<10}", detail.get("id") or "-", detail.get("status") or "", model]
    if error:
        words.append(f"{error.get('code')}: {error.get('message')}")
    terminal.line("  ".join(str(word) for word in words if word))
