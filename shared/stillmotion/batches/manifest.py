"""The rows of a manifest, one at a time and in memory that does not depend on its size.

    rows.jsonl    a JSON object on each line
    rows.json     an array of JSON objects, or JSON lines
    rows.csv      a header line, then a row on each line; an empty cell is a field that is not given

The extension says which it is, else the content does. What is wrong with one row is reported with that row; what makes
the rest unreadable (an array that never ends, a CSV that is not UTF-8) refuses the manifest.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from stillmotion.errors import InvalidRequest

MAX_ROW_BYTES = 64 * 1024
"""Of one row: it rides through the state of a workflow, four times at worst, where 256 KiB are the limit."""
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv")
METADATA = "metadata."
COLUMNS = (
    *("item_id", "model", "prompt", "duration", "resolution", "aspect_ratio", "size", "generate_audio", "seed"),
    *("first_frame", "last_frame"),
)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WHOLE = re.compile(r"-?\d{1,19}")
_BOM = b"\xef\xbb\xbf"
_OUTSIDE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\],]', re.DOTALL)
"""A whole string, or a sign: also the quote of a string that goes on in the next piece."""
_INSIDE = re.compile(rb'["\\]')
_TOO_LARGE = f"has more than {MAX_ROW_BYTES:,} bytes; name pictures by their addresses"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number (the first is 1), and what it says, or what is wrong with it."""

    number: int
    data: dict[str, Any] | None
    problem: str = ""


def read_rows(chunks: Iterable[bytes], name: str) -> Iterator[Row]:
    """The rows of a manifest.

    Args:
        chunks: its bytes, in pieces of any size.
        name: its key or file name, for the extension.

    Raises:
        InvalidRequest: it is none, or cannot be read to its end.
    """
    head, rest = _head(iter(chunks))
    whole = chain([head], rest)
    suffix = f".{name.rpartition('.')[2].lower()}"
    if suffix == ".csv" or (suffix not in SUFFIXES and head[:1] not in (b"", b"[", b"{")):
        return _csv_rows(_lines(whole))
    if head[:1] == b"[" and suffix not in (".jsonl", ".ndjson"):
        return _json_rows(_elements(whole))
    return _json_rows(line for line in _lines(whole) if line is None or line.strip())


