"""What a file is, decided by its bytes and by nothing else: labels and names are often wrong.

:func:`image_type` knows the pictures that a request may name. :func:`describe` names what else it is, and what to do
about it. :func:`is_cut_off` notices pictures whose end is missing. Only the standard library is used.

Sources: PNG (W3C, 5.2), JPEG (ITU-T T.81, annex B), WebP container (RFC 9649), GIF89a, BMP (BITMAPFILEHEADER), ISO base
media files and HEIF (ISO/IEC 14496-12 and 23008-12: brands), AVIF (AOMedia, AV1 Image File Format).
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

KINDS = "JPEG, PNG, WebP, GIF, BMP, HEIC or AVIF"
HEAD_BYTES = 4096
"""Number of first bytes that are enough to recognise a file."""

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_HEIF = frozenset({b"mif1", b"mif2", b"msf1", b"miaf", b"1pic"})
_BITMAP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_BITMAP_DEPTHS = frozenset({1, 2, 4, 8, 16, 24, 32})
_TAIL_BYTES = 64 * 1024
_INSIDE_A_SCAN = re.compile(rb"\xff(?![\x00\xd0-\xd7\xff\xc4\xda\xdb\xdd]|\Z)")
"""A JPEG marker that occurs neither within the data of a scan nor between two scans."""


class Other(NamedTuple):
    """A file that is no picture of an accepted type: ``name`` as in "is an HTML page", ``advice`` as an imperative."""

    name: str
    advice: str
    is_text: bool = False


_CONVERT = "save it as JPEG or PNG"
_PAGE = Other("an HTML page", "give the address of the picture itself: pages of errors and logins look like this", True)
_SVG = Other("an SVG drawing", "export it as PNG", True)
_MP4 = Other("an MP4 video", "take a still of it")
_STARTS = (
    (b"%PDF", Other("a PDF document", "export the page as PNG")),
    (b"II*\x00", Other("a TIFF picture", _CONVERT)),
    (b"MM\x00*", Other("a TIFF picture", _CONVERT)),
    (b"II+\x00", Other("a TIFF picture", _CONVERT)),
    (b"MM\x00+", Other("a TIFF picture", _CONVERT)),
    (b"\xff\x0a", Other("a JPEG XL picture", _CONVERT)),
    (b"\x00\x00\x00\x0cJXL ", Other("a JPEG XL picture", _CONVERT)),
    (b"\x00\x00\x00\x0cjP  ", Other("a JPEG 2000 picture", _CONVERT)),
    (b"8BPS", Other("a Photoshop document", _CONVERT)),
    (b"\x00\x00\x01\x00", Other("an icon file", _CONVERT)),
    (b"\x1aE\xdf\xa3", Other("a WebM or Matroska video", "take a still of it")),
    (b"OggS", Other("an Ogg file", "give a picture")),
    (b"ID3", Other("an MP3 file", "give a picture")),
    (b"\x1f\x8b", Other("gzip data", "unpack it")),
    (b"PK\x03\x04", Other("a ZIP archive or an office document", "take the picture out of it")),
    (b"PK\x05\x06", Other("an empty ZIP archive", "give a picture")),
    (b"7z\xbc\xaf\x27\x1c", Other("a 7z archive", "unpack it")),
    (b"Rar!\x1a\x07", Other("a RAR archive", "unpack it")),
    (b"(\xb5/\xfd", Other("zstd data", "unpack it")),
    (b"BZh", Other("bzip2 data", "unpack it")),
    (b"\xfd7zXZ\x00", Other("xz data", "unpack it")),
)
_EMPTY = Other("empty (0 bytes)", "upload the picture again")
_UNKNOWN = Other(f"neither {KINDS} by its bytes", _CONVERT)
_HTML = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|script|meta|div|p|h1)\b", re.I | re.S
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def image_type(head: bytes) -> str | None:
    """The media type of a picture by its first bytes, ``None`` where it is none that a request may name."""
    if head.startswith(_JPEG):
        return "image/jpeg"
    if head.startswith(_PNG):
        return "image/png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if _is_bitmap(head):
        return "image/bmp"
    return _heif_type(head)


def is_mp4(head: bytes) -> bool:
    """Whether a file begins as an MP4 video does (ISO/IEC 14496-12); HEIC and AVIF pictures begin in the same way."""
    return head[4:8] == b"ftyp" and _heif_type(head) is None


def describe(head: bytes) -> Other:
    """What a file that is no picture is by its first bytes."""
    if not head:
        return _EMPTY
    for start, other in _STARTS:
        if head.startswith(start):
            return other
    if head[4:12] == b"ftypcrx ":
        return Other("a camera's raw file", _CONVERT)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return Other("a QuickTime video", "take a still of it") if _is_quicktime(head) else _MP4
    if head.startswith(b"RIFF"):
        return Other("a RIFF file (AVI or WAV)", "give a picture")
    return _text_kind(head) or _UNKNOWN


def is_cut_off(content_type: str, head: bytes, tail: bytes, length: int) -> bool:
    """Whether a picture's end is certainly missing: a JPEG's or PNG's end marker, or bytes that a WebP announces.

    Args:
        tail: its last bytes, 64 KiB or all of them: cameras append more after the end marker.
        length: of the whole in bytes.
    """
    if content_type == "image/png":
        return _PNG_END not in tail
    if content_type == "image/webp":
        return length < int.from_bytes(head[4:8], "little") + 8
    if content_type != "image/jpeg":
        return False
    scan = _after_headers(tail) if len(tail) >= length else tail
    if scan is None:
        return True
    scan = scan[-_TAIL_BYTES:]
    # What cameras append (videos, maps of depth) holds other markers, padding none at all. So this is still the scan.
    return _JPEG_END not in scan and b"\xff" in scan and _INSIDE_A_SCAN.search(scan) is None


def _after_headers(jpeg: bytes) -> bytes | None:
    """What follows the header of a JPEG's first scan, ``None`` where there is none."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        if jpeg[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        at += 2 + max(length, 2)
        if marker == 0xDA and at < len(jpeg):
            return jpeg[at:]
    return None


