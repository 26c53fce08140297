"""A manifest on this machine: which local pictures it names, and the same manifest with their addresses."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillmotion_cli.errors import BadInput
from stillmotion_cli.pictures import is_address

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".json")
COLUMNS = ("first_frame", "last_frame")
FRAMES = ("frame_images", "input_references")

type Row = dict[str, Any]
type Put = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows of a manifest; `columns` are a CSV's, in its order."""

    path: Path
    rows: list[Any]
    columns: list[str] | None

    @property
    def content_type(self) -> str:
        """The content to upload: an array of JSON objects as JSON lines."""
        return "application/jsonl" if self.columns is None else "text/csv"

    def pictures(self) -> list[Path]:
        """The local pictures that it names, each once, in its order."""
        found = (self.path.parent / address for _row, address, _put in self._named())
        return list(dict.fromkeys(found))

    def bring(self, addresses: Mapping[Path, str]) -> bytes:
        """The manifest as it is sent, with an address in the place of every local picture."""
        for _row, address, put in list(self._named()):
            put(addresses[self.path.parent / address])
        if self.columns is None:
            return "".join(json.dumps(row) + "\n" for row in self.rows).encode()
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue().encode()

    def digest(self) -> str:
        """A name made of its content: its rows, and the bytes of the pictures that they name."""
        whole = hashlib.sha256(json.dumps([self.columns, self.rows]).encode())
        for picture in self.pictures():
            whole.update(hashlib.sha256(picture.read_bytes()).digest())
        return whole.hexdigest()

    def _named(self) -> Iterator[tuple[Row, str, Put]]:
        for row in self.rows:
            for holder, name in _places(row):
                address = holder.get(name)
                if isinstance(address, str) and address and not is_address(address):
                    yield row, address, _putter(holder, name)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises BadInput where it is none; what its rows ask for is for the stack to judge."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{path} is no manifest: it ends in none of {', '.join(SUFFIXES)}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise BadInput(f"There is no manifest at {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as UTF-8 text: {error}") from error
    try:
        rows, columns = _csv(text) if path.suffix.lower() == ".csv" else (_json(text), None)
    except (ValueError, csv.Error, RecursionError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    if not rows:
        raise BadInput(f"{path} has no rows.")
    return Manifest(path, rows, columns)


def _csv(text: str) -> tuple[list[Any], list[str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows = []
    for row in reader:
        if None in row:
            raise ValueError(f"line {reader.line_num} has more cells than the header has columns")
        rows.append({name: cell for name, cell in row.items() if cell is not None})
    return rows, list(reader.fieldnames or [])


def _json(text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        found: list[Any] = json.loads(text)
        return found
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON: {error}") from error
    return rows


def _places(row: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a row may name a picture."""
    if not isinstance(row, dict):
        return
    for column in COLUMNS:
        yield row, column
    for field in FRAMES:
        listed = row.get(field)
        for entry in listed if isinstance(listed, list) else []:
            media = entry.get("image_url") if isinstance(entry, dict) else None
            if isinstance(media, dict):
                yield media, "url"


def _putter(holder: dict[str, Any], name: str) -> Put:
    def put(address: str) -> None:
        holder[name] = address

    return put
