"""Reading single fields of a submit body; each refusal names its field."""

from collections.abc import Collection, Mapping
from typing import Any

from local.simulator.errors import bad_parameter

type Body = Mapping[str, Any]


def text(body: Body, name: str) -> str | None:
    """Return a string that is not empty, or None where the field is missing."""
    if name not in body:
        return None
    value = body[name]
    if not isinstance(value, str) or not value:
        raise bad_parameter(name, "must be a string that is not empty")
    return value


def whole(body: Body, name: str) -> int | None:
    """Return an integer, or None where the field is missing."""
    if name not in body:
        return None
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_parameter(name, "must be an integer")
    return value


def flag(body: Body, name: str) -> bool | None:
    """Return true or false, or None where the field is missing."""
    if name not in body:
        return None
    value = body[name]
    if not isinstance(value, bool):
        raise bad_parameter(name, "must be true or false")
    return value


def listed(body: Body, name: str, supported: Collection[str] | None) -> str | None:
    """Return a string that the model lists, or any where it states nothing; None where the field is missing."""
    value = text(body, name)
    if value is not None and supported is not None and value not in supported:
        raise bad_parameter(name, f"{value} is not supported by this model", supported=list(supported))
    return value


def items(body: Body, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the objects of a list field, each with the name by which an error would call it."""
    value = body.get(name, [])
    if not isinstance(value, list):
        raise bad_parameter(name, "must be a list")
    for position, item in enumerate(value):
        if not isinstance(item, dict):
            raise bad_parameter(f"{name}[{position}]", "must be an object")
    return [(f"{name}[{position}]", item) for position, item in enumerate(value)]
