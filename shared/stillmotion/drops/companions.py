"""The objects beside a dropped picture that belong to it (its companions), whatever the case and the Unicode form of
its name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stillmotion.errors import InvalidRequest

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib"),
    *(".heic", ".heif", ".hif", ".avif"),
)
_LAST = ".last"
_SETTINGS = ".json"


@dataclass(frozen=True, slots=True)
class Companions:
    """Keys of what belongs to a picture: its last frame, and the JSON object that says what to make of it."""

    last_frame: str | None = None
    settings: str | None = None


def suffix_of(key: str) -> str:
    """The extension in lower case, with its dot; empty where there is none."""
    name = key.rpartition("/")[2]
    return f".{name.rsplit('.', 1)[1].lower()}" if "." in name else ""


def find_companions(keys: Callable[[str, str], Iterable[str]], bucket: str, key: str) -> Companions:
    """What belongs to a picture.

    Args:
        keys: the keys of a bucket that begin with a prefix, without those of folders within.

    Raises:
        InvalidRequest: a companion cannot be used, and without it another clip than the one asked for would be paid.
        StorageFailed: S3 did not answer.
    """
    folder, _, name = key.rpartition("/")
    stem = name.rsplit(".", 1)[0]
    found: dict[str, list[str]] = {_LAST: [], _SETTINGS: []}
    for first in sorted(_beginnings(stem)):
        for other in keys(bucket, f"{folder}/{first}"):
            role = _role(_plain(other.rpartition("/")[2]), _plain(stem))
            if role is not None and other != key and other not in found[role]:
                found[role].append(other)
    last, settings = (_only(role, found[role], key) for role in (_LAST, _SETTINGS))
    if last is not None and suffix_of(last) not in IMAGE_SUFFIXES:
        raise InvalidRequest(
            f"'{last}' has the name of the last frame of '{key}' and is no picture by its name. Give it one of "
            f"{', '.join(IMAGE_SUFFIXES)}, or remove it, and drop '{key}' again; nothing was submitted."
        )
    return Companions(last, settings)


def _role(name: str, stem: str) -> str | None:
    """What an object of this name is to the picture, both in plain form; ``None`` where it is another thing."""
    if name == stem + _SETTINGS:
        return _SETTINGS
    return _LAST if name == stem + _LAST or name.rpartition(".")[0] == stem + _LAST else None


def _only(role: str, found: list[str], key: str) -> str | None:
    if len(found) > 1:
        what = "last frame" if role == _LAST else "settings"
        raise InvalidRequest(
            f"{' and '.join(repr(one) for one in sorted(found))} both have the name of the {what} of '{key}'. Remove "
            f"all but one, and drop '{key}' again; nothing was submitted."
        )
    return found[0] if found else None


def _plain(name: str) -> str:
    """A name without what case and Unicode form make different."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _beginnings(stem: str) -> set[str]:
    """The first characters that a companion's key may have after its folder, so that not everything is listed."""
    variants = {stem, stem.lower(), stem.upper(), stem.casefold()}
    return {unicodedata.normalize(form, variant)[:1] for variant in variants for form in ("NFC", "NFD")}
