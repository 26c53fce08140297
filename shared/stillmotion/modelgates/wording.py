"""The error message in an answer of ModelGates, whatever the shape of its JSON.

The words of the model's own provider are often inside: as ``metadata.raw`` (text, or JSON in text), as ``reasons`` of a
moderation, as a list of faults, or beside ``error`` as ``message``, ``detail`` or ``failure_reason``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stillmotion.outbound.redaction import redact

MAX_MESSAGE_CHARACTERS = 2000
_MAX_READ_CHARACTERS = 4 * MAX_MESSAGE_CHARACTERS
"""What is looked at: an answer may hold megabytes, and looking for secrets takes its time."""
_BETWEEN_WORDS = " \n\t\"'<>;,(){}[]"
_BESIDE_ERROR = ("failure_reason", "failure_message", "message", "detail", "reason")
_INSIDE_ERROR = ("message", "msg", "detail", "reason", "failure_reason", "description", "error", "errors", "raw")
_MAX_DEPTH, _MAX_ENTRIES = 6, 10


def words_of_answer(answer: Any) -> str | None:
    """What a decoded answer (a job, or an error's body) says about what went wrong, ``None`` where it says nothing.

    Word for word, except that addresses lose their query strings: it may repeat a signed link to an image.
    """
    if not isinstance(answer, Mapping):
        return None
    found = [*_words(answer.get("error"))]
    for name in _BESIDE_ERROR:
        found += _words(answer.get(name))
    return _joined(found)


def words_of_error(error: Any) -> str | None:
    """What an ``error`` alone says, ``None`` where it says nothing."""
    return _joined([*_words(error)])


def _joined(found: list[str]) -> str | None:
    text = ": ".join(dict.fromkeys(part.strip() for part in found if part.strip()))
    if len(text) > _MAX_READ_CHARACTERS:
        text = text[:_MAX_READ_CHARACTERS]
        end = max(map(text.rfind, _BETWEEN_WORDS))  # half a secret would not be known for one
        text = text[:end] if end > 0 else text
    return redact(with_whole_characters(text))[:MAX_MESSAGE_CHARACTERS] or None


def with_whole_characters(text: str) -> str:
    """The text with a question mark for half a surrogate pair, which no record, log line or event takes. Servers that
    cut a text inside a symbol send such halves."""
    return text.encode(errors="replace").decode()


def _words(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        inner = _json(value)
        yield from [value] if inner is None else _words(inner, depth + 1)
    elif isinstance(value, list):
        parts = [": ".join(_words(entry, depth + 1)) for entry in value[:_MAX_ENTRIES]]
        more = [f"and {len(value) - _MAX_ENTRIES} more"] if len(value) > _MAX_ENTRIES else []
        yield from ["; ".join([*filter(None, parts), *more])] if any(parts) else []
    elif isinstance(value, Mapping):
        yield from _words_of_object(value, depth)


def _words_of_object(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    found = [text for name in _INSIDE_ERROR for text in _words(value.get(name), depth + 1)]
    metadata = value.get("metadata")
    if isinstance(metadata, Mapping):
        found += _words(metadata.get("raw"), depth + 1)
        found += _moderation(metadata)
    found += _moderation(value)
    plain = {name: part for name, part in value.items() if isinstance(part, str | int | float)}
    if not found and any(isinstance(part, str) for part in plain.values()):
        found = [json.dumps(plain, ensure_ascii=False)]
    yield from found


def _moderation(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Which input was flagged, and why."""
    reasons = metadata.get("reasons")
    if isinstance(reasons, list) and reasons:
        yield f"flagged for {', '.join(map(str, reasons[:_MAX_ENTRIES]))}"
    flagged = metadata.get("flagged_input")
    if isinstance(flagged, str) and flagged:
        yield f"flagged input: {flagged}"


def _json(text: str) -> Any:
    """The object or list that a text holds, ``None`` where it is no JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None
