"""Documents of JSON as frozen dataclasses, and back.

Not pydantic: importing it costs a function that polls or delivers as much of its start as botocore does. What is read
here was written by this stack, so the reading is strict: no text becomes a number, and what does not fit is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints


class MalformedRecord(ValueError):
    """A stored document does not have the shape of its dataclass. The text names the field and what is wanted, and not
    the value: that may be a secret."""


class Document:
    """The base of frozen dataclasses that are stored as JSON objects."""

    __slots__ = ()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """The document in decoded JSON. Fields that are not declared are ignored: another release may know them.

        Raises:
            MalformedRecord: a field is missing, or of another type than is declared.
        """
        document: Self = _object(cls, data, cls.__name__)
        return document

    def as_json(self) -> dict[str, Any]:
        """The document as JSON takes it, without the declared fields that are ``None``."""
        document: dict[str, Any] = to_json(self)
        return document


def to_json(value: Any) -> Any:
    """A value of a document as JSON takes it; ``None`` is left out of documents and kept in callers' own objects."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: to_json(part) for name, part in found.items() if part is not None}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {name: to_json(part) for name, part in value.items()}
    return [to_json(part) for part in value] if isinstance(value, list | tuple) else value


type _Reader = Callable[[Any, str], Any]
"""Reads a decoded value; the second argument is its place in the document, for the error."""


def _object(kind: Any, data: Any, place: str) -> Any:
    if isinstance(data, kind):
        return data
    if not isinstance(data, Mapping):
        raise _malformed(place, "an object", data)
    given: dict[str, Any] = {}
    for name, (read, required) in _readers(kind).items():
        if name in data:
            given[name] = read(data[name], f"{place}.{name}")
        elif required:
            raise MalformedRecord(f"{place}.{name} is missing. {_ADVICE}")
    return kind(**given)


@cache
def _readers(kind: Any) -> Mapping[str, tuple[_Reader, bool]]:
    """How each field of a dataclass is read, and whether it has to be there."""
    types = get_type_hints(kind)
    return {
        field.name: (_reader(types[field.name]), field.default is MISSING and field.default_factory is MISSING)
        for field in fields(kind)
    }


def _reader(kind: Any) -> _Reader:
    """The reader of one declared type.

    Raises:
        TypeError: a dataclass declares a type that no document may have.
    """
    arguments = get_args(kind)
    if isinstance(kind, UnionType) and NoneType in arguments and len(arguments) == 2:
        read = _reader(next(part for part in arguments if part is not NoneType))
        return lambda value, place: None if value is None else read(value, place)
    if get_origin(kind) is list:
        return _list_of(_reader(arguments[0]))
    if get_origin(kind) is dict:
        return _map_of(_reader(arguments[1]))
    if kind is Any:
        return lambda value, place: value
    if is_dataclass(kind):
        return lambda value, place: _object(kind, value, place)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _member_of(kind)
    if kind in _PLAIN:
        return _plain(kind)
    raise TypeError(f"a document cannot have a field of type {kind}")


_PLAIN: Mapping[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
}


def _plain(kind: Any) -> _Reader:
    taken, name = _PLAIN[kind]

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, taken) or (isinstance(value, bool) and kind is not bool):
            raise _malformed(place, name, value)
        return kind(value)

    return read


def _member_of(kind: type[Enum]) -> _Reader:
    def read(value: Any, place: str) -> Enum:
        try:
            return kind(value)
        except ValueError:
            raise _malformed(place, f"one of {', '.join(str(member.value) for member in kind)}", value) from None

    return read


def _list_of(read_part: _Reader) -> _Reader:
    def read(value: Any, place: str) -> list[Any]:
        if not isinstance(value, list):
            raise _malformed(place, "a list", value)
        return [read_part(part, f"{place}[{at}]") for at, part in enumerate(value)]

    return read


def _map_of(read_part: _Reader) -> _Reader:
    def read(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise _malformed(place, "an object", value)
        return {name: read_part(part, f"{place}.{name}") for name, part in value.items()}

    return read


_ADVICE = "Another release or a hand may have written it: compare the item in the table with jobs/record.py."


def _malformed(place: str, wanted: str, value: Any) -> MalformedRecord:
    return MalformedRecord(f"{place} must be {wanted}, not of type {type(value).__name__}. {_ADVICE}")
