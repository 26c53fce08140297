"""Reading the first bytes of the media that a request names, and deciding by them what it is.

``https://`` addresses must answer 200 with the right label too, because ModelGates fetches them itself. ``s3://``
objects are read with the function's own role. Of ``data:`` addresses the whole is at hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from urllib3.exceptions import HTTPError

from stillmotion.errors import Fault, StorageFailed
from stillmotion.outbound.deadline import Deadline
from stillmotion.outbound.guarded_client import REDIRECTS, FetchFailed, ForbiddenAddress, GuardedClient, UnresolvedHost
from stillmotion.outbound.redaction import redact_url
from stillmotion.ports import ObjectStore
from stillmotion.requests.data_url import MalformedData, decode_data_url
from stillmotion.requests.image_types import describe, image_type, is_cut_off, is_mp4

PROBE_BYTES = 256 * 1024
"""A photo's size may stand behind previews and colour profiles."""
TAIL_BYTES = 64 * 1024
PROBE_SECONDS = 10.0
MAX_MEDIA_BYTES = 30 * 2**20
_WITH_END = frozenset({"image/jpeg", "image/png", "image/webp"})
_WHOLE_LENGTH = re.compile(r"bytes .*/(\d{1,18})", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_.+-]+/[a-z0-9_.+-]+", re.ASCII)
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}", re.ASCII)
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaAddress:
    """One address of a request, and where it stands there."""

    pointer: str
    url: str

    @property
    def scheme(self) -> str:
        return self.url.split(":", 1)[0].lower()

    @property
    def kind(self) -> str:
        """``image``, ``audio`` or ``video``."""
        return self.pointer.split("/")[-2].removesuffix("_url")

    @property
    def place(self) -> tuple[str, str]:
        """Bucket and key of an ``s3://`` address.

        Raises:
            Unusable: it has none.
        """
        bucket, _, key = self.url[len("s3://") :].partition("/")
        if _BUCKET.fullmatch(bucket) is None or not key:
            raise Unusable("is not of the form s3://bucket/key")
        return bucket, key

    def fault(self, error: Unusable) -> Fault:
        return Fault(self.pointer, str(error), given=redact_url(self.url))


@dataclass(frozen=True, slots=True)
class Found:
    """What an address delivers: its media type and its first bytes."""

    content_type: str
    head: bytes


class Unusable(Exception):
    """Why one address will not do, to be put behind its pointer."""


class Probe:
    """Reads first bytes."""

    def __init__(self, objects: ObjectStore, guarded: GuardedClient) -> None:
        self._objects = objects
        self._guarded = guarded

    def look(self, one: MediaAddress) -> Found:
        """What an address delivers, whole as far as its end tells.

        Raises:
            Unusable: it cannot be read, or is not of its kind.
            StorageFailed: S3 did not answer.
        """
        if one.scheme == "data":
            return self.decode(one)[0]
        return self.object(one, to_the_end=True) if one.scheme == "s3" else self._fetch(one)

    def decode(self, one: MediaAddress) -> tuple[Found, bytes]:
        """What a ``data:`` address holds, and all of its bytes.

        Raises:
            Unusable: it cannot be read, or is not of its kind.
        """
        try:
            declared, data = decode_data_url(one.url)
        except MalformedData as error:
            raise Unusable(str(error)) from None
        found = Found(decide_type(one.kind, data, declared), data[:PROBE_BYTES])
        _check_size(len(data))
        _check_end(found, data, len(data))
        return found, data

    def object(self, one: MediaAddress, *, to_the_end: bool = False) -> Found:
        """What an ``s3://`` address holds.

        Raises:
            Unusable: it cannot be read, or is not of its kind.
            StorageFailed: S3 did not answer.
        """
        bucket, key = one.place
        try:
            facts, head = self._objects.first_bytes(bucket, key, PROBE_BYTES)
            found = Found(decide_type(one.kind, head, facts.content_type), head)
            _check_size(facts.size)
            if to_the_end and found.content_type in _WITH_END:
                whole = facts.size <= len(head)
                _check_end(found, head if whole else self._objects.last_bytes(bucket, key, TAIL_BYTES), facts.size)
        except StorageFailed as error:
            raise _not_read(error) from None
        return found

    def _fetch(self, one: MediaAddress) -> Found:
        """GET with a one-range request: a signed link may refuse HEAD."""
        try:
            status, headers, head = self._get(one.url, 0, PROBE_BYTES - 1, PROBE_SECONDS)
        except ForbiddenAddress as error:
            raise Unusable(f"is not fetched: {error}") from None
        except UnresolvedHost as error:
            raise Unusable(f"cannot be reached: {error}") from None
        except (FetchFailed, HTTPError, OSError) as error:
            reason = str(error) if isinstance(error, FetchFailed) else type(error).__name__
            raise Unusable(f"did not answer ({reason})") from None
        if status in REDIRECTS:
            raise Unusable(f"answers a redirect (HTTP {status}): give the address it leads to")
        if status == 416:  # no range of nothing can be had
            status, head = 206, b""
        if status not in (200, 206):
            raise Unusable(f"answers HTTP {status} instead of 200")
        label = headers.get("Content-Type", "").split(";")[0].strip().lower()
        found = Found(_decide_fetched_type(one.kind, head, label), head)
        length = _length(status, headers)
        if length is not None:
            _check_size(length)
            self._check_fetched_end(one, found, length, ranges=status == 206)
        return found

    def _get(self, url: str, first: int, last: int, seconds: float) -> tuple[int, Mapping[str, str], bytes]:
        asked = {"Range": f"bytes={first}-{last}"}
        with self._guarded.get(url, asked, deadline=Deadline(seconds)) as answer:
            body = answer.read(last - first + 1) if answer.status in (200, 206) else b""
            return answer.status, answer.headers, body

    def _check_fetched_end(self, one: MediaAddress, found: Found, length: int, *, ranges: bool) -> None:
        """A server that gives ranges gives the last one too; where it does not, the end is not judged."""
        if found.content_type not in _WITH_END:
            return
        if length <= len(found.head):
            _check_end(found, found.head, length)
            return
        first = max(length - TAIL_BYTES, 0)
        try:
            status, headers, tail = self._get(one.url, first, length - 1, PROBE_SECONDS / 3) if ranges else (0, {}, b"")
        except (ForbiddenAddress, UnresolvedHost, FetchFailed, HTTPError, OSError):
            return
        if status == 206 and headers.get("Content-Range", "").strip() == f"bytes {first}-{length - 1}/{length}":
            _check_end(found, tail, length)


