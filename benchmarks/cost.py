"""docs/cost.md: dollars from counted units (counted.json) and prices entered by hand (prices.toml).

``make bench`` counts the units, keeps them in the file and writes the page. Nothing here measures.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Table
from benchmarks.units import as_json

PRICES, COUNTED = (Path(__file__).with_name(name) for name in ("prices.toml", "counted.json"))
PAGE, FRAME = ROOT / "docs" / "cost.md", Path(__file__).with_name("cost.md.in")
VCPU_MB = 1769
"""Memory at which a function has one processor (*Configure Lambda function memory*)."""
MEMORY = {"SubmitTaskFunction": 512, "CallbackFunction": 256, "PollFunction": 256, "DeliverFunction": 1024}
"""As template.yaml has them; a test holds the two together."""
TRIED = (128, 256, 512, 1024, VCPU_MB)


@dataclass(frozen=True, slots=True)
class Call:
    """A function that a job calls so many times, with its own CPU and its calls to AWS of one time."""

    function: str
    times: float
    cpu_seconds: float
    aws_calls: float


@dataclass(frozen=True, slots=True)
class Model:
    """Prices by key in USD, assumptions by name, and the counted units by table and row."""

    usd: Mapping[str, float]
    assumed: Mapping[str, float]
    counted: Mapping[str, Mapping[str, Mapping[str, float]]]
    prices: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls) -> Model:
        given = tomllib.loads(PRICES.read_text())
        usd = {price["key"]: price["usd"] for price in given["price"]}
        return cls(usd, given["assumed"], json.loads(COUNTED.read_text()), given["price"])

    def units(self, how: str) -> Mapping[str, float]:
        """Units of one job, by ``callback`` or ``polling``, as counted with the most jobs."""
        rows = [row for name, row in self.counted["units"].items() if name.startswith(how)]
        return rows[-1]

    def calls(self, how: str) -> Iterator[Call]:
        """The functions that a job calls."""
        for name, row in self.counted["functions"].items():
            if name.startswith(how):
                yield Call(name.partition(", ")[2], row["calls"], row["cpu_ms"] / 1e3, row["aws_calls"])

    def seconds(self, call: Call, memory: int) -> float:
        """How long a call takes: its CPU at the share that the memory gives it, and what it waits for others."""
        given = self.assumed
        waits = {
            "SubmitTaskFunction": given["provider_submit_seconds"] + given["provider_call_seconds"],
            "PollFunction": given["provider_call_seconds"],
            "DeliverFunction": given["provider_call_seconds"] + given["clip_transfer_seconds"],
        }
        waiting = waits.get(call.function, 0.0) + call.aws_calls * given["aws_call_seconds"]
        return call.cpu_seconds * max(1.0, VCPU_MB / memory) + waiting

    def call_usd(self, call: Call, memory: int) -> float:
        """Dollars of one call."""
        gb_seconds = memory / 1024 * self.seconds(call, memory)
        return gb_seconds * self.usd["lambda_gb_second"] + self.usd["lambda_request"]

    def job(self, how: str) -> dict[str, float]:
        """Dollars of one job at AWS, by part."""
        units, usd = self.units(how), self.usd
        logs = units["log_bytes"] + units["invocations"] * self.assumed["platform_log_bytes"]
        return {
            "Step Functions": units["transitions"] * usd["state_transition"],
            "Lambda": sum(call.times * self.call_usd(call, MEMORY[call.function]) for call in self.calls(how)),
            "DynamoDB": units["writes"] * usd["dynamodb_write_unit"] + units["reads"] * usd["dynamodb_read_unit"],
            "S3": units["s3_puts"] * usd["s3_put"],
            "EventBridge": units["events"] * usd["event"],
            "Logs": logs / 1e9 * usd["log_gb"],
        }

    def idle_month(self) -> dict[str, float]:
        """Dollars of a month in which nothing is asked for."""
        given, usd = self.assumed, self.usd
        sweeps = given["idle_sweeps_a_day"] * 30.4
        sweep = 0.256 * 0.5 * usd["lambda_gb_second"] + usd["lambda_request"] + 100 * usd["dynamodb_read_unit"]
        return {
            "alarms": given["idle_alarms"] * usd["alarm_month"],
            "secrets": given["idle_secrets"] * usd["secret_month"],
            "the sweep": sweeps * sweep,
        }


@dataclass(frozen=True, slots=True)
class Way:
    """A way to make clips: dollars for one (without ModelGates' price), for an idle month, and what it means."""

    name: str
    clip: float
    idle: float
    means: str


def ways(model: Model) -> list[Way]:
    """Ours, and what else one might build. The others are reckoned without their own records, alarms and retries."""
    given, usd = model.assumed, model.usd
    idle = sum(model.idle_month().values())
    busy = given["generation_seconds"] + given["provider_submit_seconds"] + given["clip_transfer_seconds"]
    sleeping = 0.25 * busy * usd["lambda_gb_second"] + usd["lambda_request"]
    seconds = max(60.0, busy + given["container_start_seconds"])
    task = seconds / 3600 * (0.25 * usd["fargate_vcpu_hour"] + 0.5 * usd["fargate_gb_hour"] + usd["ipv4_hour"])
    hours = given["hours_a_month"]
    instance = hours * (usd["instance_hour"] + usd["ipv4_hour"]) + given["instance_disk_gb"] * usd["disk_gb_month"]
    polls = -(-given["generation_seconds"] // given["poll_interval_seconds"])
    operations = 2 + 2 * polls + 1  # start, submit, a wait and a poll each, deliver
    lambdas = model.job("polling")["Lambda"]
    durable = operations * usd["durable_operation"] + lambdas
    put = usd["s3_put"]
    return [
        Way("Stillmotion, by callback", sum(model.job("callback").values()), idle, "clip in S3 about a second later"),
        Way("Stillmotion, by polling", sum(model.job("polling").values()), idle, "half an interval later"),
        Way("a Lambda that sleeps and polls", sleeping + put, 0.0, "ends after 15 minutes; a crash loses the paid job"),
        Way("a Fargate task a job", task + put, 0.0, "starts in 20 to 60 s; a crash loses the paid job"),
        Way("an always-on t4g.small", put, instance, "one machine to patch and to watch"),
        Way("Lambda durable functions", durable + put, 0.0, f"{operations:.0f} operations; records, alarms extra"),
    ]


def render(model: Model) -> str:
    """The page."""
    parts = {
        "clip": _clip(model),
        "idle": _idle(model),
        "ways": _ways(model),
        "memory": _memory(model),
        "units": _units(model),
        "prices": _prices(model),
    }
    page = FRAME.read_text()
    for key, usd in model.usd.items():
        page = page.replace(f"{{{key}}}", _plain(usd))
    for name, text in parts.items():
        page = page.replace(f"<!-- {name} -->", text)
    return page


def write(tables: Sequence[Table]) -> None:
    """Keep what was counted, and write the page."""
    COUNTED.write_text(as_json(list(tables)))
    PAGE.write_text(render(Model.read()))


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _dollars(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.2f}" if value >= 1 else f"{value:.6f}" if value < 0.01 else f"{value:.4f}"


def _plain(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".")


def _clip(model: Model) -> str:
    jobs = [model.job(how) for how in ("callback", "polling")]
    rows = [[part, *(_dollars(job[part]) for job in jobs)] for part in jobs[0]]
    rows.append(["**AWS together**", *(f"**{_dollars(sum(job.values()))}**" for job in jobs)])
    rows.append([f"ModelGates: {model.prices[-1]['unit']}", *[_dollars(model.usd["clip"])] * 2])
    return _table(["part", "by callback, USD", "by polling, USD"], rows)


def _idle(model: Model) -> str:
    parts = model.idle_month()
    rows = [[name, _dollars(value)] for name, value in parts.items()]
    return _table(["part", "USD a month"], [*rows, ["**together**", f"**{_dollars(sum(parts.values()))}**"]])


def _ways(model: Model) -> str:
    rows = [
        [way.name, _dollars(way.clip), _dollars(1000 * way.clip), _dollars(way.idle), way.means] for way in ways(model)
    ]
    return _table(["way", "one clip", "1,000 clips", "idle month", ""], rows)


def _memory(model: Model) -> str:
    def rows() -> Iterator[list[str]]:
        for call in model.calls("callback"):
            for memory in TRIED:
                milliseconds = model.seconds(call, memory) * 1e3
                million = model.call_usd(call, memory) * 1e6
                chosen = "chosen" if memory == MEMORY[call.function] else ""
                yield [call.function, f"{memory:,}", f"{milliseconds:,.0f}", f"{million:,.2f}", chosen]

    return _table(["function", "MB", "ms of a warm call", "USD a million", ""], rows())


def _units(model: Model) -> str:
    rows = model.counted["units"]
    heads = {
        "transitions": "state transitions",
        "invocations": "Lambda calls",
        "dynamodb": "DynamoDB requests",
        "writes": "write units",
        "reads": "read units",
        "s3_puts": "S3 PUT",
        "events": "events",
        "log_bytes": "log bytes",
        "cpu_ms": "own CPU, ms",
    }
    table = [[name, *(f"{row[key]:,.{1 if key == 'cpu_ms' else 0}f}" for key in heads)] for name, row in rows.items()]
    return _table(["jobs", *heads.values()], table)


def _prices(model: Model) -> str:
    rows = [[price["unit"], _plain(price["usd"]), price["date"], _source(price["source"])] for price in model.prices]
    return _table(["unit", "USD", "as of", "source"], rows)


def _source(source: str) -> str:
    return f"<{source}>" if source.startswith("https:") else source
