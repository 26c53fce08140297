"""Checkov is pinned, runs without a network, and leaves out no check without a reason."""

from __future__ import annotations

import re

from tests.support.template import ROOT

CONFIG = (ROOT / ".checkov.yaml").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_check_that_is_left_out_has_its_reason() -> None:
    lines = CONFIG.partition("skip-check:\n")[2].splitlines()
    left_out = [number for number, line in enumerate(lines) if line.startswith("  - ")]
    assert left_out
    assert all(re.fullmatch(r"  - CKV2?_AWS_\d+", lines[number]) for number in left_out)
    assert all(number and lines[number - 1].startswith("  # ") for number in left_out)


def test_lint_runs_the_pinned_one_without_a_network() -> None:
    assert "skip-download: true" in CONFIG
    assert "--config-file .checkov.yaml" in MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    pins = [line for line in (ROOT / "requirements-checkov.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==\S+", pin) for pin in pins)
    assert [pin for pin in pins if pin.startswith("checkov==")]
