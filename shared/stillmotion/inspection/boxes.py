"""The outermost boxes of an MP4 file (ISO/IEC 14496-12): enough to say what it is and whether its index is in front."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Protocol

MAX_BOXES = 256
_FIRST_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_MATROSKA = b"\x1aE\xdf\xa3"


class Seekable(Protocol):
    """What is needed of a binary file."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int: ...

    def read(self, size: int = -1) -> bytes: ...


def demuxer_for(head: bytes) -> str | None:
    """ffmpeg's name of the demuxer for a clip with these first bytes, `None` where it is neither MP4 nor WebM.

    The demuxer is named and never guessed: ffmpeg's demuxers include playlist formats, which open other addresses.
    """
    if head.startswith(_MATROSKA):
        return "matroska"
    return "mp4" if head[4:8] in _FIRST_BOXES else None


def container_name(head: bytes, metadata: Mapping[str, str]) -> str:
    """The container's usual name (`mp4`, `mov`, `webm`, `matroska`), by its first bytes and what its demuxer read."""
    if head.startswith(_MATROSKA):
        return "webm" if b"webm" in head else "matroska"
    return "mov" if metadata.get("major_brand", "").strip() == "qt" else "mp4"


def index_in_front(file: Seekable) -> bool | None:
    """Whether `moov` comes before `mdat`, so that a player can start before it has the whole file.

    `None` where one of the two is missing. Reads the headers of the boxes only.
    """
    found = [name for name in _names(file) if name in (b"moov", b"mdat")]
    return found[0] == b"moov" if {b"moov", b"mdat"} <= set(found) else None


def _names(file: Seekable) -> Iterator[bytes]:
    size, at = file.seek(0, os.SEEK_END), 0
    for _ in range(MAX_BOXES):
        if at + 8 > size:
            return
        file.seek(at)
        header = _exactly(file, 16)
        length, name = int.from_bytes(header[:4]), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16])
        yield name
        if length < 8:
            return  # 0: up to the end of the file; anything else is damage
        at += length


def _exactly(file: Seekable, count: int) -> bytes:
    found = b""
    while len(found) < count and (piece := file.read(count - len(found))):
        found += piece
    return found
