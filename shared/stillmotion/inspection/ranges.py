"""A stored object as a file that can be read and sought, fetched by ranges in bounded memory.

A demuxer reads a clip's index, jumps to its samples and goes on from there. So a jump fetches a small piece, and
sequential reading fetches larger and larger ones. At most `WINDOWS` pieces are held.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stillmotion.errors import StorageFailed

FIRST_BYTES = 512 * 2**10
LARGEST_BYTES = 4 * 2**20
WINDOWS = 3


class Source(Protocol):
    """An object of a known size."""

    @property
    def size(self) -> int:
        """In bytes."""

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to, and without, `end`.

        Raises:
            StorageFailed: they could not be read now.
        """


class BudgetSpent(Exception):
    """No more may be read: the time or the number of bytes for this clip is used up."""


@dataclass(slots=True)
class _Window:
    start: int
    content: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.content)


class RangeFile(io.RawIOBase):
    """A `Source` as a binary file.

    Args:
        source: where the bytes are.
        in_time: whether more may still be read; asked before each request.
        max_bytes: fetched at most, all requests together.

    Reading raises `BudgetSpent` and `StorageFailed`. The last error of reading stays in `failure`, because a demuxer
    may report it as one of its own.
    """

    def __init__(self, source: Source, in_time: Callable[[], bool], max_bytes: int) -> None:
        super().__init__()
        self._source = source
        self._in_time = in_time
        self._max_bytes = max_bytes
        self._position = 0
        self._windows: list[_Window] = []  # the one used last at the end
        self.requests = 0
        self.fetched = 0
        self.failure: BudgetSpent | StorageFailed | None = None

    @property
    def size(self) -> int:
        """The object's size in bytes."""
        return self._source.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning of the file")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, fewer at the end of a piece; none only at the end of the file."""
        if self._position >= self.size or size == 0:
            return b""
        try:
            window = self._window()
        except (BudgetSpent, StorageFailed) as error:
            self.failure = error
            raise
        begin = self._position - window.start
        piece = window.content[begin:] if size < 0 else window.content[begin : begin + size]
        self._position += len(piece)
        return piece

    def _window(self) -> _Window:
        """The window that holds the current position, fetched if there is none."""
        at = self._position
        for window in self._windows:
            if window.start <= at < window.end:
                self._windows.remove(window)
                self._windows.append(window)
                return window
        before = next((window for window in self._windows if window.end == at), None)
        length = FIRST_BYTES if before is None else min(2 * len(before.content), LARGEST_BYTES)
        if before is not None:
            self._windows.remove(before)  # read to its end, and on from there
        while len(self._windows) >= WINDOWS:
            self._windows.pop(0)
        window = _Window(at, self._fetch(at, min(at + length, self.size)))
        self._windows.append(window)
        return window

    def _fetch(self, start: int, end: int) -> bytes:
        if not self._in_time():
            raise BudgetSpent(f"The time for this clip was over after {self.requests} requests.")
        if self.fetched + end - start > self._max_bytes:
            raise BudgetSpent(f"{self.fetched:,} bytes were read, at most {self._max_bytes:,} may be.")
        content = self._source.read(start, end)
        self.requests += 1
        self.fetched += len(content)
        if len(content) != end - start:
            raise StorageFailed(f"Asked for {end - start:,} bytes of the clip, got {len(content):,}. Try again.")
        return content
