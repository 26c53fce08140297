"""Texts without the secrets in them, fit for logs, records, events, answers and messages.

Secrets that this process knows are masked by value; all others by shape: query strings, signatures and tokens by the
names of their parameters in every encoding, credentials in addresses, and authorization headers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MAX_SHOWN_CHARACTERS = 1200
"""Longer than any S3 address: a bucket's name has 63 characters at most, a key 1,024 bytes."""
MASK = "…"

_SHORTEST_KNOWN = 8
_KNOWN: set[str] = set()
_ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MODELGATES_API_KEY")

_SECRET_END = re.compile(r"[?#].*", re.DOTALL)
_CREDENTIALS = re.compile(r"^([^/]*//)[^/]*@")

# One character, as it is or in the encodings that have been seen: percent once or twice, JSON, HTML.
_EQUALS = r"(?:=|%(?:25)*3d|\\+u003d|\\+x3d|&#61;|&#x3d;|&equals;)"
_COLON = r"(?::|%(?:25)*3a|\\+u003a)"
_SLASH = r"(?:\\*/|%(?:25)*2f|\\+u002f)"
_AT = r"(?:@|%(?:25)*40|\\+u0040)"
_DASH = r"(?:-|%(?:25)*2d|\\+u002d|_)"
_END_OF_VALUE = r"\s\"'<>&;,)}\]"
# Runs are bounded, so that a long text takes no more than its length.
_NEXT_LINE = r"(?:[ \t\r]{0,8}\n\s{0,80}(?=\S*\d)[0-9a-z%/+_=-]{16,})?"
_NAMES = "|".join(
    [
        rf"x{_DASH}(?:amz|goog|ms|oss|cos){_DASH}[a-z]{{1,20}}(?:{_DASH}[a-z]{{1,20}}){{0,3}}",
        *(r"sig", r"signature", r"hmac", r"policy", rf"key{_DASH}pair{_DASH}id", r"awsaccesskeyid", r"expires"),
        rf"(?:access|refresh|id|auth|session|security|api|bearer|client)?{_DASH}?(?:token|secret|key)",
        *(r"password", r"passwd", r"pwd", r"credentials?", r"authorization", r"jwt"),
    ]
)
_PARAMETER = re.compile(
    rf"(?<![a-z0-9])((?:{_NAMES})[\"']?\s*{_EQUALS}[\"']?\s*)(?!{MASK})[^{_END_OF_VALUE}]+{_NEXT_LINE}",
    re.IGNORECASE,
)
_QUERY = re.compile(
    rf"(?<=\S)([?#;]|%(?:25)*3f|\\+u003f)[^\s\"'<>?=]{{0,256}}?{_EQUALS}[^\s\"'<>]*{_NEXT_LINE}", re.IGNORECASE
)
_BROKEN_QUERY = re.compile(rf"([?&])\s+[a-z0-9_%-]+{_EQUALS}[^\s\"'<>]*", re.IGNORECASE)
_USER = re.compile(
    rf"({_COLON}{_SLASH}{_SLASH})[^\s\"'<>/@]{{1,200}}?{_COLON}[^\s\"'<>/@]{{1,500}}?(?={_AT})", re.IGNORECASE
)
_HEADER = re.compile(
    rf"(\b(?:proxy-)?authorization[\"']?\s*{_COLON}\s*[\"']?)(?:[a-z][a-z0-9-]*\s+)?[^\s\"'<>]+", re.IGNORECASE
)
_SCHEME = re.compile(r"\b(bearer|basic)\s+(?=\S*[\d._=+/-])[^\s\"'<>,;]{8,}", re.IGNORECASE)
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")
_API_KEY = re.compile(r"\b(?:sk|mg|pk|rk)[-_](?=[\w-]{0,128}\d)[\w-]{16,}")


def remember_secret(value: str) -> None:
    """Mask this value in every text from now on, also where it is percent-encoded. Short values are not remembered:
    masking them would spoil ordinary words."""
    if len(value) >= _SHORTEST_KNOWN:
        _KNOWN.update({value, quote(value, safe=""), quote_plus(value)})


def redact(text: str) -> str:
    """A text with every secret in it replaced by ``…``; of a link its address stays."""
    for secret in _known():
        if secret in text:
            text = text.replace(secret, MASK)
    text = _USER.sub(rf"\1{MASK}", text)
    text = _HEADER.sub(rf"\1{MASK}", text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _QUERY.sub(rf"\1{MASK}", text)
    text = _BROKEN_QUERY.sub(rf"\1{MASK}", text)
    text = _PARAMETER.sub(rf"\1{MASK}", text)
    for shape in (_ACCESS_KEY, _JWT, _API_KEY):
        text = shape.sub(MASK, text)
    return text


def redact_all(value: Any) -> Any:
    """A JSON value with every secret in its texts replaced, names of fields included."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(name)): redact_all(part) for name, part in value.items()}
    return [redact_all(part) for part in value] if isinstance(value, list) else value


def redact_url(url: str) -> str:
    """An address without image data, query string, fragment, user name and password, which may be secrets.

    An ``s3://`` address holds none of them: ``?`` and ``#`` belong to its key, and it stays whole.
    """
    scheme = url[:5].lower()
    if scheme == "data:":
        return url[:40] + MASK
    if scheme == "s3://":
        return url[:MAX_SHOWN_CHARACTERS]
    address = _CREDENTIALS.sub(rf"\1{MASK}@", _SECRET_END.sub("", url))
    return address[:500] + (f"?{MASK}" if "?" in url else "")


def _known() -> list[str]:
    """Known secrets, longest first: one may be part of another."""
    environment = {value for name in _ENVIRONMENT if len(value := os.environ.get(name, "")) >= _SHORTEST_KNOWN}
    return sorted(_KNOWN | environment, key=len, reverse=True)
