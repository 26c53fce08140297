"""Manifests in JSON: lines, an array, or objects one after another, cut into rows before they are parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from stillmotion.batches.manifest_row import MAX_ROW_BYTES, TOO_LARGE, Piece, Row, lines, not_utf8
from stillmotion.errors import InvalidRequest
from stillmotion.requests.json_text import GivenTwice, load_json

_OUTSIDE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\],]', re.DOTALL)
"""A whole string, or a bracket, comma or quote; that quote begins a string that continues in the next piece."""
_INSIDE = re.compile(rb'["\\]')


def line_rows(chunks: Iterable[bytes], blank: int) -> Iterator[Row]:
    """The rows of JSON lines; ``blank`` is the number of lines before ``chunks``."""
    return _rows(piece for piece in lines(chunks, blank) if piece.too_large or piece.content.strip())


def array_rows(chunks: Iterable[bytes], blank: int, wrapper: str | None = None) -> Iterator[Row]:
    """The rows of a JSON array.

    Args:
        wrapper: the field of an object that the array is the value of; the bytes begin at the array.

    Raises:
        InvalidRequest: it is not one array from beginning to end.
    """
    return _rows(_pieces(_Cutter(1, blank, wrapper), chunks))


def series_rows(chunks: Iterable[bytes], blank: int) -> Iterator[Row]:
    """The rows of JSON objects one after another, each on any number of lines.

    Raises:
        InvalidRequest: the last one has no end, or something stands between them.
    """
    return _rows(_pieces(_Cutter(0, blank), chunks))


def _rows(pieces: Iterable[Piece]) -> Iterator[Row]:
    for number, piece in enumerate(pieces, start=1):
        if piece.too_large:
            yield Row(number, None, TOO_LARGE, piece.line, piece.item_id())
            continue
        try:
            data = load_json(piece.content.decode())
        except UnicodeDecodeError as error:
            line = piece.line + piece.content.count(b"\n", 0, error.start)
            raise not_utf8(f"line {line:,}, byte {error.object[error.start]:#04x}") from None
        except (ValueError, RecursionError) as error:
            yield Row(number, None, _why(error, piece.line), piece.line, piece.item_id())
            continue
        fits = isinstance(data, dict)
        yield Row(number, data if fits else None, "" if fits else "is not a JSON object", piece.line)


def _why(error: Exception, line: int) -> str:
    if isinstance(error, GivenTwice):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg} at line {line + error.lineno - 1:,}, character {error.colno:,}"
    return f"is not JSON ({type(error).__name__})"


def _pieces(cutter: _Cutter, chunks: Iterable[bytes]) -> Iterator[Piece]:
    for chunk in chunks:
        yield from cutter.feed(chunk)
    cutter.end()


class _Cutter:
    """Cuts values out by their brackets, without parsing them, from pieces of any size.

    Args:
        base: the nesting depth of the values: 1 in an array, 0 for objects one after another.
        blank: how many lines came before.
        wrapper: the field whose value the array is.
    """

    def __init__(self, base: int, blank: int, wrapper: str | None = None) -> None:
        self._base = base
        self._wrapper = wrapper
        self._wrapped = wrapper is not None
        self._depth = 0
        self._begun = False
        self._quoted = self._escaped = self._too_large = False
        self._value = bytearray()
        # Line ends before the value that is being read, and within it.
        self._lines, self._value_lines = blank, 0

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """The values that end in a piece."""
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
            if len(sign) > 1 and self._depth:
                continue
            begins, ends = self._turns(sign)
            if begins or ends:
                # The brackets of an array are around its values; those of a lone object are its own.
                self._keep(chunk[start : at if ends and not self._base else found.start()])
                start = at if ends or self._base else found.start()
            if ends and self._depth:
                yield from self._take(last=sign != b",")
            self._move(sign)
        self._keep(chunk[start:])

    def _turns(self, sign: bytes) -> tuple[bool, bool]:
        """Whether a bracket, quote or comma begins the values, and whether it ends a value or the whole."""
        if self._base == 0:
            return self._depth == 0 and sign == b"{", self._depth == 1 and sign in b"]}"
        return not self._begun, self._begun and self._depth <= 1 and sign in b",]}"

    def _move(self, sign: bytes) -> None:
        """Take in one bracket, quote or comma outside of strings."""
        if self._depth == 0 and self._begun and self._base:
            if sign != b"}" or not self._wrapped:
                raise self._refused()
            self._wrapped = False
            return
        opens, closes = sign in b"[{", sign in b"]}"
        bracket = b"[]" if self._base else b"{}"
        if (self._depth == 0 and sign != bracket[:1]) or (self._depth == 1 and closes and sign != bracket[1:]):
            raise self._refused()
        self._begun = True
        self._quoted = sign == b'"'
        self._depth += opens - closes

    def _keep(self, piece: bytes) -> None:
        if self._depth == 0:
            if piece.strip():
                raise self._refused()
            self._lines += piece.count(b"\n")
            return
        self._value_lines += piece.count(b"\n")
        room = MAX_ROW_BYTES - len(self._value)
        if not self._too_large and len(piece) > room:
            piece, self._too_large = piece[:room], True
        if len(self._value) < MAX_ROW_BYTES:
            self._value += piece

    def _take(self, *, last: bool) -> Iterator[Piece]:
        content = bytes(self._value).lstrip()
        before = self._value[: len(self._value) - len(content)].count(b"\n")
        if content or self._too_large or not last:
            yield Piece(content, self._lines + before + 1, self._too_large)
        self._value.clear()
        self._lines += self._value_lines
        self._value_lines, self._too_large = 0, False

    def end(self) -> None:
        """Check that the input was complete.

        Raises:
            InvalidRequest: something is missing at the end.
        """
        whole = self._depth == 0 and self._begun and not self._wrapped
        if not whole:
            what = "JSON array" if self._base else "last JSON object"
            line = self._lines + self._value_lines + 1
            raise InvalidRequest(
                f"The manifest's {what} has no end (line {line:,}). Upload it whole; nothing was started."
            )

    def _refused(self) -> InvalidRequest:
        line = self._lines + self._value_lines + 1
        if self._begun and self._wrapper is not None and self._depth == 0:
            what = f"has more than its array '{self._wrapper}'"
        elif self._begun and self._base and self._depth == 0:
            what = "has something after its JSON array"
        else:
            what = "is not one JSON array" if self._base else "is not one JSON object after another"
        return InvalidRequest(f"The manifest {what} (line {line:,}). Correct it; nothing was started.")
