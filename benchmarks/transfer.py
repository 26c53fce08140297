"""A video from an HTTP answer into S3: Stillmotion's way against the usual ones, over loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.clients import BUCKET, WARM_BYTES
from benchmarks.measure import ROOT, Column, Spread, Table, clean_environment, interleaved, metered, tool
from tests.support.wire import certificate

MIB = 2**20
LATE_SECONDS = 0.08
OURS, BASELINE = "Stillmotion VideoStore.store", "boto3 upload_fileobj"
IN_PYTHON = {OURS: "store", BASELINE: "upload_fileobj", "read all, then put_object": "read_all"}
COLUMNS = (
    Column("mb_per_second", "MB/s"),
    Column("cpu_seconds_per_gib", "CPU s per GiB", 2),
    Column("peak_mib", "peak MiB"),
    Column("above_mib", "above the imports, MiB"),
    Column("speed_ratio", "speed, × upload_fileobj", 2),
    Column("cpu_ratio", "CPU, × upload_fileobj", 2),
)
DROP_COLUMNS = (
    Column("drops", "connections dropped"),
    Column("bytes_ratio", "bytes sent, × the clip", 4),
    Column("mb_per_second", "MB/s"),
)


@dataclass(frozen=True, slots=True)
class Course:
    """One comparison: how much is transferred, within how many seconds, by whom, and what S3 is like."""

    mib: int
    seconds: float
    everybody: bool = True
    alone: bool = False
    answers_after: float = 0.0
    tls: bool = False

    @property
    def name(self) -> str:
        return f"transfer_{self.mib}" + ("_late" if self.answers_after else "") + ("_tls" if self.tls else "")

    @property
    def title(self) -> str:
        late = f", S3 answers {self.answers_after * 1e3:.0f} ms after a part" if self.answers_after else ""
        return f"Transfer of {self.mib:,} MiB{late}" + (", S3 over TLS" if self.tls else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """The courses, how often each is run at most, and the clip whose connection drops every 64 MB."""

    courses: tuple[Course, ...]
    rounds: int
    dropped_mib: int


FULL = Plan(
    (
        Course(64, 8),
        Course(256, 18),
        Course(1024, 35, everybody=False),
        Course(256, 10, everybody=False, answers_after=LATE_SECONDS),
        Course(1024, 25, everybody=False, tls=True),
        Course(8, 1, alone=True),
        Course(4096, 1, alone=True),
    ),
    rounds=5,
    dropped_mib=1024,
)
QUICK = Plan((Course(32, 1, everybody=False), Course(96, 1, everybody=False)), rounds=1, dropped_mib=96)
DROPS_AFTER = 64_000_000


def run(plan: Plan) -> list[Table]:
    """One table for each course, and one for a clip whose connections drop."""
    return [*(_run(course, plan.rounds) for course in plan.courses), _dropped(plan.dropped_mib)]


def _dropped(mib: int) -> Table:
    table = Table("dropped", f"{mib:,} MiB, a connection drops every 64 MB", DROP_COLUMNS)
    with peer("source", "--drops-after", str(DROPS_AFTER)) as source, peer("sink") as sink:
        environment = clean_environment(AWS_ENDPOINT_URL_S3=sink, POWERTOOLS_TRACE_DISABLED="true")
        command = [sys.executable, "-m", "benchmarks.clients", IN_PYTHON[OURS], f"{source}/{mib * MIB}", "dropped.mp4"]
        found = metered([command], environment)
        sent = int(urllib3.request("GET", f"{source}/sent", timeout=10, retries=False).data)
    table.rows[OURS] = {
        "drops": (mib * MIB - 1) // DROPS_AFTER,
        "bytes_ratio": (sent - WARM_BYTES) / (mib * MIB),
        "mb_per_second": mib * MIB / 1e6 / json.loads(_result(found))["seconds"],
    }
    return table


def _run(course: Course, rounds: int) -> Table:
    names = _names(course)
    with ExitStack() as stack:
        arguments = ["--after", str(course.answers_after)]
        more = {}
        if course.tls:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            certificate("localhost", folder)
            bundle, key = str(folder / "localhost.pem"), str(folder / "localhost.key")
            arguments += ["--tls", bundle, key]
            more = {"AWS_CA_BUNDLE": bundle}
        source = stack.enter_context(peer("source"))
        sink = stack.enter_context(peer("sink", *arguments))
        if course.tls:
            sink = sink.replace("127.0.0.1", "localhost")
        subjects = {name: _subject(name, source, sink, course.mib, **more) for name in names if _possible(name)}
        return _table(course, interleaved(subjects, rounds, course.seconds))


@contextmanager
def peer(*arguments: str) -> Iterator[str]:
    """The address of one end of a transfer, in a process of its own; ends with the block."""
    command = [sys.executable, "-m", "benchmarks.peers", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


def _names(course: Course) -> tuple[str, ...]:
    if course.alone:
        return (OURS,)
    return (*IN_PYTHON, "aws s3 cp -", "curl | curl") if course.everybody else (OURS, BASELINE)


def _possible(name: str) -> bool:
    needed = {"curl | curl": ("curl",), "aws s3 cp -": ("curl", "aws")}.get(name, ())
    return all(tool(one) for one in needed)


def _subject(name: str, source: str, sink: str, mib: int, **more: str) -> Callable[[int], dict[str, float]]:
    environment = clean_environment(AWS_ENDPOINT_URL_S3=sink, POWERTOOLS_TRACE_DISABLED="true", **more)
    address = f"{source}/{mib * MIB}"

    def transfer(number: int) -> dict[str, float]:
        found = metered(_commands(name, address, sink, f"{mib}-{number}.mp4"), environment)
        if name in IN_PYTHON:
            # What the process needed to start is another benchmark's subject.
            found |= json.loads(_result(found))
        return _figures(found, mib)

    return transfer


def _result(found: dict[str, Any]) -> str:
    """The last line that a client printed; log lines come before it."""
    return str(found["output"]).splitlines()[-1]


def _commands(name: str, address: str, sink: str, key: str) -> Sequence[Sequence[str]]:
    if name in IN_PYTHON:
        return [[sys.executable, "-m", "benchmarks.clients", IN_PYTHON[name], address, key]]
    curl, aws = str(tool("curl")), str(tool("aws"))
    fetch = [curl, "--silent", "--show-error", "--fail", address]
    if name == "curl | curl":
        return [fetch, [curl, "--silent", "--show-error", "--fail", "--upload-file", "-", f"{sink}/{BUCKET}/{key}"]]
    return [fetch, [aws, "s3", "cp", "-", f"s3://{BUCKET}/{key}", "--only-show-errors"]]


def _figures(found: dict[str, Any], mib: int) -> dict[str, float]:
    return {
        "mb_per_second": mib * MIB / 1e6 / found["seconds"],
        "cpu_seconds_per_gib": found["cpu_seconds"] * 1024 / mib,
        "peak_mib": found["peak_bytes"] / MIB,
        **({"above_mib": found["above_bytes"] / MIB} if "above_bytes" in found else {}),
    }


def _table(course: Course, found: dict[str, list[dict[str, float]]]) -> Table:
    note = "aws and curl: whole processes, start-up included" if "curl | curl" in found else ""
    table = Table(course.name, course.title, COLUMNS, note=note)
    for client, runs in found.items():
        row: dict[str, Spread | float] = {key: Spread.of(run[key] for run in runs) for key in runs[0]}
        for name, figure in (("speed_ratio", "mb_per_second"), ("cpu_ratio", "cpu_seconds_per_gib")):
            if BASELINE in found:
                pairs = zip(runs, found[BASELINE], strict=True)
                row[name] = Spread.of(one[figure] / other[figure] for one, other in pairs)
        table.rows[client] = row
    return table
