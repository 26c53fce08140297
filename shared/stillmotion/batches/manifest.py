"""The rows of a manifest, one at a time and in memory that does not depend on its size.

    rows.jsonl    a JSON object on each line
    rows.json     an array of JSON objects, alone or as the one field of an object; or objects one after another
    rows.csv      a header line, then a row on each line; an empty cell is a field that is not given

Where content and extension disagree, the content decides. A fault of one row is reported with that row; what makes
the rest unreadable (an array that never ends, a quote that never closes, an encoding other than UTF-8) refuses the
manifest, with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from stillmotion.batches.csv_manifest import csv_rows
from stillmotion.batches.json_manifest import array_rows, line_rows, series_rows
from stillmotion.batches.manifest_row import MAX_ROW_BYTES, Row
from stillmotion.errors import InvalidRequest
from stillmotion.requests.merging import METADATA

__all__ = ["MAX_ROW_BYTES", "METADATA", "SUFFIXES", "Row", "read_rows"]

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv")
_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 256
_WRAPPER = re.compile(rb'\{\s*"((?:[^"\\]|\\.){1,100})"\s*:\s*(?=\[)')
_OWN_LISTS = (b"frame_images", b"input_references")
"""The fields of a request that are lists: an object that begins with one is a row."""
_FOREIGN = (
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"PK\x03\x04", "an Excel or OpenDocument workbook"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "compressed (gzip)"),
)


def read_rows(chunks: Iterable[bytes], name: str) -> Iterator[Row]:
    """The rows of a manifest.

    Args:
        chunks: its bytes, in pieces of any size.
        name: its key or file name, for the extension.

    Raises:
        InvalidRequest: it is none, or cannot be read to its end.
    """
    head, blank, rest = _head(iter(chunks))
    _check_kind(head)
    if not head:
        return iter(())
    suffix = f".{name.rpartition('.')[2].lower()}"
    if head[:1] not in (b"[", b"{") and (suffix == ".csv" or suffix not in SUFFIXES):
        return csv_rows(chain([head], rest), blank)
    wrapper = _WRAPPER.match(head)
    if wrapper is not None and wrapper[1] not in _OWN_LISTS:
        begun = blank + head[: wrapper.end()].count(b"\n")
        return array_rows(chain([head[wrapper.end() :]], rest), begun, wrapper=wrapper[1].decode(errors="replace"))
    if head[:1] == b"[":
        return array_rows(chain([head], rest), blank)
    if _is_laid_out(head, lines=suffix in (".jsonl", ".ndjson")):
        return series_rows(chain([head], rest), blank)
    return line_rows(chain([head], rest), blank)


def _head(chunks: Iterator[bytes]) -> tuple[bytes, int, Iterator[bytes]]:
    """The first line that is not blank, with the rest of its piece; the number of line ends before it; and the pieces
    that follow. Of a line without an end, no more than the size of a row is read.
    """
    head, blank = b"", 0
    for chunk in chunks:
        head += chunk
        # A byte order mark may be split over two pieces.
        if not _BOM.startswith(head):
            whole = head.removeprefix(_BOM)
            text = whole.lstrip()
            space = whole[: len(whole) - len(text)]
            blank += space.count(b"\n")
            indent = space[space.rfind(b"\n") + 1 :]
            # Before a tab the first column has no name: so pandas writes its index.
            head = indent + text if b"\t" in indent and text[:1] not in (b"[", b"{") else text
        # So may a line, or the field around the array.
        if b"\n" in head[_HEAD_BYTES:] or len(head) > MAX_ROW_BYTES:
            break
    return head.removeprefix(_BOM), blank, chunks


def _check_kind(head: bytes) -> None:
    found = next((kind for start, kind in _FOREIGN if head.startswith(start)), None)
    if found is None and b"\0" in head[:4]:
        found = "UTF-16 text"
    if found is not None:
        raise InvalidRequest(
            f"The manifest is {found}, not CSV or JSON in UTF-8. Save it as such: in Excel as 'CSV UTF-8 (comma "
            "delimited)'; nothing was started."
        )


def _is_laid_out(head: bytes, *, lines: bool) -> bool:
    """Whether JSON objects are spread over lines. In a file named as JSON Lines, only a line with nothing but a brace
    shows that; any other first line that cannot be read is an invalid row.
    """
    first = head.partition(b"\n")[0].strip()
    if first == b"{":
        return True
    if lines or len(first) > MAX_ROW_BYTES or not first.startswith(b"{"):
        return False
    try:
        json.loads(first.decode())
    except (ValueError, RecursionError):
        return True
    return False
