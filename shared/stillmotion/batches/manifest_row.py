"""A row as a manifest has it, and what the readers of all formats share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stillmotion.errors import InvalidRequest

MAX_ROW_BYTES = 64 * 1024
"""Limit of one row. A workflow's state has a limit of 256 KiB and holds a row up to four times."""
TOO_LARGE = f"has more than {MAX_ROW_BYTES:,} bytes; name pictures by their addresses"
_ITEM_ID = re.compile(rb'"item_id"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.){0,500}"|-?\d{1,40})')


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number (the first is 1), the line of the file that it begins on, and what it says; or what is
    wrong with it, and its ``item_id`` as far as that can be read."""

    number: int
    data: dict[str, Any] | None
    problem: str = ""
    line: int = 0
    item_id: Any = None

    @property
    def place(self) -> str:
        """Its place in the manifest, for messages."""
        return f"Row {self.number} (line {self.line:,})" if self.line else f"Row {self.number}"


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of a row and the line that they begin on; ``too_large`` where only the first bytes are kept."""

    content: bytes
    line: int
    too_large: bool = False

    def item_id(self) -> Any:
        """The ``item_id`` of a JSON object that cannot be read as a whole."""
        found = _ITEM_ID.search(self.content)
        try:
            return json.loads(found[1].decode()) if found else None
        except ValueError:
            return None


def lines(chunks: Iterable[bytes], blank: int = 0) -> Iterator[Piece]:
    """Each line without its end.

    Args:
        blank: how many lines came before the first of these.
    """
    line, dropped, number = bytearray(), False, blank + 1
    for chunk in chunks:
        *ended, open_end = chunk.split(b"\n")
        for piece in ended:
            line += b"" if dropped else piece
            yield Piece(bytes(line[:MAX_ROW_BYTES]), number, dropped or len(line) > MAX_ROW_BYTES)
            line.clear()
            dropped, number = False, number + 1
        line += b"" if dropped else open_end
        if len(line) > MAX_ROW_BYTES:
            del line[MAX_ROW_BYTES:]
            dropped = True
    if line:
        yield Piece(bytes(line[:MAX_ROW_BYTES]), number, dropped or len(line) > MAX_ROW_BYTES)


def not_utf8(place: str) -> InvalidRequest:
    """The refusal of a manifest in another encoding.

    Args:
        place: of the first byte that is not UTF-8, for example ``line 3``.
    """
    return InvalidRequest(
        f"The manifest is not UTF-8: {place}. Save it as UTF-8 (in Excel as 'CSV UTF-8', in LibreOffice with the "
        "character set UTF-8); nothing was started."
    )
