"""The sample events: ``events/<function>-<case>.json``, the function in snake case and without ``Function``."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.support.template import ROOT, resources

EVENTS = ROOT / "events"


def sample_names() -> list[str]:
    """Every sample's name, without ``.json``."""
    return sorted(path.stem for path in EVENTS.iterdir())


def sample(name: str, replaced: dict[str, str] | None = None) -> Any:
    """A sample as its function gets it, with pieces of its text (addresses) replaced."""
    text = (EVENTS / f"{name}.json").read_text()
    for old, new in (replaced or {}).items():
        text = text.replace(old, new)
    return json.loads(text)


def sample_function(name: str) -> str:
    """The logical id of the function that a sample is for."""
    return "".join(word.title() for word in name.partition("-")[0].split("_")) + "Function"


def sampled_functions() -> dict[str, str]:
    """Every function of the template by the name that its samples begin with."""
    names = resources("AWS::Serverless::Function")
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Function")).lower(): name for name in names}
