"""The start of the functions that matter, from the artefact as it is built today and from that of an older commit.

The older one is taken out of the repository's history, with the libraries that it pinned, and without bytecode: that is
how it was shipped. Both run in turns, X-Ray on and clients made, on an interpreter without packages of its own.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import ROOT, RUN_SECONDS, Column, Spread, Table, clean_environment, interleaved, metered
from benchmarks.startup import RUNTIME, top_levels
from local.build import build
from tests.support.template import deployed_environment

COMMIT = "88ab655"
FUNCTIONS = {"SubmitApi": "submit", "Poll": "poll", "Deliver": "deliver", "Jobs": "jobs"}
"""By name, the folder of the function, then and now."""
FLOOR = "import boto3, urllib3; from aws_lambda_powertools import Logger; boto3.client('dynamodb'); Logger(service='x')"
COLUMNS = (
    Column("before_ms", f"{COMMIT}, CPU ms"),
    Column("now_ms", "now, CPU ms"),
    Column("ratio", "now / before", 2),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which functions, how often at most, within how many seconds."""

    functions: tuple[str, ...]
    rounds: int
    budget_seconds: float


FULL = Plan(tuple(FUNCTIONS), 5, 45)
QUICK = Plan(("Poll",), 1, 5)


class NoHistory(Exception):
    """The repository does not hold the older commit: a shallow clone, or a copy without its history."""


def run(plan: Plan) -> list[Table]:
    """One table; empty, with the reason as its note, where the history or its libraries cannot be had."""
    note = "X-Ray on, clients made; the floor is the SDK with one client, urllib3 and Powertools' Logger alone"
    table = Table("before", f"Start from the built artefact, beside {COMMIT}", COLUMNS, note=note)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        try:
            old = _older(folder / "old")
        except NoHistory as missing:
            return [Table(table.name, table.title, COLUMNS, note=f"not measured: {missing}")]
        new, runtime = build().parent, _runtime(folder / "runtime")
        layers = [new / "DomainLayer" / "python", new / "TracingLayer" / "python"]
        subjects: dict[str, Callable[[int], float]] = {"floor": partial(_start, FLOOR, [layers[0], runtime], "Poll")}
        for name in plan.functions:
            then = [old / "functions" / FUNCTIONS[name], old / "layer", runtime]
            subjects[f"{name}/before"] = partial(_start, "import app", then, name)
            subjects[f"{name}/now"] = partial(_start, "import app", [new / f"{name}Function", *layers, runtime], name)
        found = interleaved(subjects, plan.rounds, plan.budget_seconds)
    for name in plan.functions:
        before, now = found[f"{name}/before"], found[f"{name}/now"]
        ratios = Spread.of(one / other for one, other in zip(now, before, strict=True))
        table.rows[name] = {"before_ms": Spread.of(before), "now_ms": Spread.of(now), "ratio": ratios}
    table.rows["floor"] = {"now_ms": Spread.of(found["floor"])}
    return [table]


def _start(code: str, path: list[Path], function: str, _number: int) -> float:
    """Processor milliseconds from an empty interpreter to a function that is ready for its first call."""
    settings = deployed_environment(f"{function}Function") | {
        "POWERTOOLS_TRACE_DISABLED": "false",
        "LAMBDA_TASK_ROOT": "/var/task",
        "DAILY_SPEND_LIMIT_USD": "0",
    }
    environment = clean_environment(PYTHONPATH=os.pathsep.join(map(str, path)), **settings)
    interpreter = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = metered([[str(interpreter), "-S", "-s", "-B", "-c", code]], environment)
    return float(found["cpu_seconds"]) * 1e3


def _older(target: Path) -> Path:
    """The older commit's functions, and its layers with their libraries: those of its pins, no bytecode."""
    command = ["git", "-C", str(ROOT), "archive", COMMIT, "functions", "shared", "layers"]
    archive = subprocess.run(command, capture_output=True, timeout=RUN_SECONDS)
    if archive.returncode:
        raise NoHistory(f"this clone does not hold {COMMIT}")
    target.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as opened:
        opened.extractall(target, filter="data")
    layer = target / "layer"
    pins = [target / "shared" / "requirements.txt", *sorted(target.glob("layers/*/requirements.txt"))]
    wanted = [part for pin in pins for part in ("-r", str(pin))]
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", str(layer)]
    done = subprocess.run([*install, *wanted], capture_output=True, text=True, timeout=RUN_SECONDS)
    if done.returncode:
        raise NoHistory(f"the libraries of {COMMIT} cannot be installed: {done.stderr.strip()[-300:]}")
    shutil.copytree(target / "shared" / "stillmotion", layer / "stillmotion")
    return target


def _runtime(target: Path) -> Path:
    """What Lambda's own interpreter brings along."""
    target.mkdir()
    for distribution in (*RUNTIME, "jmespath", "urllib3"):
        for source in top_levels(distribution):
            if not (target / source.name).exists():
                (target / source.name).symlink_to(source)
    return target
