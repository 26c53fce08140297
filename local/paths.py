"""Paths in this checkout."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
CLOUDS = STATE / "clouds"
# Tests keep a local cloud of their own beside the one that a developer left running.
HELD = Path(os.environ.get("STILLMOTION_HELD_IN") or STATE)
STACK_FILE = HELD / "stack.json"
TOOLS = ROOT / ".venv" / "bin"
TEMPLATE = ROOT / "template.yaml"
SAMPLE = ROOT / "local" / "assets" / "sample.jpg"
