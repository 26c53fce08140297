"""Messages of the API in the caller's terms: each fault once, under the name that was typed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

OPTIONS = {
    "model": "--model",
    "prompt": "--prompt",
    "duration": "--duration",
    "resolution": "--resolution",
    "aspect_ratio": "--aspect-ratio",
    "generate_audio": "--audio",
    "seed": "--seed",
    "metadata": "--metadata",
    "idempotency_key": "--idempotency-key",
    "frame_images/0": "IMAGE",
    "frame_images/1": "--last-image",
}
"""The options of `generate` by the fields that they set."""
BATCH_OPTIONS = {
    "manifest": "MANIFEST",
    "batch_id": "--batch-id",
    "defaults": "--default",
    "max_concurrency": "--max-concurrency",
    "tolerated_failure_percentage": "--tolerate",
    "budget_usd": "--budget",
}
"""Those of `batch`."""
_POINTER = re.compile(r"(?<![\w/.:#-])#?(?:/[^\s/:;,()'\"]+)+")
_STOP_AGAIN = re.compile(r"(?:(?<=[^.\s]\.)|(?<=[!?…])|(?<=\.\.\.))\.(?=\s|$)")


def with_single_stops(text: str) -> str:
    """A text with one full stop where an inserted message brought a second one."""
    return _STOP_AGAIN.sub("", text)


def in_the_callers_words(detail: str, faults: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[str]:
    """The lines of a refusal: its text without the faults, then each fault.

    Args:
        detail: the API's text, which may list the faults itself.
        faults: `{"pointer", "detail", "given", "allowed"}` of each.
        names: what the caller calls the fields, by their place: `duration`, `frame_images/0`.
    """
    rest, lines = detail, []
    for fault in faults:
        said = str(fault.get("detail") or "")
        place = _place(fault)
        for listed in (f"{place}: {said}", f"{place} {said}", f"#{place}: {said}", f"{fault.get('pointer')}: {said}"):
            rest = rest.replace(listed, "", 1)
        if said not in rest:
            lines.append(_line(fault, names))
    rest = re.sub(r"^[;:.,\s]+|[:;,]?\s*(?:;\s*)*(?=\.\s|\.$)", "", rest).strip() if lines else rest
    rest = re.sub(r"^and (\d+ more)", r"And \1", rest)
    return [renamed(line, names) for line in ([rest] if rest else []) + lines]


def renamed(text: str, names: Mapping[str, str]) -> str:
    """A text with the caller's names for the fields that it names, by JSON pointer (`/frame_images/1/image_url/url`)
    or by word. Only words with an underscore are replaced: others may be ordinary ones.
    """

    def named(found: re.Match[str]) -> str:
        pointer = found[0].rstrip(".")
        name = _name(_read(pointer), names)
        return found[0] if name is None else name + found[0][len(pointer) :]

    text = _POINTER.sub(named, text)
    for field, name in names.items():
        if "_" in field and "/" not in field:
            text = re.sub(rf"(?<![\w/.#-]){field}(?![\w/-])", name, text)
    return with_single_stops(text)


def _name(place: str, names: Mapping[str, str]) -> str | None:
    """What the caller calls a place of the request, with the rest of the place below a named field; None for others."""
    field = next((field for field in names if f"{place}/".startswith(f"/{field}/")), None)
    if field is None:
        return None
    below = place.removeprefix(f"/{field}")
    return f"{names[field]} {below}" if below and "/" not in field else names[field]


def _read(pointer: str) -> str:
    """A JSON pointer as people read it."""
    return unquote(pointer.removeprefix("#")).replace("~1", "/").replace("~0", "~") or "/"


def _place(fault: Mapping[str, Any]) -> str:
    return _read(str(fault.get("pointer") or ""))


def _line(fault: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """One fault: its place as the caller named it, what is wrong, and, unless the text has them, given and allowed."""
    place, detail = _place(fault), str(fault.get("detail") or "")
    shown = _name(place, names) or place
    notes = []
    if "given" in fault and str(fault["given"]) not in detail:
        notes.append(f"given: {fault['given']}")
    allowed = fault.get("allowed")
    choices = [str(value) for value in allowed] if isinstance(allowed, list) else [str(allowed)] if allowed else []
    if choices and not all(choice in detail for choice in choices):
        notes.append(f"allowed: {', '.join(choices)}")
    what = f"{detail}{f' ({"; ".join(notes)})' if notes else ''}"
    return what if shown == "/" else f"{shown}: {what}"
