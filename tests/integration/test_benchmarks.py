"""``make bench`` works: its quick form, on this machine. What it measures is not held against any time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.template import ROOT

# One run for all tests: they stay on one worker.
pytestmark = pytest.mark.xdist_group("benchmarks")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_benchmark_has_its_baselines(found: dict[str, Any]) -> None:
    rows = {name: set(table["rows"]) for name, table in found["benchmarks"].items()}
    transfers = {"Stillmotion VideoStore.store", "boto3 upload_fileobj"}
    assert rows["transfer_32"] == rows["transfer_96"] == transfers
    assert {"bare Python", "boto3 and one client", "Powertools resolver", "Poll"} <= rows["startup"]
    assert {"ModelGates submit", "botocore client", "handshake alone (ssl)"} <= rows["connections"]
    assert rows["workflow"] == {"5 polls each, empty tasks", "1 poll each", "5 polls each"}
    assert {"Powertools handler that does nothing", "submitted: record, paid call, event, execution"} <= rows["front"]
    assert set(rows["units"]) == {"callback, 2 jobs", "callback, 4 jobs", "polling, 2 jobs"}
    assert {"Poll", "floor"} == rows["before"] or "not measured" in found["benchmarks"]["before"]["note"]
    assert rows["ready"] == {"by callback", "by polls alone"}
    assert rows["recovery"] == {"with callbacks", "without"}
    assert {"processor", "cores", "python", "load_average"} <= set(found["machine"])


def test_memory_does_not_grow_with_the_size_of_the_video(found: dict[str, Any]) -> None:
    small, large = (
        found["benchmarks"][f"transfer_{mib}"]["rows"]["Stillmotion VideoStore.store"]["peak_mib"]["median"]
        for mib in (32, 96)
    )
    assert large < small + 32, "64 MiB more of video may not be held"


def test_inspecting_a_gibibyte_takes_no_more_memory_than_a_common_clip(found: dict[str, Any]) -> None:
    rows = found["benchmarks"]["inspection"]["rows"]
    common, large = (row["peak_mib"]["median"] for name, row in rows.items() if name.startswith("Stillmotion"))
    assert large < common + 32


def test_the_state_does_not_grow_with_the_polls(found: dict[str, Any]) -> None:
    one, five = (found["benchmarks"]["workflow"]["rows"][name] for name in ("1 poll each", "5 polls each"))
    assert five["state_bytes"] <= one["state_bytes"] + 10
    assert five["history_events"] > one["history_events"]


def test_hostile_callbacks_change_nothing(found: dict[str, Any]) -> None:
    played = found["benchmarks"]["callbacks"]["rows"]["played"]
    assert (played["aws_calls"], played["records_changed"], played["executions"]) == (0, 0, 0)


def test_a_job_uses_the_same_units_among_few_and_many(found: dict[str, Any]) -> None:
    units = found["benchmarks"]["units"]["rows"]
    few, more = ({**units[name], "cpu_ms": 0, "log_bytes": 0} for name in ("callback, 2 jobs", "callback, 4 jobs"))
    assert few == more
    assert few["dynamodb"] <= 14


def test_a_further_connection_reads_no_certificates(found: dict[str, Any]) -> None:
    rows = found["benchmarks"]["connections"]["rows"]
    for ours, alone in (
        ("ModelGates submit", "ModelGates submit, context of its own"),
        ("guarded client", "guarded client, context of its own"),
        ("botocore client", "botocore client, as it comes"),
    ):
        assert rows[ours]["next_ms"]["median"] < rows[alone]["next_ms"]["median"] / 2, ours


COUNTED = (
    "accepted submits whose answers are lost",
    "the same without callbacks",
    "forged, replayed, early, late callbacks",
    "AWS calls for a small clip's delivery",
    "DynamoDB requests a job, callback, both limits, one wake",
    "a drop every 64 MB",
)
"""Bars that no other load on the machine can move."""


@pytest.mark.parametrize("name", COUNTED)
def test_a_bar_that_is_counted_holds(found: dict[str, Any], name: str) -> None:
    (bar,) = (one for one in found["bars"] if one["bar"] == name)
    assert bar["passed"] is True, bar


def test_a_clip_comes_sooner_by_callback_than_by_polls(found: dict[str, Any]) -> None:
    rows = found["benchmarks"]["ready"]["rows"]
    callback, polls = (rows[name]["wait_seconds"]["median"] for name in ("by callback", "by polls alone"))
    assert callback < polls
