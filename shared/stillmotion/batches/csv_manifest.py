"""Manifests in CSV, as spreadsheets and data tools write them.

Excel, LibreOffice, Google Sheets and pandas differ in the separator (comma, semicolon, tab; Excel may name it in a
first line ``sep=;``), in line ends, in the truth values of their languages, in writing ``4`` as ``4.0`` or ``4,0``, and
in columns without a name: empty ones at the end, or pandas' index at the beginning.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stillmotion.batches.manifest_row import MAX_ROW_BYTES, TOO_LARGE, Piece, Row, lines, not_utf8
from stillmotion.errors import InvalidRequest
from stillmotion.requests.merging import METADATA

COLUMNS = (
    *("item_id", "model", "prompt", "duration", "resolution", "aspect_ratio", "size", "generate_audio", "seed"),
    *("first_frame", "last_frame"),
)
MAX_RECORD_BYTES = 4 * MAX_ROW_BYTES
"""Lines that one row may span before the manifest is refused: a quote that is never closed is noticed here."""
_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=(\\t|.)"?\s*', re.IGNORECASE)
_TRUE = ("true", "yes", "1", "1.0", "1,0", "wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar", "sand", "sant")
_FALSE = ("false", "no", "0", "0.0", "0,0", "falsch", "faux", "falso", "onwaar", "falsk", "falskt")
_TRUTHS = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
"""What programs write, and what Excel shows, and so saves, in the languages that it speaks."""
_WHOLE = re.compile(r"(-?\d{1,19})(?:\.0+|,00?)?")
_NAMELESS = re.compile(r"(?:unnamed: \d+)?", re.IGNORECASE)
"""Pandas reads back an index that it wrote as ``Unnamed: 0``."""
MAX_SHOWN_CHARACTERS = 40


def csv_rows(chunks: Iterable[bytes], blank: int) -> Iterator[Row]:
    """The rows of a CSV; ``blank`` is the number of lines before ``chunks``.

    Raises:
        InvalidRequest: it has no header that fits, or cannot be read to its end; with line, column and cell.
    """
    source = _Lines(lines(_with_plain_ends(chunks), blank))
    first = source.first()
    if first is None:
        return
    named = _SEPARATOR_LINE.fullmatch(first)
    if named is not None:
        source.skip()
    separator = named[1].replace("\\t", "\t") if named else _separator(first)
    records = _records(source, separator)
    header = next(records, None)
    if header is None:
        return
    columns = _Columns.of(header)
    source.columns = columns.names
    for number, record in enumerate(records, start=1):
        yield columns.row(number, record)


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    cells: list[str]


class _Lines:
    """The lines of a CSV as text, and those of the row that is being read."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._again: str | None = None
        self.columns: Sequence[str] = ()
        self.separator = ","
        self.begin = self._line = 0
        self.record = ""

    def first(self) -> str | None:
        """The first line; it is given again when lines are read."""
        self._again = next(self, None)
        self.record = ""
        return None if self._again is None else self._again.rstrip("\n")

    def skip(self) -> None:
        """Drop the first line."""
        self._again, self.begin = None, 0

    def start(self) -> None:
        """The next line begins a row."""
        self.record, self.begin = "", 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again is not None:
            text, self._again = self._again, None
        else:
            piece = next(self._pieces)
            self._line = piece.line
            text = self._text(piece)
        self.begin = self.begin or self._line
        self.record += text
        if len(self.record) > MAX_RECORD_BYTES:
            raise self.refused("has more than a row may have")
        return text

    def _text(self, piece: Piece) -> str:
        if piece.too_large:
            raise InvalidRequest(f"Line {piece.line:,} of the manifest {TOO_LARGE}. Nothing was started.")
        try:
            return piece.content.decode() + "\n"
        except UnicodeDecodeError as error:
            text = self.record + piece.content[: error.start].decode()
            separator = self.separator if self.columns else _separator(text)
            at = len(list(_cells(text, separator)))
            cell = piece.content[max(0, error.start - 10) : error.start + 10].decode("cp1252", "replace")
            place = f"line {piece.line:,}, column {at}{self._name(at)}, cell near '{_shown(cell.strip())}'"
            raise not_utf8(place) from None

    def refused(self, why: str) -> InvalidRequest:
        """The refusal of the manifest because of the row that is being read."""
        cells = list(_cells(self.record, self.separator))
        at, cell = len(cells), cells[-1][0]
        return InvalidRequest(
            f"The manifest's CSV cannot be read: line {self.begin:,}, column {at}{self._name(at)}, cell "
            f"'{_shown(cell.strip())}' {why}. Put the whole cell in quotes and double the quotes within it; nothing "
            "was started."
        )

    def _name(self, at: int) -> str:
        return f" ({self.columns[at - 1]})" if at <= len(self.columns) and self.columns[at - 1] else ""


