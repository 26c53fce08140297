"""Files of every kind that is mistaken for a picture, and pictures of every kind."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from functools import cache

from PIL import Image


@cache
def picture(kind: str = "PNG", size: tuple[int, int] = (160, 90), mode: str = "RGB", orientation: int = 1) -> bytes:
    """A picture of noise in one of Pillow's formats, with an Exif orientation where it is not 1."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise = Image.effect_noise(size, 60).convert(mode)
    if "A" in mode:
        noise.putalpha(Image.linear_gradient("L").resize(size).point(lambda value: 255 * (value > 127)))
    file = io.BytesIO()
    noise.save(file, kind, **({"exif": exif} if orientation != 1 else {}))
    return file.getvalue()


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an ISO base media file."""
    content = b"".join(parts)
    return struct.pack(">I", len(content) + 8) + kind + content


def brands(major: bytes, *compatible: bytes) -> bytes:
    """The box that an ISO base media file begins with."""
    return box(b"ftyp", major, bytes(4), *compatible)


def heic(size: tuple[int, int], quarters: int = 0, tile: int = 512) -> bytes:
    """The beginning of a photo as telephones take them: a grid of tiles, and turned by so many quarters."""
    properties = box(
        b"ipco",
        box(b"ispe", bytes(4), struct.pack(">II", tile, tile)),
        box(b"ispe", bytes(4), struct.pack(">II", *size)),
        box(b"irot", bytes([quarters])),
    )
    links = [(1, [1]), (49, [2, 3])]
    associations = b"".join(struct.pack(">HB", item, len(found)) + bytes(found) for item, found in links)
    meta = box(
        b"meta",
        bytes(4),
        box(b"hdlr", bytes(24)),
        box(b"pitm", bytes(4), struct.pack(">H", 49)),
        box(b"iprp", properties, box(b"ipma", bytes(4), struct.pack(">I", len(links)), associations)),
    )
    return brands(b"heic", b"mif1", b"heic") + meta + box(b"mdat", bytes(5000))


def archive() -> bytes:
    """A ZIP file with a picture in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("cat.png", picture())
    return file.getvalue()


MP4 = brands(b"isom", b"isom", b"iso2", b"avc1", b"mp41") + box(b"mdat", bytes(3000))

NO_PICTURES: dict[str, tuple[bytes, str]] = {
    "page": (b"<!DOCTYPE html><title>403 Forbidden</title>", "an HTML page"),
    "page in capitals": (b"\n\n<HTML><BODY>Sign in</BODY></HTML>", "an HTML page"),
    "page after a comment": (b"<!-- proxy --><html></html>", "an HTML page"),
    "page after a BOM": (b"\xef\xbb\xbf<html></html>", "an HTML page"),
    "page in Latin-1": (b"<html><p>Zugriff verweigert f\xfcr Sie</html>", "an HTML page"),
    "storage error": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
    "svg with a prolog": (b'<?xml version="1.0"?>\n<!-- x -->\n<svg/>', "an SVG drawing"),
    "json": (b'{"error": "not found"}', "JSON"),
    "json array": (b"[1, 2]", "JSON"),
    "text": (b"hello", "text"),
    "text that begins as a bitmap": (b"BM is what this text begins with, and it is long enough for a header.", "text"),
    "text in UTF-16": ("größer".encode("utf-16"), "text"),
    "text in Latin-1": ("a letter about Käse, and more of it".encode("latin-1"), "text"),
    "base64": (b"data:image/png;base64,iVBORw0KGgo=", "the text of a data: address"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
    "tiff": (picture("TIFF"), "a TIFF picture"),
    "icon": (picture("ICO"), "an icon file"),
    "jpeg 2000": (picture("JPEG2000"), "a JPEG 2000 picture"),
    "jpeg xl": (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    "raw": (brands(b"crx ", b"crx ", b"isom"), "a camera's raw file"),
    "mp4": (MP4, "an MP4 video"),
    "mov": (brands(b"qt  ", b"qt  "), "a QuickTime video"),
    "webm": (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01", "a WebM or Matroska video"),
    "avi": (b"RIFF\x00\x10\x00\x00AVI LIST", "a RIFF file (AVI or WAV)"),
    "gzip": (gzip.compress(picture()), "gzip data"),
    "zip": (archive(), "a ZIP archive or an office document"),
    "empty": (b"", "empty (0 bytes)"),
    "zeros": (bytes(3000), "neither JPEG, PNG, WebP, GIF, BMP, HEIC or AVIF"),
}
"""What is no picture that we take, and what it is called."""

PICTURES: dict[str, tuple[bytes, str]] = {
    "jpeg": (picture("JPEG"), "image/jpeg"),
    "jpeg with a trailer": (picture("JPEG") + MP4, "image/jpeg"),
    "png": (picture("PNG"), "image/png"),
    "webp": (picture("WEBP"), "image/webp"),
    "gif": (picture("GIF"), "image/gif"),
    "bmp": (picture("BMP"), "image/bmp"),
    "avif": (picture("AVIF"), "image/avif"),
    "avif sequence": (brands(b"avis", b"avis", b"msf1") + bytes(600), "image/avif"),
    "heic": (heic((4032, 3024)), "image/heic"),
    "heic by a compatible brand": (brands(b"mif1", b"mif1", b"heic") + bytes(600), "image/heic"),
    "avif by a compatible brand": (brands(b"mif1", b"mif1", b"avif") + bytes(600), "image/avif"),
    "heif of another codec": (brands(b"mif1", b"mif1", b"jpeg") + bytes(600), "image/heif"),
}

CUT_OFF: dict[str, bytes] = {
    "jpeg in its header": picture("JPEG")[:100],
    "jpeg in its scan": picture("JPEG", (640, 360))[:-2000],
    "large jpeg": picture("JPEG", (2400, 1350))[:-2000],
    "png": picture("PNG")[:-8],
    "large png": picture("PNG", (900, 600))[:-100],
    "webp": picture("WEBP")[:-10],
}
"""Pictures whose end is missing."""
