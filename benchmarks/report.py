"""Results for the terminal and as JSON, with the machine they were found on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from benchmarks.bars import Result
from benchmarks.measure import Column, Spread, Table

LIBRARIES = ("aws-lambda-powertools", "boto3", "moto", "pydantic", "urllib3")


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    models = [line.split(":")[1].strip() for line in _lines(cpuinfo) if line.startswith("model name")]
    memory = [int(line.split()[1]) * 1024 for line in _lines(meminfo) if line.startswith("MemTotal")]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": models[0] if models else platform.processor() or "unknown",
        "cores": os.cpu_count(),
        "memory_gib": round(memory[0] / 2**30, 1) if memory else None,
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }


def in_a_line(about: Mapping[str, Any]) -> str:
    """The machine, for people."""
    load = ", ".join(str(one) for one in about["load_average"])
    return (
        f"{about['processor']}, {about['cores']} cores, load {load} at the start, Python {about['python']}, "
        f"{about['seconds']} s in all"
    )


def as_json(about: dict[str, Any], tables: Sequence[Table], held: Sequence[Result]) -> dict[str, Any]:
    """``{"machine": …, "benchmarks": {name: {"title", "note", "rows": {row: {figure: number or spread}}}}, "bars"}``.

    ``bars`` is a list of ``{"bar", "wanted", "found", "passed"}``; ``passed`` is null where it was not measured.
    """
    benchmarks = {
        table.name: {
            "title": table.title,
            "note": table.note,
            "rows": {
                row: {key: asdict(value) if isinstance(value, Spread) else value for key, value in figures.items()}
                for row, figures in table.rows.items()
            },
        }
        for table in tables
    }
    bars = [{"bar": one.bar.name, "wanted": one.bar.wanted, "found": one.found, "passed": one.passed} for one in held]
    return {"machine": about, "benchmarks": benchmarks, "bars": bars}


def show_bars(console: Console, held: Sequence[Result]) -> None:
    """The bars that were measured, with pass or fail."""
    grid = Grid(title="Bars", title_justify="left")
    for heading in ("bar", "wanted", "found", ""):
        grid.add_column(heading)
    for one in held:
        if one.passed is not None:
            colour = "green" if one.passed else "red"
            grid.add_row(one.bar.name, one.bar.wanted, one.found, f"[{colour}]{one.verdict}[/{colour}]")
    console.print(grid)


def show(console: Console, table: Table) -> None:
    """A table: medians, and in brackets what they lie between."""
    grid = Grid(title=table.title, title_justify="left", caption=table.note or None, caption_justify="left")
    grid.add_column("")
    for column in table.columns:
        grid.add_column(column.heading, justify="right")
    for name, figures in table.rows.items():
        grid.add_row(name, *(_cell(figures.get(column.key), column) for column in table.columns))
    console.print(grid)


def _cell(value: Spread | float | None, column: Column) -> str:
    if value is None:
        return ""
    if not isinstance(value, Spread):
        return f"{value:,.{column.decimals}f}"
    middle, low, high = (f"{one:,.{column.decimals}f}" for one in (value.median, value.low, value.high))
    return middle if low == high else f"{middle} [dim]({low}–{high})[/dim]"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