def _head(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes that are not space, and what follows them."""
    head = b""
    for chunk in chunks:
        head = (head + chunk).removeprefix(_BOM)
        # Of a byte order mark cut in two, the rest is still to come.
        if head.lstrip() and not _BOM.startswith(head):
            return head.lstrip(), chunks
        head = head if _BOM.startswith(head) else b""
    return head.strip(), iter(())


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Each line without its end; ``None`` for one that is too large."""
    line, dropped = bytearray(), False
    for chunk in chunks:
        *ended, open_end = chunk.split(b"\n")
        for piece in ended:
            line += piece
            yield None if dropped or len(line) > MAX_ROW_BYTES else bytes(line)
            line.clear()
            dropped = False
        line += open_end
        if len(line) > MAX_ROW_BYTES:
            line.clear()
            dropped = True
    if line or dropped:
        yield None if dropped else bytes(line)


def _json_rows(texts: Iterable[bytes | None]) -> Iterator[Row]:
    for number, text in enumerate(texts, start=1):
        if text is None:
            yield Row(number, None, _TOO_LARGE)
            continue
        try:
            data = json.loads(text.decode())
        except (ValueError, RecursionError) as error:
            yield Row(number, None, f"is not JSON ({type(error).__name__})")
            continue
        fits = isinstance(data, dict)
        yield Row(number, data if fits else None, "" if fits else "is not a JSON object")


def _elements(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Each element of a JSON array, cut out by its brackets and not looked into; ``None`` for one too large.

    Raises:
        InvalidRequest: it is not one array from beginning to end.
    """
    scanner = _Scanner()
    for chunk in chunks:
        yield from scanner.feed(chunk)
    if scanner.depth or not scanner.begun:
        raise InvalidRequest("The manifest's JSON array has no end. Upload it whole; nothing was started.")


class _Scanner:
    """Follows strings and brackets through pieces of any size."""

    def __init__(self) -> None:
        self.depth = 0
        self.begun = False
        self._quoted = self._escaped = self._dropped = False
        self._element = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        at = start = 0
        while at < len(chunk):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            found = (_INSIDE if self._quoted else _OUTSIDE).search(chunk, at)
            if found is None:
                break
            sign, at = found[0], found.end()
            if self._quoted:
                self._quoted, self._escaped = sign == b"\\", sign == b"\\"
                continue
            if len(sign) > 1 and self.depth:
                continue
            ends = self.depth == 1 and sign in b",]}"
            if ends:
                self._keep(chunk[start : at - 1])
                yield from self._take(last=sign != b",")
            opens = self.depth == 0 and sign in b"[{"
            self._turn(sign, b"" if self.depth else chunk[start : at - 1])
            start = at if ends or opens else start
        self._keep(chunk[start:])

    def _turn(self, sign: bytes, before: bytes) -> None:
        """Go on behind a sign outside of strings."""
        astray = self.begun or before.strip() or sign != b"["
        if (self.depth == 0 and astray) or (self.depth == 1 and sign == b"}"):
            raise InvalidRequest("The manifest is not one JSON array. Correct it; nothing was started.")
        self.begun = True
        self._quoted = sign == b'"'
        self.depth += (sign in b"[{") - (sign in b"]}")

    def _keep(self, piece: bytes) -> None:
        if self.depth == 0:
            if self.begun and piece.strip():
                raise InvalidRequest("Something follows the manifest's JSON array. Correct it; nothing was started.")
            return
        self._element += piece
        if len(self._element) > MAX_ROW_BYTES:
            self._element.clear()
            self._dropped = True

    def _take(self, *, last: bool) -> Iterator[bytes | None]:
        if self._dropped or self._element.strip() or not last:
            yield None if self._dropped else bytes(self._element)
        self._element.clear()
        self._dropped = False


def _csv_rows(lines: Iterator[bytes | None]) -> Iterator[Row]:
    reader = csv.reader((_text(line) for line in lines), strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        _check_columns(columns)
        cells = (row for row in reader if any(cell.strip() for cell in row))
        for number, row in enumerate(cells, start=1):
            yield _csv_row(number, columns, row)
    except csv.Error as error:
        raise InvalidRequest(f"The manifest's CSV cannot be read ({error}). Correct it; nothing was started.") from None


def _text(line: bytes | None) -> str:
    if line is None:
        raise InvalidRequest(f"A line of the manifest {_TOO_LARGE}. Nothing was started.")
    try:
        return line.decode() + "\n"
    except UnicodeDecodeError:
        raise InvalidRequest("The manifest's CSV is not UTF-8. Save it as UTF-8; nothing was started.") from None


def _check_columns(columns: list[str]) -> None:
    unknown = [column for column in columns if column not in COLUMNS and not column.startswith(METADATA)]
    if unknown or not columns or len(set(columns)) < len(columns):
        what = f"no column '{unknown[0][:80]}'" if unknown else "each column once, in its first line"
        raise InvalidRequest(
            f"A CSV manifest has {what}. It has {', '.join(COLUMNS)} and {METADATA}<name>; nothing was started."
        )


def _csv_row(number: int, columns: list[str], cells: list[str]) -> Row:
    if len(cells) > len(columns):
        return Row(number, None, f"has {len(cells)} cells for {len(columns)} columns")
    if sum(map(len, cells)) > MAX_ROW_BYTES:
        return Row(number, None, _TOO_LARGE)
    # Rows may be shorter than the header: spreadsheets leave out what is empty at the end.
    given = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if cell.strip()}
    return Row(number, {column: _typed(column, cell) for column, cell in given.items()})


def _typed(column: str, cell: str) -> Any:
    """A cell as the request's own type; what is not of it stays text, and is refused by the column's name later."""
    if column in ("duration", "seed") and _WHOLE.fullmatch(cell):
        return int(cell)
    return _TRUTHS.get(cell.lower(), cell) if column == "generate_audio" else cell
