"""The drop folder: an object under ``drop/`` in the input bucket becomes a request.

    drop/<name>.jpg            the first frame; what to make of it comes from the object's user metadata,
                               else from drop/<name>.json beside it, else from the stack's defaults
    drop/<name>.last.jpg       its last frame, where it lies there already; starts nothing itself
    drop/<name>.json           with frame_images: a whole request, its image addresses may be relative to its folder;
                               without: what to make of the picture of that name; starts nothing itself
    drop/…/assets/…            pictures that whole requests name; start nothing themselves

Source of the events' fields: *EventBridge events for Amazon S3*. Keys are plain there, not URL-encoded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from stillmotion.errors import Fault, InvalidRequest, pointer
from stillmotion.ports import ObjectFacts, ObjectStore

PREFIX = "drop/"
FAILED_PREFIX = "failed/"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MAX_JSON_BYTES = 256 * 1024
_TEXT = ("model", "prompt", "resolution", "aspect_ratio", "size")
_NUMBERS = ("duration", "seed")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Drop:
    """One object that was dropped; ``version`` tells it from an earlier or later object of the same name."""

    bucket: str
    key: str
    version: str
    etag: str = ""

    @classmethod
    def from_event(cls, detail: Mapping[str, Any]) -> Drop:
        """The object an ``Object Created`` event tells of.

        Raises:
            InvalidRequest: it is no such event.
        """
        try:
            found = detail["object"]
            version = found.get("version-id") or f"{found.get('etag', '')}-{found.get('sequencer', '')}"
            etag = str(found.get("etag") or "").strip('"')
            return cls(str(detail["bucket"]["name"]), str(found["key"]), str(version), etag)
        except (KeyError, TypeError, AttributeError):
            raise InvalidRequest("The event does not tell which object was created. Nothing was submitted.") from None

    @property
    def stem(self) -> str:
        """The key without its extension."""
        folder, _, name = self.key.rpartition("/")
        return f"{folder}/{name.rsplit('.', 1)[0]}"

    @property
    def folder(self) -> str:
        """Where it lies, as an address."""
        return f"s3://{self.bucket}/{self.key.rpartition('/')[0]}/"

    @property
    def suffix(self) -> str:
        """The extension in lower case, with its dot."""
        name = self.key.rpartition("/")[2]
        return f".{name.rsplit('.', 1)[1].lower()}" if "." in name else ""

    @property
    def starts_something(self) -> bool:
        """Whether an object of this name can start a job at all."""
        folder, _, name = self.key.removeprefix(PREFIX).rpartition("/")
        ours = self.key.startswith(PREFIX) and name and not name.startswith(".")
        return bool(ours) and "assets" not in folder.split("/") and not self.stem.lower().endswith(".last")

    @property
    def failure_key(self) -> str:
        """Where the problem document of a drop that came to nothing is put."""
        return FAILED_PREFIX + self.stem.removeprefix(PREFIX) + ".json"


class Drops:
    """Reads dropped objects as requests.

    Args:
        objects: the input bucket.
        defaults: request fields for pictures that say nothing themselves.
    """

    def __init__(self, objects: ObjectStore, defaults: Mapping[str, Any]) -> None:
        self._objects = objects
        self._defaults = dict(defaults)

    def request(self, drop: Drop) -> dict[str, Any] | None:
        """The request that a dropped object makes, not checked yet; ``None`` when it starts nothing.

        Raises:
            InvalidRequest: it is no picture and no JSON object, or says something that cannot be read.
            StorageFailed: S3 did not answer.
        """
        if not drop.starts_something:
            return None
        there = self._objects.head(drop.bucket, drop.key)
        if there is not None and drop.etag not in ("", there.etag):
            return None  # other bytes lie there now; their own event makes the job, or one picture would be paid twice
        if drop.suffix == ".json":
            whole = self._json(drop.bucket, drop.key)
            return whole_addresses(whole, drop.folder) if whole is not None and _is_whole(whole) else None
        if drop.suffix not in IMAGE_SUFFIXES:
            raise InvalidRequest(
                f"'{drop.key}' is no picture. Drop a {', '.join(IMAGE_SUFFIXES)} or .json file; nothing was submitted.",
                faults=[Fault("#", "is not a picture", given=drop.suffix or "no extension", allowed=[*IMAGE_SUFFIXES])],
            )
        beside = self._json(drop.bucket, f"{drop.stem}.json")
        if beside is not None and _is_whole(beside):
            return None  # the JSON beside it is the request, and starts it
        said = self._defaults | (beside or {}) | _user_metadata(drop, there)
        return said | {"frame_images": self._frames(drop)}

    def _frames(self, drop: Drop) -> list[dict[str, Any]]:
        frames = [_frame(drop.bucket, drop.key, "first_frame")]
        for suffix in IMAGE_SUFFIXES:
            last = f"{drop.stem}.last{suffix}"
            if self._objects.head(drop.bucket, last) is not None:
                return [*frames, _frame(drop.bucket, last, "last_frame")]
        return frames

    def _json(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The JSON object at this key, ``None`` when there is nothing."""
        raw = self._objects.read(bucket, key, MAX_JSON_BYTES + 1)
        if raw is None:
            return None
        try:
            # As bytes, so that a byte order mark and UTF-16, as editors on Windows write them, are understood.
            data = json.loads(raw) if len(raw) <= MAX_JSON_BYTES else None
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise InvalidRequest(
                f"'{key}' is not a JSON object of at most {MAX_JSON_BYTES:,} bytes. Correct it and drop it again; "
                "nothing was submitted."
            )
        return data


