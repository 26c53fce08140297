"""The range-reading file: right bytes, few requests, bounded memory and budget."""

from __future__ import annotations

import io
import os
import random

import pytest

from stillmotion.errors import StorageFailed
from stillmotion.inspection.boxes import demuxer_for, index_in_front
from stillmotion.inspection.ranges import FIRST_BYTES, LARGEST_BYTES, WINDOWS, BudgetSpent, RangeFile
from tests.support.stretching import Bytes


def opened(content: bytes, max_bytes: int = 2**30) -> RangeFile:
    return RangeFile(Bytes(content), lambda: True, max_bytes)


def test_reads_are_those_of_a_file() -> None:
    content, dice = random.Random(3).randbytes(3 * 2**20 + 17), random.Random(4)
    file, plain = opened(content), io.BytesIO(content)
    for _ in range(500):
        if dice.random() < 0.3:
            whence = dice.choice((os.SEEK_SET, os.SEEK_END))
            offset = dice.randrange(len(content)) - (len(content) if whence == os.SEEK_END else 0)
            assert file.seek(offset, whence) == plain.seek(offset, whence)
        piece = file.read(dice.randrange(1, 200_000))
        assert piece == plain.read(len(piece))
        assert piece or plain.tell() == len(content)
        assert file.tell() == plain.tell()


def test_reading_on_fetches_ever_larger_pieces() -> None:
    source = Bytes(bytes(32 * 2**20))
    file = RangeFile(source, lambda: True, 2**30)
    while file.read(32_768):
        pass
    assert source.fetched == source.size
    assert source.requests == 3 + 7 + 1  # 0.5, 1, 2 MiB, then 4 MiB each, and what is left
    assert max(len(window.content) for window in file._windows) <= LARGEST_BYTES


def test_jumps_fetch_little_and_few_pieces_are_held() -> None:
    source = Bytes(bytes(64 * 2**20))
    file = RangeFile(source, lambda: True, 2**30)
    for at in range(20):
        file.seek(at * 3 * 2**20)
        assert len(file.read(100)) == 100
    assert source.fetched == 20 * FIRST_BYTES
    assert len(file._windows) == WINDOWS


def test_a_spent_budget_is_raised() -> None:
    file = opened(bytes(4 * FIRST_BYTES), max_bytes=FIRST_BYTES)
    file.read(10)
    file.seek(2 * FIRST_BYTES)
    with pytest.raises(BudgetSpent, match="at most 524,288"):
        file.read(10)
    late = RangeFile(Bytes(b"abc"), lambda: False, 100)
    with pytest.raises(BudgetSpent, match="time"):
        late.read(1)


def test_an_object_that_became_shorter_is_a_storage_error() -> None:
    class Shorter(Bytes):
        def read(self, start: int, end: int) -> bytes:
            return super().read(start, end)[:-1]

    with pytest.raises(StorageFailed, match="got 9"):
        RangeFile(Shorter(bytes(10)), lambda: True, 100).read(4)


def box(name: bytes, size: int, body: bytes = b"") -> bytes:
    return size.to_bytes(4) + name + body


@pytest.mark.parametrize(
    ("content", "front"),
    [
        (box(b"ftyp", 8) + box(b"moov", 8) + box(b"mdat", 8), True),
        (box(b"ftyp", 8) + box(b"mdat", 8) + box(b"moov", 8), False),
        (box(b"ftyp", 8) + box(b"mdat", 1, (20).to_bytes(8) + b"1234") + box(b"moov", 8), False),
        (box(b"moov", 8) + box(b"mdat", 0), True),
        (box(b"ftyp", 8) + box(b"mdat", 0), None),
        (box(b"moov", 3) + box(b"mdat", 8), None),
        (b"", None),
        (box(b"free", 8) * 100_000, None),
    ],
)
def test_the_place_of_the_index_is_read_off_the_boxes(content: bytes, front: bool | None) -> None:
    assert index_in_front(io.BytesIO(content)) is front


def test_the_demuxer_is_chosen_by_the_first_bytes() -> None:
    assert demuxer_for(b"\0\0\0\x18ftypisom") == "mp4"
    assert demuxer_for(b"\x1aE\xdf\xa3...") == "matroska"
    assert demuxer_for(b"#EXTM3U\n#EXT-X") is None
    assert demuxer_for(b"v=0\r\no=- ftyp") is None
