"""The bars that the measurements are held to, each with what was found: passed, failed, or not measured in this run.

A full run writes them into README.md, between two marks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measure import ROOT, Spread, Table

README = ROOT / "README.md"
BEGIN, END = "<!-- bars: make bench writes what follows -->\n", "<!-- end of bars -->"
OURS = "Stillmotion VideoStore.store"
STARTED = ("SubmitApi", "Poll", "Deliver", "Jobs")
CALLERS_OF_TLS = ("ModelGates submit", "guarded client", "botocore client")
FLOOR_OF_TLS = "handshake alone (ssl)"
NOISE_OF_CPU = 1.05
"""Two measurements of the same processor time differ by so much on a shared machine."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What must hold, and how it is read: a text for people, and whether it holds. KeyError: not measured."""

    name: str
    wanted: str
    read: Callable[[Results], tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Result:
    """A bar with what was found; ``passed`` is None where it was not measured."""

    bar: Bar
    found: str
    passed: bool | None

    @property
    def verdict(self) -> str:
        return {True: "pass", False: "FAIL", None: "not measured"}[self.passed]


class Results:
    """The figures of a run, by table, row and key; of a spread its median."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._rows: Mapping[str, Mapping[str, Mapping[str, Spread | float]]] = {one.name: one.rows for one in tables}

    def of(self, table: str, row: str, key: str) -> float:
        """One figure. Raises KeyError where it was not measured."""
        found = self._rows[table][row][key]
        return found.median if isinstance(found, Spread) else found

    def rows(self, table: str) -> list[str]:
        """The names of a table's rows, in their order."""
        return list(self._rows[table])


def check(tables: Sequence[Table]) -> list[Result]:
    """Every bar, held against what a run found."""
    found, results = Results(tables), []
    for bar in BARS:
        try:
            text, passed = bar.read(found)
        except KeyError:
            results.append(Result(bar, "", None))
        else:
            results.append(Result(bar, text, passed))
    return results


def write(results: Sequence[Result], about: str) -> None:
    """Put the bars into README.md, with a line about the machine."""
    lines = ["| bar | found | |", "|---|---|---|"]
    lines += [f"| {one.bar.name}: {one.bar.wanted} | {one.found} | {one.verdict} |" for one in results]
    page = README.read_text()
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise RuntimeError(f"{README.name} has no place for the bars: {BEGIN.strip()} … {END}")
    README.write_text(f"{before}{mark}{chr(10).join(lines)}\n\n{about}\n{end}{after}")


def _ready_by_callback(found: Results) -> tuple[str, bool]:
    beyond = found.of("ready", "by callback", "beyond_seconds")
    return f"{beyond:.2f} s, median of {found.of('ready', 'by callback', 'jobs'):.0f} jobs", beyond <= 1


def _ready_by_polls(found: Results) -> tuple[str, bool]:
    waited, interval = (found.of("ready", "by polls alone", key) for key in ("beyond_seconds", "interval_seconds"))
    return f"{waited:.1f} s of {interval:.0f} s", 0.35 * interval <= waited <= 0.65 * interval + 1


def _recovered(found: Results) -> tuple[str, bool]:
    lost, paid, delivered, persons = (
        found.of("recovery", "with callbacks", key) for key in ("lost", "paid", "delivered", "persons")
    )
    return (
        f"{delivered:.0f} delivered, {paid:.0f} paid, {persons:.0f} wait for a person",
        lost == paid == delivered and persons == 0 == found.of("recovery", "with callbacks", "paid_twice"),
    )


def _not_recovered(found: Results) -> tuple[str, bool]:
    lost, expected, twice = (found.of("recovery", "without", key) for key in ("lost", "as_expected", "paid_twice"))
    return f"{expected:.0f} of {lost:.0f} end as their crash point says, {twice:.0f} paid twice", (
        expected == lost and twice == 0
    )


def _hostile(found: Results) -> tuple[str, bool]:
    played, calls, changed, started = (
        found.of("callbacks", "played", key) for key in ("played", "aws_calls", "records_changed", "executions")
    )
    text = f"{played:,.0f} played: {changed:.0f} records changed, {calls:.0f} AWS calls by forged ones"
    return text, calls == changed == started == 0


def _starts(found: Results) -> tuple[str, bool]:
    ratios = {name: found.of("before", name, "ratio") for name in STARTED}
    floor = found.of("before", "floor", "now_ms")
    now = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    return f"{now}; floor {floor:.0f} ms", max(ratios.values()) <= 0.45


def _connections(found: Results) -> tuple[str, bool]:
    floor = found.of("connections", FLOOR_OF_TLS, "next_ms")
    beyond = {name: found.of("connections", name, "next_ms") - floor for name in CALLERS_OF_TLS}
    return ", ".join(f"{name} {ms:.1f} ms" for name, ms in beyond.items()), max(beyond.values()) <= 3


def _delivery(found: Results) -> tuple[str, bool]:
    # Over thousands of jobs it is a little more: the key is read again every few minutes, as a warm function does it.
    calls = round(found.of("functions", "callback, DeliverFunction", "aws_calls"), 2)
    return f"{calls:.2f}", calls <= 6


def _requests(found: Results) -> tuple[str, bool]:
    most = max(found.of("units", row, "dynamodb") for row in found.rows("units") if row.startswith("callback"))
    return f"{most:.2f}", most <= 14


def _memory(found: Results) -> tuple[str, bool]:
    small, large = (found.of(f"transfer_{mib}", OURS, "above_mib") for mib in (8, 4096))
    return f"{small:.0f} MiB of 8 MiB, {large:.0f} MiB of 4 GiB", max(small, large) <= 48


def _speed(found: Results) -> tuple[str, bool]:
    ratio = found.of("transfer_1024", OURS, "speed_ratio")
    return f"{ratio:.2f} ×", ratio >= 1.4


def _speed_over_tls(found: Results) -> tuple[str, bool]:
    speed, cpu = (found.of("transfer_1024_tls", OURS, key) for key in ("speed_ratio", "cpu_ratio"))
    return f"{speed:.2f} × at {cpu:.2f} × the CPU", speed >= 1 and cpu <= NOISE_OF_CPU


def _drops(found: Results) -> tuple[str, bool]:
    ratio, drops = (found.of("dropped", OURS, key) for key in ("bytes_ratio", "drops"))
    return f"{ratio:.4f} × with {drops:.0f} drops", ratio <= 1.05


def _scale(found: Results) -> tuple[str, bool]:
    rows = [row for row in found.rows("units") if row.startswith("callback")]
    keys = ("writes", "transitions", "log_bytes", "cpu_ms")
    ratios = {key: found.of("units", rows[-1], key) / found.of("units", rows[0], key) for key in keys}
    text = ", ".join(f"{key} {ratio:.2f}" for key, ratio in ratios.items())
    return f"{rows[-1].removeprefix('callback, ')}: {text}", max(ratios.values()) <= 1.2


def _front(found: Results) -> tuple[str, bool]:
    refused, dry, paid = (
        [found.of("front", row, key) for key in ("own_p50_ms", "own_p99_ms")]
        for row in found.rows("front")
        if not row.startswith(("Powertools", "the same"))
    )
    split = f"checking {refused[0]:.1f}, models and price {dry[0] - refused[0]:.1f}, the rest {paid[0] - dry[0]:.1f}"
    return f"p50 {paid[0]:.1f} ms, p99 {paid[1]:.1f} ms: {split}", paid[0] <= 50


BARS = (
    Bar("ready → object in S3, callbacks", "≤ 1 s beyond the transfer", _ready_by_callback),
    Bar("ready → object in S3, polls alone", "half an interval", _ready_by_polls),
    Bar("accepted submits whose answers are lost", "all delivered, paid once, no person", _recovered),
    Bar("the same without callbacks", "as the crash point says, paid once", _not_recovered),
    Bar("forged, replayed, early, late callbacks", "no record changed, no AWS call by a forged one", _hostile),
    Bar("start against 88ab655", "≤ 0.45 × of the CPU", _starts),
    Bar("a further TLS connection", "≤ 3 ms of CPU beyond the handshake", _connections),
    Bar("AWS calls for a small clip's delivery", "≤ 6", _delivery),
    Bar("DynamoDB requests a job, callback, both limits, one wake", "≤ 14", _requests),
    Bar("peak memory above the imports", "≤ 48 MiB whatever the size", _memory),
    Bar("1 GiB over plain HTTP", "≥ 1.4 × upload_fileobj", _speed),
    Bar("1 GiB over TLS", "≥ 1.0 × upload_fileobj at no more CPU", _speed_over_tls),
    Bar("a drop every 64 MB", "≤ 1.05 × the bytes", _drops),
    Bar("cost a job, most jobs against fewest", "≤ 1.2 ×", _scale),
    Bar("`POST /videos`, own CPU", "p50 ≤ 50 ms", _front),
)