def decide_type(kind: str, head: bytes, label: str) -> str:
    """The media type of what is to be an ``image``, ``audio`` or ``video``: by its bytes, and where these are of no
    kind that we know (sound, some videos) by its label.

    Raises:
        Unusable: it is something else, which is named.
    """
    picture = image_type(head)
    if kind == "image":
        return picture or _refuse(kind, head)
    if picture is not None:
        raise Unusable(f"is {picture}, not {kind}/*")
    if not head or describe(head).is_text:
        _refuse(kind, head)
    if _LABEL.fullmatch(label) and label.startswith(f"{kind}/"):
        return label
    if kind == "video" and is_mp4(head):
        return "video/mp4"
    raise Unusable(f"is {label or 'of no stated type'}, not {kind}/*: store it with the right Content-Type")


def _decide_fetched_type(kind: str, head: bytes, label: str) -> str:
    """The same, of an address that ModelGates fetches: it believes the label."""
    if label.startswith(f"{kind}/"):
        return decide_type(kind, head, label)
    if kind == "image" and image_type(head) is None:
        _refuse(kind, head, f" (served as {label})" if label else "")
    raise Unusable(
        f"is served as {label or 'no stated type'}, not {kind}/*, which ModelGates does not take: correct its "
        "Content-Type, or upload the file (POST /uploads)"
    )


def _refuse(kind: str, head: bytes, note: str = "") -> NoReturn:
    other = describe(head)
    raise Unusable(f"is {other.name}{note}, not {'a picture' if kind == 'image' else kind}: {other.advice}")


def _check_size(length: int) -> None:
    if length > MAX_MEDIA_BYTES:
        raise Unusable(f"has {length:,} bytes, at most {MAX_MEDIA_BYTES:,} are taken: scale it down")


def _check_end(found: Found, tail: bytes, length: int) -> None:
    if is_cut_off(found.content_type, found.head, tail, length):
        raise Unusable(f"is cut off: the end of this {found.content_type} is missing. Upload it again, whole")


def _length(status: int, headers: Mapping[str, str]) -> int | None:
    """The whole length, where the answer says it."""
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        return None
    if status == 206:
        stated = _WHOLE_LENGTH.fullmatch(headers.get("Content-Range", "").strip().lower())
        return int(stated[1]) if stated else None
    announced = headers.get("Content-Length", "").strip()
    return int(announced) if _DIGITS.fullmatch(announced) else None


def _not_read(error: StorageFailed) -> Exception:
    """What a failed read of an object means: it is the caller's fault where S3 would refuse it again."""
    if error.aws_code == "InvalidRange":  # S3 has no range of an empty object
        nothing = describe(b"")
        return Unusable(f"is {nothing.name}: {nothing.advice}")
    if error.aws_code == "InvalidName":
        return Unusable("is not of the form s3://bucket/key")
    return Unusable(_unread(str(error.aws_code))) if error.refused else error


def _unread(code: str) -> str:
    return f"cannot be read from S3 ({code}): upload it, or let this stack's role read it"


ABSENT = _unread("NoSuchKey")
"""Of an object that is not there, and in the same words of one that the caller may not name."""


def unusable(faults: Sequence[Fault]) -> str:
    """What a refusal says about addresses that will not do."""
    listed = "; ".join(f"{fault.place} {fault.detail}" for fault in faults)
    return (
        f"{listed}. Give an https:// address that answers 200 with an image directly, an s3:// object that this stack "
        "may read (your own upload, or one under its shared prefix), or a data: address; nothing was submitted."
    )
