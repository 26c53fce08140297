"""Fair numbers on a machine that is shared: subjects take turns, medians are compared, and the spread is told."""

from __future__ import annotations

import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
METER = Path(__file__).with_name("meter.py")
RUN_SECONDS = 200


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some measurements, with the smallest and the largest."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1], len(found))


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of every row: its key, its heading with the unit, and how many decimals matter."""

    key: str
    heading: str
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """What one benchmark found: rows by name, each with its figures by key."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: dict[str, dict[str, Spread | float]] = field(default_factory=dict)
    note: str = ""


def interleaved[T](
    subjects: Mapping[str, Callable[[int], T]], rounds: int, budget_seconds: float
) -> dict[str, list[T]]:
    """Every subject once a round, forwards and backwards in turn; no further round that would exceed the budget."""
    found: dict[str, list[T]] = {name: [] for name in subjects}
    started, longest = time.monotonic(), 0.0
    for number in range(rounds):
        begun = time.monotonic()
        if number and begun - started + longest > budget_seconds:
            break
        names = list(subjects) if number % 2 == 0 else list(subjects)[::-1]
        for name in names:
            found[name].append(subjects[name](number))
        longest = max(longest, time.monotonic() - begun)
    return found


def clean_environment(**more: str) -> dict[str, str]:
    """What processes under measurement see: neither this machine's AWS settings nor Python's of the caller."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POWERTOOLS_", "PYTHON"))}
    account = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BOTO_DISABLE_CRT": "true",
    }
    return kept | account | more


def metered(commands: Sequence[Sequence[str]], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run commands as a pipeline: ``seconds``, ``cpu_seconds``, ``peak_bytes`` and the last one's ``output``.

    Raises:
        RuntimeError: one of them failed.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(METER), json.dumps(commands)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{commands[-1]} failed: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def silence() -> Iterator[None]:
    """Handlers log and count as ever, to nobody."""
    import stillmotion.telemetry  # noqa: F401 - its log handler has to be there before it is silenced

    logging.getLogger("moto").setLevel(logging.CRITICAL)
    handlers = [one for one in logging.getLogger("stillmotion").handlers if isinstance(one, logging.StreamHandler)]
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        streams = [handler.setStream(nowhere) for handler in handlers]
        try:
            yield
        finally:
            for handler, stream in zip(handlers, streams, strict=True):
                handler.setStream(stream or sys.stdout)


def tool(name: str) -> str | None:
    """Where a command is: beside this Python, or on the path."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