def _user_metadata(drop: Drop, there: ObjectFacts | None) -> dict[str, Any]:
    if there is None:
        raise InvalidRequest(f"'{drop.key}' is gone. Drop it again; nothing was submitted.")
    plain = {name.lower().replace("_", "-"): _decoded(value) for name, value in there.metadata.items()}
    metadata = {name.removeprefix("metadata-"): value for name, value in plain.items() if name.startswith("metadata-")}
    fields = {name.replace("-", "_"): value for name, value in plain.items() if not name.startswith("metadata-")}
    return _typed(fields) | ({"metadata": metadata} if metadata else {})


def _is_whole(data: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a request by itself: it says which images it is about."""
    return "frame_images" in data or "input_references" in data


def whole_addresses(data: dict[str, Any], folder: str) -> dict[str, Any]:
    """A request with the addresses that are relative to a folder, an ``s3://`` address with a slash, made whole."""
    for field in ("frame_images", "input_references"):
        listed = data.get(field)
        for entry in listed if isinstance(listed, list) else []:
            kind = entry.get("type", "image_url") if isinstance(entry, dict) else None
            media = entry.get(kind) if isinstance(kind, str) else None
            url = media.get("url") if isinstance(media, dict) else None
            if isinstance(url, str) and ":" not in url.split("/", 1)[0]:
                media["url"] = folder + url.removeprefix("./")  # type: ignore[index]
    return data


def _frame(bucket: str, key: str, frame_type: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"s3://{bucket}/{key}"}, "frame_type": frame_type}


def _typed(fields: Mapping[str, str]) -> dict[str, Any]:
    """Text as the request's own types; fields that a request does not have are other people's metadata."""
    typed: dict[str, Any] = {name: fields[name] for name in _TEXT if name in fields}
    for name in _NUMBERS:
        if name in fields:
            typed[name] = int(fields[name]) if fields[name].strip().isdecimal() else _refuse(name, fields[name])
    audio = fields.get("audio", fields.get("generate_audio"))
    if audio is not None:
        truth = _TRUTHS.get(audio.strip().lower())
        typed["generate_audio"] = _refuse("generate_audio", audio) if truth is None else truth
    return typed


def _refuse(name: str, given: str) -> Any:
    wanted = "true or false" if name == "generate_audio" else "a whole number"
    raise InvalidRequest(
        f"{name} is '{given[:80]}', not {wanted}. Correct the object's metadata and drop it again; nothing was "
        "submitted.",
        faults=[Fault(pointer(name), f"must be {wanted}", given=given[:80])],
    )


def _decoded(value: str) -> str:
    """S3 hands out metadata beyond ASCII as RFC 2047 words."""
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value
