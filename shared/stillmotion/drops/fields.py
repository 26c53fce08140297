"""What a dropped object's user metadata, and a JSON object in the drop folder, say in fields of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from stillmotion.errors import Fault, InvalidRequest, pointer
from stillmotion.requests.merging import flattened

_TEXT = ("model", "prompt", "resolution", "aspect_ratio", "size")
_NUMBERS = ("duration", "seed")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WHOLE = re.compile(r"(\d{1,19})(?:\.0+)?", re.ASCII)
_PAIR = re.compile(r"metadata[-_.](.+)", re.DOTALL)
_AUDIO = ("audio", "generate_audio")


def fields_of_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    """A request's fields from user metadata, whose names S3 has made lower case. Fields that a request does not have
    are other programs' metadata.

    Raises:
        InvalidRequest: a value is not of its field's type, or a field is given twice with different values.
    """
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for name, value in metadata.items():
        pair = _PAIR.fullmatch(name.lower())
        # Keys of metadata pairs are the caller's own and stay as they are; names of fields may have "-" for "_".
        known, place = (pairs, pair[1]) if pair else (fields, name.lower().replace("-", "_"))
        text = _decoded(value)
        if known.get(place, text) != text:
            raise _refused(place, f"is given as '{known[place][:80]}' too: give it once", text)
        known[place] = text
    typed: dict[str, Any] = {name: fields[name] for name in _TEXT if name in fields}
    typed |= {name: _number(name, fields[name]) for name in _NUMBERS if name in fields}
    sound = {name: _truth(fields[name]) for name in _AUDIO if name in fields}
    return _one_audio(typed | sound) | ({"metadata": pairs} if pairs else {})


def with_plain_names(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The fields of a JSON object in the drop folder by the names that requests have: ``audio`` is short too.

    Raises:
        InvalidRequest: a field is given in two ways; with the ``key`` of the object.
    """
    try:
        return _one_audio(flattened(data))
    except InvalidRequest as error:
        raise InvalidRequest(f"'{key}': {error.detail}", faults=error.faults) from None


def _one_audio(fields: dict[str, Any]) -> dict[str, Any]:
    if "audio" not in fields:
        return fields
    audio = fields.pop("audio")
    if fields.get("generate_audio", audio) != audio:
        raise _refused("generate_audio", "contradicts audio: give one of them", str(fields["generate_audio"]))
    return fields | {"generate_audio": audio}


def _number(name: str, text: str) -> int:
    whole = _WHOLE.fullmatch(text.strip())
    if whole is None:
        raise _refused(name, "must be a whole number", text)
    return int(whole[1])


def _truth(text: str) -> bool:
    truth = _TRUTHS.get(text.strip().lower())
    if truth is None:
        raise _refused("generate_audio", "must be true or false", text)
    return truth


def _refused(name: str, detail: str, given: str) -> InvalidRequest:
    return InvalidRequest(
        f"/{name} is '{given[:80]}' and {detail}. Correct its metadata or its JSON and drop it again; nothing was "
        "submitted.",
        faults=[Fault(pointer(name), detail, given=given[:80])],
    )


def _decoded(value: str) -> str:
    """S3 hands out metadata beyond ASCII as RFC 2047 words."""
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value
