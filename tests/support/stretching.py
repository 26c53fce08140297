"""Sources of a clip's bytes that count what is read of them, and clips that are stretched to any size."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass


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
