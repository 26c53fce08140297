"""How fast, how small and how cheap Stillmotion is, against baselines that are measured in the same run."""

import sys
from pathlib import Path

# The layer's folder, which is on the path of every Lambda.
sys.path.insert(0, str(Path(__file__).parents[1] / "shared"))
