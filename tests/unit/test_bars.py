"""The bars of the benchmarks: one fails where a figure is over it, and is not measured where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bars
from benchmarks.measure import Spread, Table


def table(name: str, **rows: dict[str, Spread | float]) -> Table:
    return Table(name, name, (), {row.replace("_", " "): figures for row, figures in rows.items()})


def verdicts(*tables: Table) -> dict[str, str]:
    return {one.bar.name: one.verdict for one in bars.check(tables) if one.passed is not None}


def delivering(aws_calls: float) -> Table:
    return Table("functions", "", (), {"callback, DeliverFunction": {"aws_calls": aws_calls}})


@pytest.mark.parametrize(("calls", "verdict"), [(6.0, "pass"), (6.004, "pass"), (6.01, "FAIL")])
def test_a_bar_passes_up_to_its_figure(calls: float, verdict: str) -> None:
    assert verdicts(delivering(calls)) == {"AWS calls for a small clip's delivery": verdict}


def test_what_was_not_measured_neither_passes_nor_fails() -> None:
    assert verdicts() == {}
    assert {one.verdict for one in bars.check([])} == {"not measured"}
    assert len(bars.check([])) == len(bars.BARS) == len({bar.name for bar in bars.BARS})


@pytest.mark.parametrize(
    ("beyond", "verdict"), [(Spread(1.0, 0.1, 9.0, 30), "pass"), (Spread(1.01, 0.1, 1.2, 30), "FAIL")]
)
def test_of_a_spread_the_median_counts(beyond: Spread, verdict: str) -> None:
    found = table("ready", by_callback={"beyond_seconds": beyond, "jobs": 30.0})
    assert verdicts(found) == {"ready → object in S3, callbacks": verdict}


@pytest.mark.parametrize(("waited", "verdict"), [(0.2, "FAIL"), (5.0, "pass"), (9.0, "FAIL")])
def test_by_polls_a_clip_waits_half_an_interval(waited: float, verdict: str) -> None:
    found = table("ready", by_polls_alone={"beyond_seconds": waited, "interval_seconds": 10.0})
    assert verdicts(found) == {"ready → object in S3, polls alone": verdict}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "pass"),
        ({"delivered": 99.0, "persons": 1.0}, "FAIL"),
        ({"paid": 101.0}, "FAIL"),
        ({"paid_twice": 1.0}, "FAIL"),
    ],
)
def test_one_lost_or_double_payment_fails(change: dict[str, float], verdict: str) -> None:
    row: dict[str, Spread | float] = {
        "lost": 100.0,
        "paid": 100.0,
        "paid_twice": 0.0,
        "delivered": 100.0,
        "persons": 0.0,
    }
    assert (
        verdicts(table("recovery", with_callbacks=row | change))["accepted submits whose answers are lost"] == verdict
    )


@pytest.mark.parametrize("wrong", ["aws_calls", "records_changed", "executions"])
def test_one_effect_of_a_forged_callback_fails(wrong: str) -> None:
    row: dict[str, Spread | float] = {"played": 10_000.0, "aws_calls": 0.0, "records_changed": 0.0, "executions": 0.0}
    name = "forged, replayed, early, late callbacks"
    assert verdicts(table("callbacks", played=row)) == {name: "pass"}
    assert verdicts(table("callbacks", played=row | {wrong: 1.0})) == {name: "FAIL"}


def test_the_bars_are_written_between_their_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n\n{bars.BEGIN}| an old table |\n{bars.END}\n\nafter\n")
    monkeypatch.setattr(bars, "README", page)
    for _ in range(2):
        bars.write(bars.check([delivering(6.0)]), "one machine")
    text = page.read_text()
    assert "an old table" not in text
    assert "| AWS calls for a small clip's delivery: ≤ 6 | 6.00 | pass |" in text
    assert (
        text.count("one machine"),
        text.count(bars.BEGIN),
        text.startswith("before\n"),
        text.endswith("after\n"),
    ) == (
        1,
        1,
        True,
        True,
    )


def test_a_page_without_marks_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "README.md"
    page.write_text("nothing")
    monkeypatch.setattr(bars, "README", page)
    with pytest.raises(RuntimeError, match="no place for the bars"):
        bars.write(bars.check([]), "one machine")
    assert page.read_text() == "nothing"
