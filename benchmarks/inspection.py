"""What inspecting a clip takes: seconds, processor and memory, beside PyAV decoding the same clip and nothing else."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import ROOT, Column, Spread, Table, clean_environment, interleaved, metered
from tests.support.clips import clip, picture

COLUMNS = (
    Column("seconds", "seconds", 2),
    Column("cpu_seconds", "CPU seconds", 2),
    Column("peak_mib", "peak MiB"),
)
GIB = 2**30
SIZE = 1280, 720


@dataclass(frozen=True, slots=True)
class Plan:
    """A clip of how many seconds, how often at most, within how many seconds."""

    clip_seconds: int
    rounds: int
    budget_seconds: float


FULL, QUICK = Plan(4, 5, 40), Plan(1, 1, 5)


def run(plan: Plan) -> list[Table]:
    """One table; every subject in a process of its own, the interpreter and the imports included."""
    with tempfile.TemporaryDirectory() as folder:
        still, short = Path(folder) / "still.png", Path(folder) / "clip.mp4"
        still.write_bytes(picture(width=SIZE[0], height=SIZE[1]))
        short.write_bytes(clip(still.read_bytes(), width=SIZE[0], height=SIZE[1], seconds=plan.clip_seconds))
        subjects: dict[str, Callable[[int], dict[str, float]]] = {
            "Stillmotion's inspection": partial(_run, "inspect", short, still, 0),
            "Stillmotion's inspection, stretched to 1 GiB": partial(_run, "inspect", short, still, GIB),
            "PyAV decodes every frame": partial(_run, "decode", short, still, 0),
            "imports alone (PyAV, Pillow)": partial(_run, "import", short, still, 0),
        }
        found = interleaved(subjects, plan.rounds, plan.budget_seconds)
    note = "facts, likeness of both ends, poster, last frame and animated preview; a clip of 1 GiB is read at its ends"
    title = f"A clip of {plan.clip_seconds} s, {SIZE[0]}x{SIZE[1]}, inspected"
    table = Table("inspection", title, COLUMNS, note=note)
    for name, runs in found.items():
        table.rows[name] = {column.key: Spread.of(one[column.key] for one in runs) for column in COLUMNS}
    return [table]


def _run(what: str, clip_path: Path, picture_path: Path, gap: int, number: int) -> dict[str, float]:
    environment = clean_environment(PYTHONPATH=os.pathsep.join((str(ROOT / "shared"), str(ROOT))))
    command = [sys.executable, "-m", "benchmarks.watching", what, str(clip_path), str(picture_path), str(gap)]
    found = metered([command], environment)
    return {
        "seconds": found["seconds"],
        "cpu_seconds": found["cpu_seconds"],
        "peak_mib": found["peak_bytes"] / 2**20,
    }
