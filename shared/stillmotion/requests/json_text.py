"""JSON as people send it: a field that an object gives twice is refused, where readers silently keep the last."""

from __future__ import annotations

import json
from typing import Any


class GivenTwice(ValueError):
    """One object gives this field twice; its text is the field's name."""

    def __str__(self) -> str:
        return f"gives '{self.args[0][:80]}' twice"


def load_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        GivenTwice: an object in it gives a field twice.
        ValueError, RecursionError: it is not JSON, or Python does not read it.
    """
    return json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise GivenTwice(next(name for name in names if names.count(name) > 1))
    return found
