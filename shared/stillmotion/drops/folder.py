"""The drop folder: an object under ``drop/`` in the input bucket becomes a request.

    drop/<name>.jpg            the first frame; what to make of it comes from the object's user metadata,
                               else from drop/<name>.json beside it, else from the stack's defaults
    drop/<name>.last.jpg       its last frame, where it is there already; starts nothing itself
    drop/<name>.json           with frame_images: a whole request, its image addresses may be relative to its folder;
                               without: what to make of the picture of that name; starts nothing itself
    drop/…/assets/…            pictures that whole requests name; start nothing themselves

Names of companions may differ in case and in Unicode form from the picture's. Source of the events' fields:
*EventBridge events for Amazon S3*. Keys are plain there, not URL-encoded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillmotion.drops.companions import IMAGE_SUFFIXES, Companions, find_companions, suffix_of
from stillmotion.drops.fields import fields_of_metadata, with_plain_names
from stillmotion.errors import Fault, InvalidRequest
from stillmotion.ports import ObjectFacts, ObjectStore
from stillmotion.requests.image_types import HEAD_BYTES, describe, image_type
from stillmotion.requests.json_text import GivenTwice, load_json
from stillmotion.requests.merging import merged
from stillmotion.requests.relative_addresses import whole_addresses

PREFIX = "drop/"
FAILED_PREFIX = "failed/"
MAX_JSON_BYTES = 256 * 1024
MAX_KEY_BYTES = 1024
"""Of any key (*Amazon S3 quotas*)."""


@dataclass(frozen=True, slots=True)
class Drop:
    """One object that was dropped; ``version`` tells it from an earlier or later object of the same name.

    Attributes:
        version_id: S3's own, where the bucket keeps versions.
    """

    bucket: str
    key: str
    version: str
    etag: str = ""
    version_id: str | None = None

    @classmethod
    def from_event(cls, detail: Mapping[str, Any]) -> Drop:
        """The object that an ``Object Created`` event names.

        Raises:
            InvalidRequest: it is no such event.
        """
        try:
            found = detail["object"]
            version_id = found.get("version-id") or None
            version = version_id or f"{found.get('etag', '')}-{found.get('sequencer', '')}"
            etag = str(found.get("etag") or "").strip('"')
            return cls(str(detail["bucket"]["name"]), str(found["key"]), str(version), etag, version_id)
        except (KeyError, TypeError, AttributeError):
            raise InvalidRequest("The event does not tell which object was created. Nothing was submitted.") from None

    @property
    def folder(self) -> str:
        """Where it is, as an address."""
        return f"s3://{self.bucket}/{self.key.rpartition('/')[0]}/"

    @property
    def suffix(self) -> str:
        """The extension in lower case, with its dot."""
        return suffix_of(self.key)

    @property
    def starts_something(self) -> bool:
        """Whether an object of this name can start a job at all."""
        folder, _, name = self.key.removeprefix(PREFIX).rpartition("/")
        ours = self.key.startswith(PREFIX) and name and not name.startswith(".")
        is_last = any(part.endswith(".last") for part in (name.casefold(), name.casefold().rpartition(".")[0]))
        return bool(ours) and "assets" not in folder.casefold().split("/") and not is_last

    @property
    def failure_key(self) -> str:
        """The key of the problem document of a drop that failed."""
        return note_key(self.key.removeprefix(PREFIX))

    def is_replaced(self, there: ObjectFacts) -> bool:
        """Whether another put of this name has followed. Its own event makes the job, or one would be paid twice."""
        if None not in (self.version_id, there.version):
            return self.version_id != there.version
        return self.etag not in ("", there.etag)


@dataclass(frozen=True, slots=True)
class DroppedRequest:
    """What a dropped object asks for: not checked, and without the stack's defaults.

    Attributes:
        is_picture: the defaults apply to it; a whole request says everything itself.
        content: differs when, for the same key, the bytes or anything that was said about them differ.
        put_at: unix seconds.
    """

    asked: dict[str, Any]
    is_picture: bool
    content: str
    put_at: int


class Drops:
    """Reads dropped objects as requests.

    Args:
        objects: the input bucket.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def read(self, drop: Drop) -> DroppedRequest | None:
        """The request that a dropped object makes; ``None`` when it starts nothing.

        Raises:
            InvalidRequest: it is no picture and no JSON object, something beside it cannot be used, or says something
                that cannot be read.
            StorageFailed: S3 did not answer.
        """
        if not drop.starts_something:
            return None
        there = self._objects.head(drop.bucket, drop.key)
        if there is not None and drop.is_replaced(there):
            return None
        if drop.suffix == ".json":
            whole = self._json(drop.bucket, drop.key)
            if whole is None or there is None or not _is_whole(whole):
                return None
            asked = whole_addresses(with_plain_names(whole, drop.key), drop.folder)
            return DroppedRequest(asked, False, _content(drop, there.etag, asked), there.put_at)
        if there is None:
            raise InvalidRequest(f"'{drop.key}' is gone. Drop it again; nothing was submitted.")
        self._check_picture(drop, there)
        return self._picture(drop, there, find_companions(self._objects.keys, drop.bucket, drop.key))

    def _picture(self, drop: Drop, there: ObjectFacts, beside: Companions) -> DroppedRequest | None:
        settings = {} if beside.settings is None else self._json(drop.bucket, beside.settings) or {}
        if _is_whole(settings):
            return None  # the JSON beside it is the request, and starts it
        frames, etags = [_frame(drop.bucket, drop.key, "first_frame")], [there.etag]
        if beside.last_frame is not None:
            last = self._objects.head(drop.bucket, beside.last_frame)
            if last is None:
                raise InvalidRequest(f"'{beside.last_frame}' was removed meanwhile. Drop '{drop.key}' again.")
            frames.append(_frame(drop.bucket, beside.last_frame, "last_frame"))
            etags.append(last.etag)
        said = merged(with_plain_names(settings, beside.settings or ""), fields_of_metadata(there.metadata))
        own = said.get("frame_images") or []
        if own and beside.last_frame is not None:
            raise InvalidRequest(
                f"'{beside.settings}' names a last_frame, and '{beside.last_frame}' is one too. Keep one of them and "
                f"drop '{drop.key}' again; nothing was submitted.",
                faults=[Fault("#/last_frame", "is given twice")],
            )
        asked = whole_addresses(said | {"frame_images": [*frames, *own]}, drop.folder)
        return DroppedRequest(asked, True, _content(drop, " ".join(etags), asked), there.put_at)

    def _check_picture(self, drop: Drop, there: ObjectFacts) -> None:
        """Check by its name, else by its bytes. The bytes of a file with a picture's name are checked later, with all
        pictures.
        """
        if drop.suffix in IMAGE_SUFFIXES:
            return
        _, head = self._objects.first_bytes(drop.bucket, drop.key, HEAD_BYTES) if there.size else (there, b"")
        if image_type(head) is not None:
            return
        other = describe(head)
        raise InvalidRequest(
            f"'{drop.key}' is no picture but {other.name}. Drop a {', '.join(IMAGE_SUFFIXES)} or .json file; nothing "
            "was submitted.",
            faults=[Fault("#", "is not a picture", given=drop.suffix or "no extension", allowed=[*IMAGE_SUFFIXES])],
        )

    def _json(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The JSON object at this key, ``None`` when there is nothing."""
        raw = self._objects.read(bucket, key, MAX_JSON_BYTES + 1)
        if raw is None:
            return None
        try:
            # As bytes, so that a byte order mark and UTF-16, as editors on Windows write them, are understood.
            data = load_json(raw) if len(raw) <= MAX_JSON_BYTES else None
        except GivenTwice as error:
            raise InvalidRequest(f"'{key}' {error}. Correct it and drop it again; nothing was submitted.") from error
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise InvalidRequest(
                f"'{key}' is not a JSON object of at most {MAX_JSON_BYTES:,} bytes. Correct it and drop it again; "
                "nothing was submitted."
            )
        return data


def note_key(name: str) -> str:
    """Where a note about an object goes: ``failed/<name>.json``, shortened where S3 would not take the key."""
    key = f"{FAILED_PREFIX}{name}.json"
    if len(key.encode(errors="replace")) <= MAX_KEY_BYTES:
        return key
    end = f"~{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:16]}.json"
    room = MAX_KEY_BYTES - len(FAILED_PREFIX) - len(end)
    return FAILED_PREFIX + name.encode(errors="replace")[:room].decode(errors="ignore") + end


def _content(drop: Drop, etags: str, asked: Mapping[str, Any]) -> str:
    canonical = json.dumps([drop.bucket, drop.key, etags, asked], sort_keys=True)
    return hashlib.sha256(canonical.encode(errors="replace")).hexdigest()


def _is_whole(data: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a request by itself: it says which images it is about, or which one it begins with."""
    return any(name in data for name in ("frame_images", "first_frame", "input_references"))


def _frame(bucket: str, key: str, frame_type: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"s3://{bucket}/{key}"}, "frame_type": frame_type}
