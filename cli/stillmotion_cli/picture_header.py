# A copy of shared/stillmotion/requests/picture_header.py, written by: python -m scripts.cli_copies
"""What a picture's header says: its size as shown, and whether parts of it may be transparent.

The first bytes are enough, cut anywhere: a photo of many megabytes is not read for its shape. Nothing here raises on
broken bytes; what they do not say stays ``None``.

Sources: ITU-T T.81 (JPEG), Exif 2.32 (tag 0x0112), W3C PNG, RFC 9649 (WebP), GIF89a, BITMAPINFOHEADER, ISO/IEC 23008-12
(HEIF: pitm, ipma, ispe, irot).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stillmotion_cli.image_types import image_type

_EXIF = b"Exif\x00\x00"
_TURNED = frozenset({5, 6, 7, 8})
"""The orientations that swap width and height."""
_ALPHA_ITEM = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Width and height in pixels as the picture is shown, and whether it has an alpha channel or a transparent
    colour (whose pixels may still all be opaque)."""

    width: int
    height: int
    transparent: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


def read_header(head: bytes) -> PictureHeader | None:
    """The header in a picture's first bytes, ``None`` where they do not hold it whole."""
    reader = _READERS.get(image_type(head) or "")
    try:
        found = None if reader is None else reader(head)
    except (struct.error, LookupError):
        return None
    return found if found is not None and min(found.size) > 0 else None


def _turned(width: int, height: int, orientation: int, transparent: bool = False) -> PictureHeader:
    sides = (height, width) if orientation in _TURNED else (width, height)
    return PictureHeader(*sides, transparent)


def _orientation(exif: bytes) -> int:
    """The orientation in an Exif block without its ``Exif`` prefix, 1 where it says none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        [at] = struct.unpack_from(f"{order}I", exif, 4)
        [entries] = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(min(entries, 512)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * entry)
            if (tag, kind) == (0x0112, 3):
                return int(value)
    except struct.error:
        return 1
    return 1


def _jpeg(head: bytes) -> PictureHeader | None:
    at, orientation = 2, 1
    while at + 4 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        [length] = struct.unpack_from(">H", head, at + 2)
        if marker == 0xE1 and head.startswith(_EXIF, at + 4):
            orientation = _orientation(head[at + 4 + len(_EXIF) : at + 2 + length])
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return _turned(width, height, orientation)
        at += 2 + max(length, 2)
    return None


def _png(head: bytes) -> PictureHeader | None:
    if head[12:16] != b"IHDR":
        return None
    width, height, _, colour = struct.unpack_from(">IIBB", head, 16)
    transparent, orientation, at = colour in (4, 6), 1, 8
    while at + 8 <= len(head):
        length, kind = struct.unpack_from(">I4s", head, at)
        if kind == b"IDAT":
            break
        transparent = transparent or kind == b"tRNS"
        if kind == b"eXIf":
            orientation = _orientation(head[at + 8 : at + 8 + length])
        at += 12 + length
    return _turned(width, height, orientation, transparent)


def _webp(head: bytes) -> PictureHeader | None:
    kind, data = head[12:16], head[20:]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 6)
        return PictureHeader(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        [bits] = struct.unpack_from("<I", data, 1)
        return PictureHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    if kind != b"VP8X":
        return None
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (4, 7))
    orientation, at = 1, 12
    awaited = bool(data[0] & 0x08)  # the file has Exif, which follows the picture's data
    while at + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, at)
        if name == b"EXIF":
            orientation = _orientation(head[at + 8 : at + 8 + length].removeprefix(_EXIF))
            awaited = False
        at += 8 + length + length % 2
    if awaited or len(data) < 10:
        return None
    return _turned(width, height, orientation, bool(data[0] & 0x10))


def _gif(head: bytes) -> PictureHeader:
    width, height, flags = struct.unpack_from("<HHB", head, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while head[at : at + 1] == b"!":  # extensions before the first frame
        if head[at + 1] == 0xF9:
            return PictureHeader(width, height, bool(head[at + 3] & 1))
        at += 2
        while at < len(head) and head[at]:
            at += 1 + head[at]
        at += 1
    return PictureHeader(width, height)


def _bmp(head: bytes) -> PictureHeader:
    [header] = struct.unpack_from("<I", head, 14)
    if header < 16:
        width, height = struct.unpack_from("<HH", head, 18)
        return PictureHeader(width, height)
    width, height = struct.unpack_from("<ii", head, 18)
    return PictureHeader(width, abs(height))  # a negative height is written from the top


def _heif(head: bytes) -> PictureHeader | None:
    """The size of the primary item: others are tiles, previews and masks."""
    meta = dict(_boxes(_first(head, b"meta")[4:]))
    pitm, iprp = meta[b"pitm"], dict(_boxes(meta[b"iprp"]))
    primary = int.from_bytes(pitm[4:8] if pitm[0] else pitm[4:6])
    properties = list(_boxes(iprp[b"ipco"]))  # numbered from 1
    size, quarters = None, 0
    for number in _associated(iprp[b"ipma"], primary):
        kind, data = properties[number - 1]
        if kind == b"ispe":
            size = struct.unpack_from(">II", data, 4)
        elif kind == b"irot":
            quarters = data[0] & 3
    if size is None:
        return None
    width, height = size[::-1] if quarters % 2 else size
    return PictureHeader(width, height, any(_ALPHA_ITEM in data for kind, data in properties if kind == b"auxC"))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each box's type and content; the last one may be cut."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        begin = at + 8
        if length == 1:
            [length] = struct.unpack_from(">Q", data, begin)
            begin += 8
        end = at + length if length else len(data)
        yield kind, data[begin:end]
        if end <= at:
            return
        at = end


def _first(data: bytes, wanted: bytes) -> bytes:
    return next((content for kind, content in _boxes(data) if kind == wanted), b"")


def _associated(ipma: bytes, item: int) -> Iterator[int]:
    """The numbers of an item's properties."""
    wide_ids, wide_numbers = ipma[0] >= 1, ipma[3] & 1
    [entries] = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(entries):
        step = 4 if wide_ids else 2
        found, count = int.from_bytes(ipma[at : at + step]), ipma[at + step]
        at += step + 1
        for _ in range(count):
            number = int.from_bytes(ipma[at : at + 2]) & 0x7FFF if wide_numbers else ipma[at] & 0x7F
            at += 2 if wide_numbers else 1
            if found == item and number:
                yield number


_READERS: dict[str, Callable[[bytes], PictureHeader | None]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
    "image/gif": _gif,
    "image/bmp": _bmp,
    "image/heic": _heif,
    "image/heif": _heif,
    "image/avif": _heif,
}
