"""What README.md lists is what there is."""

from __future__ import annotations

import re

from stillmotion.errors import ERRORS
from tests.support.template import ROOT

PAGE = (ROOT / "README.md").read_text()
NOT_OURS = {"out"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    below = PAGE.partition(f"\n## {heading}\n")[2]
    table = re.search(r"^\|.*?(?=\n\n|\Z)", below, re.DOTALL | re.MULTILINE)
    assert table is not None, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[0].strip().splitlines()[2:]]


def test_the_table_of_errors_names_each_of_them_once() -> None:
    named = [
        code for row in rows("What can go wrong, and the names of errors") for code in re.findall(r"`(\w+)`", row[0])
    ]
    assert sorted(named) == sorted(code for code, kind in ERRORS.items() if not kind.__subclasses__())


def test_the_table_of_folders_names_each_of_them_once() -> None:
    named = [name for row in rows("Where things are") for name in re.findall(r"`([\w.]+)/[\w/]*`", row[0])]
    hidden = re.compile(r"[._]")
    folders = [path.name for path in ROOT.iterdir() if path.is_dir() and not hidden.match(path.name)]
    assert sorted(named) == sorted(set(folders) - NOT_OURS)
