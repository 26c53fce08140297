"""Write docs/reference/: pages about the API, the events, the errors and the terminal, from the code.

python -m scripts.reference          writes them
python -m scripts.reference --check  only says whether they are as the code is
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from scripts import reference_api, reference_errors, reference_terminal
from scripts.generated import ROOT

FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Made by make reference from the code. -->\n\n"


def pages() -> dict[Path, str]:
    """The text of every page by its path."""
    sys.path.insert(0, str(ROOT / "shared"))
    sys.path.insert(0, str(ROOT / "cli"))
    made: Mapping[str, str] = {
        "api": reference_api.operations(),
        "events": reference_api.events(),
        "errors": reference_errors.page(),
        "terminal": reference_terminal.page(),
    }
    return {FOLDER / f"{name}.md": NOTE + text for name, text in made.items()}


def main() -> int:
    """Write or check the pages; 1 when the check fails."""
    differ = 0
    for path, text in pages().items():
        name = path.relative_to(ROOT)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
        elif not path.exists() or path.read_text() != text:
            print(f"{name} is not as the code is. Write it anew: make reference", file=sys.stderr)
            differ = 1
    return differ


if __name__ == "__main__":
    sys.exit(main())
