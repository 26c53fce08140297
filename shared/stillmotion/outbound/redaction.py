"""Addresses and texts without the secrets in them, fit for messages, records and events."""

from __future__ import annotations

import re

MAX_SHOWN_CHARACTERS = 1200
"""Longer than any S3 address: a bucket's name has 63 characters at most, a key 1,024 bytes."""
_SECRET_END = re.compile(r"[?#].*", re.DOTALL)
_QUERY = re.compile(r"(?<=\S)\?[^\s\"'<>?=]*=[^\s\"'<>]*")
_CREDENTIALS = re.compile(r"^([^/]*//)[^/]*@")


def redact_url(url: str) -> str:
    """An address without image data, query string, fragment, user name and password, which may be secrets.

    An ``s3://`` address holds none of them: ``?`` and ``#`` belong to its key, and it stays whole.
    """
    scheme = url[:5].lower()
    if scheme == "data:":
        return url[:40] + "…"
    if scheme == "s3://":
        return url[:MAX_SHOWN_CHARACTERS]
    address = _CREDENTIALS.sub(r"\1…@", _SECRET_END.sub("", url))
    return address[:500] + ("?…" if "?" in url else "")


def redact_query_strings(text: str) -> str:
    """A foreign text with the query strings of the addresses in it cut off: they may hold signatures."""
    return _QUERY.sub("?…", text)
