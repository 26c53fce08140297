"""A manifest on this machine: which local pictures it names, and the same manifest with their addresses.

The stack checks what the rows ask for, so every row keeps its line number.
"""

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillmotion_cli.errors import BadInput
from stillmotion_cli.pictures import is_address

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
TABLES = (".csv", ".tsv")
COLUMNS = ("first_frame", "last_frame")
FRAMES = ("frame_images", "input_references")
KNOWN_COLUMNS = frozenset(
    ("item_id", "model", "prompt", "duration", "resolution", "aspect_ratio", "size", "generate_audio", "seed", *COLUMNS)
)
_SEPARATOR_LINE = re.compile(r'"?sep=(\\t|.)"?\s*', re.IGNORECASE)
_WRAPPER = re.compile(r'\{\s*"((?:[^"\\]|\\.){1,100})"\s*:\s*(?=\[)')
_SPACE = re.compile(r"\s*")

type Put = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows of a manifest, as they are sent.

    `rows` are a CSV's lists of cells, the header first, or decoded JSON; `lines` are the lines that rows of JSON begin
    on. `separator` is a CSV's, None for JSON; `preamble` the text before its header.
    """

    path: Path
    rows: list[Any]
    lines: list[int]
    separator: str | None = None
    preamble: str = ""

    @property
    def content_type(self) -> str:
        """The content to upload: an array of JSON objects as JSON lines."""
        return "application/jsonl" if self.separator is None else "text/csv"

    def pictures(self) -> list[Path]:
        """The local pictures that it names, each once, in its order."""
        return list(dict.fromkeys(self._file(address) for address, _put in self._named()))

    def bring(self, addresses: Mapping[Path, str]) -> bytes:
        """The manifest as it is sent, with an address in the place of every local picture."""
        for address, put in list(self._named()):
            put(addresses[self._file(address)])
        text = io.StringIO()
        if self.separator is not None:
            text.write(self.preamble)
            csv.writer(text, delimiter=self.separator, lineterminator="\n").writerows(self.rows)
            return text.getvalue().encode()
        at = 1
        for row, line in zip(self.rows, self.lines, strict=True):
            text.write("\n" * max(line - at, 0) + json.dumps(row) + "\n")
            at = max(line, at) + 1
        return text.getvalue().encode()

    def digest(self) -> str:
        """A name made of its content: its rows, and the bytes of the pictures that they name."""
        whole = hashlib.sha256(json.dumps([self.separator, self.rows]).encode())
        for picture in self.pictures():
            whole.update(hashlib.sha256(picture.read_bytes()).digest())
        return whole.hexdigest()

    def _file(self, address: str) -> Path:
        """The file that a relative address names; one that was written on Windows has backslashes."""
        found = self.path.parent / address
        return found if "\\" not in address or os.path.exists(found) else self.path.parent / address.replace("\\", "/")

    def _named(self) -> Iterator[tuple[str, Put]]:
        for holder, name in _cells(self.rows) if self.separator is not None else _fields(self.rows):
            address = holder[name]
            if isinstance(address, str) and address.strip() and not is_address(address.strip()):
                yield address.strip(), _putter(holder, name)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises BadInput where it is none; the stack checks what its rows ask for."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{path} is no manifest: it ends in none of {', '.join(SUFFIXES)}.")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(f"There is no manifest at {path}.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    text = _decoded(path, content)
    try:
        table = path.suffix.lower() in TABLES and text.lstrip()[:1] not in ("[", "{")
        manifest = _csv(path, text) if table else _json(path, text)
    except (ValueError, csv.Error, RecursionError) as error:
        raise BadInput(f"{path} cannot be read: {error}. Nothing was sent.") from error
    if not any(manifest.rows[1:] if table else manifest.rows):
        raise BadInput(f"{path} has no rows.")
    return manifest


def _decoded(path: Path, content: bytes) -> str:
    """The text, with plain line ends."""
    fix = "Save it as UTF-8: in Excel as 'CSV UTF-8', in LibreOffice with the character set UTF-8."
    if content[:2] in (b"PK", b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:4]:
        kind = "a workbook" if content[:2] == b"PK" else "UTF-16 text"
        raise BadInput(f"{path} is {kind}, not CSV or JSON in UTF-8. {fix}")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        near = content[max(0, error.start - 10) : error.start + 10].decode("cp1252", "replace")
        near = " ".join(near.split())
        raise BadInput(f"{path} is not UTF-8: line {before.count(b'\n') + 1:,}, near '{near}'. {fix}") from error


def _csv(path: Path, text: str) -> Manifest:
    start = len(text) - len(text.lstrip("\n"))
    first = text[start:].partition("\n")[0]
    named = _SEPARATOR_LINE.fullmatch(first)
    if named is not None:
        separator, start = named[1].replace("\\t", "\t"), start + len(first) + 1
    else:
        separator = max(",;\t", key=lambda sign: _fit(first, sign))
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    rows: list[list[str]] = []
    begun, preamble = text[:start].count("\n"), text[:start]
    try:
        for row in reader:
            while rows and len(row) > len(rows[0]) and not row[-1].strip():
                row.pop()
            if rows and len(row) > len(rows[0]):
                raise ValueError(
                    f"line {begun + reader.line_num:,} has more cells than the header has columns, "
                    f"'{row[len(rows[0])][:40]}' is in none of them"
                )
            rows.append(row)
            last = reader.line_num
    except csv.Error as error:
        line = begun + (last if rows else 0) + 1
        raise ValueError(f"line {line:,} has a quote that does not fit: {error}") from error
    return Manifest(path, rows, [], separator, preamble)


def _fit(header: str, separator: str) -> tuple[int, int]:
    """How many known columns a separator makes of a header, and how many columns."""
    cells = [cell.strip().strip('"') for cell in header.split(separator)]
    return sum(cell in KNOWN_COLUMNS or cell.startswith("metadata.") for cell in cells), len(cells)


def _json(path: Path, text: str) -> Manifest:
    """JSON lines, objects one after another, an array, or an array as the one field of an object."""
    at, closing = _space(text, 0), ""
    wrapper = _WRAPPER.match(text, at)
    if wrapper is not None and wrapper[1] not in FRAMES:
        at, closing = wrapper.end(), "}"
    is_array = text[at : at + 1] == "["
    rows: list[Any] = []
    lines: list[int] = []
    line, counted = 1, 0
    at = _space(text, at + 1) if is_array else at
    while at < len(text) and not (is_array and text[at] == "]"):
        try:
            row, end = json.JSONDecoder().raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {error.lineno:,} is not JSON: {error.msg}") from error
        rows.append(row)
        line, counted = line + text.count("\n", counted, at), at
        lines.append(line)
        at = _space(text, end)
        if is_array and text[at : at + 1] == ",":
            at = _space(text, at + 1)
        elif is_array and text[at : at + 1] != "]":
            raise ValueError(f"after line {line:,} the JSON array is broken off, or a comma is missing")
    if is_array:
        rest = "".join(text[at + 1 :].split())
        if text[at : at + 1] != "]" or rest != closing:
            raise ValueError("it is not one JSON array from beginning to end")
    return Manifest(path, rows, lines)


def _space(text: str, at: int) -> int:
    """The place of the next character that is no space."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _cells(rows: list[list[str]]) -> Iterator[tuple[list[str], int]]:
    """Where the rows of a table may name a picture."""
    places = [at for at, column in enumerate(rows[0]) if column.strip() in COLUMNS] if rows else []
    for row in rows[1:]:
        for at in places:
            if at < len(row):
                yield row, at


def _fields(rows: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Where rows of JSON may name a picture."""
    for row in rows:
        if not isinstance(row, dict):
            continue
        for column in COLUMNS:
            if column in row:
                yield row, column
        for field in FRAMES:
            listed = row.get(field)
            for entry in listed if isinstance(listed, list) else []:
                media = entry.get("image_url") if isinstance(entry, dict) else None
                if isinstance(media, dict) and "url" in media:
                    yield media, "url"


def _putter(holder: Any, name: Any) -> Put:
    def put(address: str) -> None:
        holder[name] = address

    return put
