"""What a further connection of a warm function costs: TLS set-up and handshake, beside the same without sharing."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import ROOT, Column, Spread, Table, clean_environment, interleaved, metered
from benchmarks.transfer import peer
from tests.support.wire import certificate

COLUMNS = (
    Column("first_ms", "first connection, CPU ms", 1),
    Column("next_ms", "each further one, CPU ms", 1),
)
CONNECTIONS = 20
SUBJECTS = {
    "submit": "ModelGates submit",
    "submit_alone": "ModelGates submit, context of its own",
    "guarded": "guarded client",
    "guarded_alone": "guarded client, context of its own",
    "aws": "botocore client",
    "aws_alone": "botocore client, as it comes",
    "floor": "handshake alone (ssl)",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How often at most, within how many seconds."""

    rounds: int
    budget_seconds: float


FULL, QUICK = Plan(5, 30), Plan(1, 5)


def run(plan: Plan) -> list[Table]:
    """One table; every subject opens its connections in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        certificate("localhost", Path(folder))
        own, key = Path(folder) / "localhost.pem", Path(folder) / "localhost.key"
        roots = Path(folder) / "roots.pem"
        roots.write_text(_roots() + own.read_text())
        with peer("sink", "--tls", str(own), str(key)) as sink:
            address = sink.replace("127.0.0.1", "localhost")
            # As many roots as botocore brings, so that reading them costs what it costs on AWS.
            environment = clean_environment(
                SSL_CERT_FILE=str(roots),
                AWS_CA_BUNDLE=str(roots),
                AWS_ENDPOINT_URL_S3=address,
                PYTHONPATH=os.pathsep.join((str(ROOT / "shared"), str(ROOT))),
            )
            subjects: dict[str, Callable[[int], dict[str, float]]] = {
                name: partial(_connect, name, address, environment) for name in SUBJECTS
            }
            found = interleaved(subjects, plan.rounds, plan.budget_seconds)
    note = f"the median of {CONNECTIONS} further connections; peers on loopback, the handshake's own cost included"
    table = Table("connections", "A TLS connection of a warm function", COLUMNS, note=note)
    for name, runs in found.items():
        table.rows[SUBJECTS[name]] = {key: Spread.of(one[key] for one in runs) for key in ("first_ms", "next_ms")}
    return [table]


def _roots() -> str:
    import botocore

    return (Path(botocore.__file__).parent / "cacert.pem").read_text()


def _connect(name: str, address: str, environment: dict[str, str], number: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.connecting", name, address, str(CONNECTIONS)]
    found: dict[str, float] = json.loads(metered([command], environment)["output"])
    return found
