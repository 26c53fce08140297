"""The lock of the development environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.lock import INPUTS, LOCK, ROOT, fingerprint, is_current


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    for name in (*INPUTS, LOCK):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def test_the_lock_is_resolved_from_its_inputs() -> None:
    assert is_current(ROOT)


@pytest.mark.parametrize("name", INPUTS)
def test_a_changed_input_makes_the_lock_stale(project: Path, name: str) -> None:
    assert is_current(project)
    with (project / name).open("a") as file:
        file.write("one-more-package\n")
    assert not is_current(project)


def test_a_lock_without_a_fingerprint_is_stale(project: Path) -> None:
    lock = project / LOCK
    lock.write_text(lock.read_text().replace(fingerprint(project), "0" * 64))
    assert not is_current(project)


def test_every_input_has_a_pin() -> None:
    pinned = {line.split("==")[0] for line in (ROOT / LOCK).read_text().splitlines() if "==" in line}
    named = [re.split(r"[\[=<>]", line)[0].lower() for line in (ROOT / INPUTS[0]).read_text().splitlines()]
    wanted = {name for name in named if name and not name.startswith(("#", "-"))}
    assert wanted <= pinned
    assert len(wanted) == len([name for name in named if name in wanted])  # each is named once
