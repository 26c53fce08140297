"""Write the modules that the terminal shares with the stack into its package, which is installed without the stack.

python -m scripts.cli_copies            writes them
python -m scripts.cli_copies --check    compares only: exit code 1 where one differs
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE, TARGET = "shared/stillmotion/requests", "cli/stillmotion_cli"
MODULES = ("image_types", "picture_header")
_HEADER = "# A copy of {source}, written by: python -m scripts.cli_copies\n"


def copy_of(module: str) -> str:
    """What the terminal's copy of a module has to be."""
    source = f"{SOURCE}/{module}.py"
    text = (ROOT / source).read_text().replace("from stillmotion.requests.", "from stillmotion_cli.")
    return _HEADER.format(source=source) + text


def main() -> int:
    differ = 0
    for module in MODULES:
        path, text = ROOT / TARGET / f"{module}.py", copy_of(module)
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(
                f"{TARGET}/{module}.py is no copy any more. Write it anew: python -m scripts.cli_copies",
                file=sys.stderr,
            )
            differ = 1
    return differ


if __name__ == "__main__":
    sys.exit(main())
