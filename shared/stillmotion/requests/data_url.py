"""``data:`` addresses (RFC 2397) as tools write them: wrapped, unpadded, percent-encoded, with parameters."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

_HEADER = re.compile(
    r"data:(?P<type>[^;,]*)(?P<parameters>(?:;(?:\"(?:\\.|[^\"\\])*\"|[^;,\"])*)*),", re.IGNORECASE | re.DOTALL
)
_PARAMETER = re.compile(r";((?:\"(?:\\.|[^\"\\])*\"|[^;\"])*)", re.DOTALL)
_SPACE = re.compile(rb"[\t\n\x0b\f\r ]+")


class MalformedData(Exception):
    """It is no ``data:`` address, or its base64 cannot be decoded; the text says which."""


def decode_data_url(url: str) -> tuple[str, bytes]:
    """The media type that is declared, in lower case and without parameters, and the bytes.

    Raises:
        MalformedData: they cannot be read.
    """
    header = _HEADER.match(url)
    if header is None:
        raise MalformedData("is not a data:image/…;base64,… address")
    data = unquote_to_bytes(url[header.end() :])
    names = [name.strip().lower() for name in _PARAMETER.findall(header["parameters"])]
    if "base64" in names:
        data = _from_base64(data)
    return header["type"].strip().lower(), data


def _from_base64(text: bytes) -> bytes:
    plain = _SPACE.sub(b"", text).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedData("is not valid base64") from None