def _is_bitmap(head: bytes) -> bool:
    """By the fields of its headers: much text begins with BM too."""
    if not head.startswith(b"BM") or len(head) < 30:
        return False
    offset, header = (int.from_bytes(head[at : at + 4], "little") for at in (10, 14))
    planes, depth = (22, 24) if header < 16 else (26, 28)
    return (
        header in _BITMAP_HEADERS
        and 14 + header <= offset <= 1 << 20
        and int.from_bytes(head[planes : planes + 2], "little") <= 1
        and int.from_bytes(head[depth : depth + 2], "little") in _BITMAP_DEPTHS
    )


def _brands(head: bytes) -> list[bytes]:
    """The major brand and then the compatible ones; empty where it is no ISO base media file."""
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4]), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def _heif_type(head: bytes) -> str | None:
    for brand in _brands(head):
        if brand in _AVIF:
            return "image/avif"
        if brand in _HEIC:
            return "image/heic"
    # Pictures of other codecs, or of a codec that only a box within the file names.
    return "image/heif" if _HEIF.intersection(_brands(head)[:1]) else None


def _is_quicktime(head: bytes) -> bool:
    return head[4:8] != b"ftyp" or head[8:12] == b"qt  "


def _text_kind(head: bytes) -> Other | None:
    """Which kind of text it is, ``None`` where it is no text."""
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    try:
        # Incremental, because the head may end within a character.
        text = codecs.getincrementaldecoder(encoding)().decode(head).lstrip("\ufeff")
    except UnicodeDecodeError:
        western = sum(byte < 0x80 for byte in head) > len(head) * 0.8
        text = head.decode("latin-1") if western else ""
    plain = text.lstrip()
    if not plain or _NO_TEXT.search(text):
        return None
    if _HTML.match(plain.encode()):
        return _PAGE
    if "<svg" in plain and plain.startswith("<"):
        return _SVG
    if plain.startswith("<?xml") or re.match(r"<[A-Za-z]", plain):
        return Other("an XML document", "give the address of the picture itself: storage errors look like this", True)
    if plain.startswith("data:image/"):
        return Other("the text of a data: address", "put the text itself into the request", True)
    if re.match(r"""[{\[]\s*(?:["{\[\]}\d-]|true|false|null)""", plain):
        return Other("JSON", "give the address of the picture itself: errors of servers look like this", True)
    return Other("text", "give the address of a picture", True)
