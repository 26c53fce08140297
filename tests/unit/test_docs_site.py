"""The documentation site: every page is in its navigation, every link and anchor leads somewhere, and reference pages
are as the code is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import reference
from scripts.reference_errors import ADVICE
from stillmotion.errors import ERRORS
from tests.support.template import ROOT

DOCS = ROOT / "docs"
NAV = re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / "examples").glob("*/README.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s#]*)(#[^)\s]*)?\)")


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as the site makes them; generated pages may repeat a heading."""
    found: set[str] = set()
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
        found.add(re.sub(r"[-\s]+", "-", plain))
    return found


def test_every_page_is_in_the_navigation_once() -> None:
    listed = [name for name in NAV if not name.startswith("project/") and "*" not in name]
    decisions = [path.relative_to(DOCS).as_posix() for path in DOCS.glob("decisions/*.md")]
    assert sorted(listed + decisions) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    assert all((ROOT / name.removeprefix("project/")).is_file() for name in NAV if name.startswith("project/"))
    assert {f"project/examples/{path.parent.name}/README.md" for path in ROOT.glob("examples/*/README.md")} <= set(NAV)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor[1:] in anchors(path), target + anchor


@pytest.mark.parametrize("path", sorted(reference.pages()), ids=lambda path: path.stem)
def test_a_reference_page_is_as_the_code_is(path: Path) -> None:
    assert path.read_text() == reference.pages()[path]


def test_every_error_says_what_to_do() -> None:
    assert set(ADVICE) == {code for code, kind in ERRORS.items() if not kind.__subclasses__()}


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("what one clip costs", "cost.md"),
        ("embed it", "embedding.md"),
        ("submit_unknown", "troubleshooting.md"),
        ("delete everything", "teardown.md"),
    ],
)
def test_the_first_page_leads_at_once_to_what_readers_look_for(wanted: str, target: str) -> None:
    [row] = [line for line in (DOCS / "index.md").read_text().splitlines() if wanted in line.lower()]
    assert f"]({target}" in row


def test_twenty_questions_are_numbered_and_answered() -> None:
    text = (DOCS / "troubleshooting.md").read_text()
    sections = re.findall(r"^### (\d+)\. [^\n]*\n\n(.+?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    assert [int(number) for number, _ in sections] == list(range(1, 21))
    assert all(len(answer) > 60 for _, answer in sections)