def _with_plain_ends(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same with ``\\n`` for every line end: Windows has two characters, and old programs for the Mac the other."""
    held = b""
    for chunk in chunks:
        whole = held + chunk
        held = whole[-1:] if whole.endswith(b"\r") else b""
        yield whole.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if held:
        yield b"\n"


def _separator(header: str) -> str:
    """The separator that gives the most known columns for this header."""

    def known(separator: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in header.split(separator)]
        return sum(_is_column(cell) for cell in cells), len(cells)

    return max(_SEPARATORS, key=known)


def _records(source: _Lines, separator: str) -> Iterator[_Record]:
    """The rows that are not empty."""
    source.separator = separator
    reader = csv.reader(source, delimiter=separator, strict=True, skipinitialspace=separator != " ")
    while True:
        source.start()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            ended = "end of data" in str(error)
            raise source.refused("has a quote that is never closed" if ended else "has a stray quote") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield _Record(source.begin, [cell.strip() for cell in cells])


def _cells(text: str, separator: str) -> Iterator[tuple[str, bool]]:
    """The cells of a row's text, each with whether its quotes are valid; reading stops at the first that is not."""
    at = 0
    while at <= len(text):
        start = at = at + len(text[at:]) - len(text[at:].lstrip(" "))
        if text[at : at + 1] == '"':
            quoted = re.compile(r'"(?:[^"]|"")*"').match(text, at)
            at = quoted.end() if quoted else len(text)
            good = quoted is not None and text[at : at + 1] in (separator, "\n", "")
            yield text[start : at if good else at + 20], good
            if not good:
                return
        else:
            ends = [found for found in (text.find(separator, at), text.find("\n", at)) if found >= 0]
            at = min(ends, default=len(text))
            yield text[start:at], True
        if text[at : at + 1] != separator:
            return
        at += 1


def _is_column(name: str) -> bool:
    return name in COLUMNS or (name.startswith(METADATA) and name != METADATA)


@dataclass(frozen=True, slots=True)
class _Columns:
    """The header: a name for every column, empty where it has none."""

    names: list[str]
    index: int | None
    """The first column, where it has no name: an index that pandas wrote."""

    @classmethod
    def of(cls, header: _Record) -> _Columns:
        """Raises InvalidRequest where a column is not one of a manifest's, or comes twice."""
        names = ["" if _NAMELESS.fullmatch(name) else name for name in header.cells]
        for at, name in enumerate(names, start=1):
            where = f"line {header.line:,}, column {at}, cell '{_shown(name)}'"
            what = f"Columns are {', '.join(COLUMNS)} and {METADATA}<name>; nothing was started."
            if name and not _is_column(name):
                raise InvalidRequest(f"The manifest has no column '{_shown(name)}' ({where}). {what}")
            if name and name in names[: at - 1]:
                raise InvalidRequest(f"The manifest has the column '{_shown(name)}' twice ({where}). {what}")
        return cls(names, 0 if names[0] == "" else None)

    def row(self, number: int, record: _Record) -> Row:
        """A row's cells as fields. Rows may be shorter than the header: what is empty at the end may be left out."""
        cells = record.cells
        given = {name: cell for name, cell in zip(self.names, cells, strict=False) if name and cell}
        item_id = given.get("item_id")
        while len(cells) > len(self.names) and not cells[-1]:
            cells = cells[:-1]
        problem = ""
        if len(cells) > len(self.names):
            extra = _shown(next(cell for cell in cells[len(self.names) :] if cell))
            problem = f"has {len(cells)} cells for {len(self.names)} columns: '{extra}' is in none of them"
        elif sum(map(len, cells)) > MAX_ROW_BYTES:
            problem = TOO_LARGE
        else:
            problem = self._astray(cells)
        if problem:
            return Row(number, None, problem, record.line, item_id)
        return Row(number, {name: _typed(name, cell) for name, cell in given.items()}, line=record.line)

    def _astray(self, cells: list[str]) -> str:
        """What is wrong with a cell in a column without a name; only an index that pandas wrote may be dropped."""
        for at, (name, cell) in enumerate(zip(self.names, cells, strict=False)):
            if cell and not name and not (at == self.index and cell.isdecimal()):
                return f"has '{_shown(cell)}' in column {at + 1}, which has no name"
        return ""


def _typed(column: str, cell: str) -> Any:
    """A cell as the type of its request field; one that does not fit stays text, and is refused by the column's name
    later.
    """
    if column in ("duration", "seed"):
        whole = _WHOLE.fullmatch(cell)
        return int(whole[1]) if whole else cell
    return _TRUTHS.get(cell.lower(), cell) if column == "generate_audio" else cell


def _shown(cell: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in cell)
    return plain if len(plain) <= MAX_SHOWN_CHARACTERS else f"{plain[:MAX_SHOWN_CHARACTERS]}…"
