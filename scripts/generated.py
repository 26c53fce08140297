"""Files that are made from the code: written anew, or with ``--check`` only compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def keep(documents: Mapping[Path, Any], command: str) -> int:
    """Write the JSON documents; with ``--check`` on the command line compare them and answer 1 where one differs."""
    differ = 0
    for path, document in documents.items():
        text = json.dumps(document, indent=2, sort_keys=True) + "\n"
        name = path.relative_to(ROOT)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
        elif not path.exists() or path.read_text() != text:
            print(f"{name} is not as the code is. Write it anew: {command}", file=sys.stderr)
            differ = 1
    return differ
