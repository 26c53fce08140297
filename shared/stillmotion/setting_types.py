"""Types of settings: each names the reader that parses its text and says what is allowed.

A setting's type is ``Annotated[what the use cases get, the reader]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Protocol


class Reader(Protocol):
    """Parses a variable's text."""

    @property
    def allowed(self) -> str:
        """What is allowed, in words that follow "needs"."""

    def read(self, text: str) -> Any:
        """The value.

        Raises:
            ValueError: the text is not allowed.
        """


@dataclass(frozen=True, slots=True)
class Text:
    """Text that a pattern matches from its beginning to its end."""

    pattern: str
    allowed: str

    def read(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A whole number in ASCII digits; with ``optional``, empty text reads ``None``."""

    least: int
    most: int
    optional: bool = False

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.least:,} to {self.most:,}" + (", or nothing" if self.optional else "")

    def read(self, text: str) -> int | None:
        if self.optional and not text:
            return None
        if not (text.isascii() and text.isdecimal()) or not self.least <= int(text) <= self.most:
            raise ValueError(text)
        return int(text)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number from 0 on, with decimals where it has some."""

    most: int

    @property
    def allowed(self) -> str:
        return f"a number from 0 to {self.most:,}, such as 0.75"

    def read(self, text: str) -> float:
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) is None or float(text) > self.most:
            raise ValueError(text)
        return float(text)


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount in USD; 0 reads ``None``: no limit. Spending is counted in millionths."""

    most: int

    @property
    def allowed(self) -> str:
        return f"an amount in USD from 0 (no limit) to {self.most:,}, with at most 6 decimals"

    def read(self, text: str) -> Decimal | None:
        if re.fullmatch(r"[0-9.eE+-]{1,40}", text) is None:
            raise ValueError(text)
        try:
            amount = Decimal(text)
        except InvalidOperation:
            raise ValueError(text) from None
        if not 0 <= amount <= self.most or amount != round(amount, 6):
            raise ValueError(text)
        return amount or None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an enumeration, by its value."""

    kind: type[StrEnum]

    @property
    def allowed(self) -> str:
        return f"one of {', '.join(self.kind)}"

    def read(self, text: str) -> StrEnum:
        return self.kind(text)


@dataclass(frozen=True, slots=True)
class Items:
    """Comma-separated texts, as a set; empty ones do not count, nor do spaces around one."""

    item: Text

    @property
    def allowed(self) -> str:
        return f"{self.item.allowed}, several separated by commas, or nothing"

    def read(self, text: str) -> frozenset[str]:
        return frozenset(self.item.read(part) for part in map(str.strip, text.split(",")) if part)


@dataclass(frozen=True, slots=True)
class Switch:
    """``true`` or ``false``."""

    allowed: str = "true or false"

    def read(self, text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"


class ImageTransport(StrEnum):
    """How ModelGates gets ``s3://`` images."""

    PRESIGNED = "presigned"
    INLINE = "inline"


_NUMBER = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_PORT = f"(:{_NUMBER})?"
_HOST = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])"
_ORIGIN = f"(?i:https?)://{_HOST}{_PORT}"

type Name = Annotated[str, Text(r"[^\s]{1,2048}", "a name without spaces")]
type OptionalName = Annotated[str, Text(r"[^\s]{0,2048}", "a name without spaces, or nothing")]
type Arn = Annotated[str, Text(r"arn:[^\s]{1,2048}", "an ARN")]
type Principals = Annotated[
    frozenset[str],
    Items(
        Text(
            r"arn:aws[a-z-]*:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9+=.@_/-]+)",
            "ARNs of IAM roles and users (arn:aws:iam::123456789012:role/Operators)",
        )
    ),
]
type ServiceOrigin = Annotated[
    str,
    Text(
        rf"(https://{_HOST}{_PORT}|http://(127\.0\.0\.1|localhost):{_NUMBER})",
        "scheme and host of an https address (https://modelgates.ai), with its port where it has one; http only on "
        "this machine (http://127.0.0.1:8480)",
    ),
]
type OptionalAddress = Annotated[
    str,
    Text(rf"({_ORIGIN}(/[A-Za-z0-9._~/-]*)?)?", "an address (https://abc.lambda-url.eu-central-1.on.aws/), or nothing"),
]
type HeaderName = Annotated[str, Text(r"[A-Za-z0-9-]{1,100}", "the name of an HTTP header (X-ModelGates-Signature)")]
type Origins = Annotated[frozenset[str], Items(Text(f"{_ORIGIN}/?", "origins (https://pictures.example.com)"))]
type Resolution = Annotated[str, Text(r"([1-9][0-9]{0,4}[A-Za-z]{1,3})?", "a resolution (720p, 4K), or nothing")]
type AspectRatio = Annotated[str, Text(r"([1-9][0-9]{0,3}:[1-9][0-9]{0,3})?", "an aspect ratio (16:9), or nothing")]
type SharedPrefix = Annotated[
    str,
    Text(
        r"(?!(uploads|videos|failed|drop|batches)/)([A-Za-z0-9_-][A-Za-z0-9._-]*/)+",
        "a prefix that ends in a slash (shared/) and is none of uploads/, videos/, failed/, drop/ and batches/",
    ),
]
type TagKey = Annotated[str, Text(r"([A-Za-z0-9_.:/ -]{1,64})?", "a key of requests' metadata (project), or nothing")]
type PollSeconds = Annotated[int, WholeNumber(1, 300)]
