"""Clips for the tests of the inspection: made by the simulator's encoder, damaged, or stretched to any size."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from threading import Event

from PIL import Image

from local.simulator.pictures import landscape
from local.simulator.studio import Recipe, render

ROOMY_SECONDS = 60.0


@dataclass
class Bytes:
    """A source in memory that counts."""

    content: bytes
    requests: int = 0
    fetched: int = 0

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, start: int, end: int) -> bytes:
        self.requests += 1
        self.fetched += end - start
        return self.content[start:end]


@dataclass
class Stretched(Bytes):
    """A clip with a gap in the middle of its samples, as large as wanted, that takes no memory."""

    cut: int = 0
    gap: int = 0

    @property
    def size(self) -> int:
        return len(self.content) + self.gap

    def read(self, start: int, end: int) -> bytes:
        self.requests += 1
        self.fetched += end - start
        end_of_gap = self.cut + self.gap
        return (
            self.content[start : min(end, self.cut)]
            + bytes(max(0, min(end, end_of_gap) - max(start, self.cut)))
            + self.content[max(start - self.gap, self.cut) : max(end - self.gap, self.cut)]
        )


def stretched(clip: bytes, gap: int) -> Stretched:
    """The clip with `gap` bytes between two samples in its middle, its index put right."""
    data = bytearray(clip)
    mdat = clip.index(b"mdat") - 4
    tables = list(_chunk_tables(clip))
    offsets = sorted(offset for _, table in tables for offset in table)
    cut = offsets[len(offsets) // 2]
    for at, table in tables:
        moved = [offset + gap if offset >= cut else offset for offset in table]
        struct.pack_into(f">{len(moved)}I", data, at, *moved)
    struct.pack_into(">I", data, mdat, int.from_bytes(clip[mdat : mdat + 4]) + gap)
    return Stretched(bytes(data), cut=cut, gap=gap)


def _chunk_tables(clip: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Where each track's chunk offsets stand, and what they are (ISO/IEC 14496-12, `stco`)."""
    at = clip.find(b"stco")
    while at >= 0:
        (count,) = struct.unpack_from(">I", clip, at + 8)
        yield at + 12, struct.unpack_from(f">{count}I", clip, at + 12)
        at = clip.find(b"stco", at + 4)


def picture(
    name: str = "lake", width: int = 640, height: int = 360, kind: str = "PNG", *, exif: int | None = None
) -> bytes:
    """A landscape as a file; with `exif`, stored turned so that this orientation shows it upright."""
    image = landscape(name, width, height)
    options = {}
    if exif is not None:
        data = Image.Exif()
        data[0x0112] = exif
        image, options = _stored_for(image, exif), {"exif": data, "quality": 95}
    return encoded(image, kind, **options)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _stored_for(image: Image.Image, orientation: int) -> Image.Image:
    """The inverse of what EXIF 2.32 asks a viewer to do (tag 0x0112)."""
    turn = Image.Transpose
    undo = {
        1: None,
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }[orientation]
    return image if undo is None else image.transpose(undo)


@cache
def clip(
    first: bytes | None = None,
    last: bytes | None = None,
    width: int = 320,
    height: int = 180,
    seconds: int = 1,
    audio: bool = False,
) -> bytes:
    """A clip by the simulator: H.264 in MP4, its index in front."""
    return render(Recipe(width, height, seconds, audio, "inspection", first=first, last=last), Event())
