"""Hooks of the documentation site: what pages link to outside of docs/ becomes part of the site.

The pages are read in the repository too, so they link to ../README.md or ../template.yaml, and show pictures, as files
lie there. On the site such a file is below project/: Markdown as a page, anything else as a file. Links to folders lose
their address.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PROJECT = "project/"
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>(?!https?:|mailto:|#)[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md")


def on_config(config: Any) -> Any:
    """Put the pages of a folder where the navigation says ``folder/*.md``."""
    config["nav"] = [_expanded(entry, Path(config["docs_dir"])) for entry in config["nav"]]
    return config


def _expanded(entry: Any, docs: Path) -> Any:
    if isinstance(entry, dict):
        return {title: _expanded(inner, docs) for title, inner in entry.items()}
    if isinstance(entry, list):
        return [_expanded(inner, docs) for inner in entry]
    if "*" not in entry:
        return entry
    found = sorted(path.relative_to(docs).as_posix() for path in docs.glob(entry))
    return sorted(found, key=lambda name: not name.endswith("README.md"))


def on_files(files: Files, config: Any) -> Files:
    """Add what the pages link to, and what those link to in turn."""
    docs = Path(config["docs_dir"]).name
    waiting = [f"{docs}/{file.src_uri}" for file in files if file.src_uri.endswith(".md")]
    waiting += [*PAGES, *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("examples/*/README.md"))]
    known = set(waiting)
    while waiting:
        page = waiting.pop()
        if not page.startswith(f"{docs}/"):
            files.append(File.generated(config, PROJECT + page, abs_src_path=str(ROOT / page)))
        if page.endswith(".md"):
            found = {repository_path(page, link["target"]) for link in LINK.finditer((ROOT / page).read_text())}
            new = {path for path in found if not path.startswith(f"{docs}/") and (ROOT / path).is_file()} - known
            known |= new
            waiting += sorted(new)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """The page with its links as the site has them."""
    docs = Path(config["docs_dir"]).name
    source = page.file.src_uri
    here = source.removeprefix(PROJECT) if source.startswith(PROJECT) else f"{docs}/{source}"

    def replace(link: re.Match[str]) -> str:
        path = repository_path(here, link["target"])
        if (ROOT / path).is_dir():
            if not (ROOT / path / "README.md").is_file():
                return link["text"]
            path += "/README.md"
        target = path.removeprefix(f"{docs}/") if path.startswith(f"{docs}/") else PROJECT + path
        return f"[{link['text']}]({posixpath.relpath(target, posixpath.dirname(source) or '.')}{link['anchor'] or ''})"

    return LINK.sub(replace, markdown)


def repository_path(page: str, target: str) -> str:
    """Where a link of a page leads, from the repository's root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
