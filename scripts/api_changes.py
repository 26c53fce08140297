"""Compare the API's document with the one of the last release: what changed, and what of it breaks clients.

    python -m scripts.api_changes            lists the changes; exit code 1 where one breaks clients
    python -m scripts.api_changes --release  keeps today's document as that of the release it names

What a caller sends may become freer, never stricter; what a caller gets may gain fields, never lose them. A released
document is kept under docs/releases/. A break on purpose is a new major version: with one, nothing counts as a break.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from scripts.generated import ROOT

DOCUMENT = ROOT / "functions" / "docs" / "openapi.json"
RELEASES = ROOT / "docs" / "releases"
LOWER, UPPER = ("minimum", "exclusiveMinimum", "minLength", "minItems"), ("maximum", "maxLength", "maxItems")

type Document = dict[str, Any]
type Direction = Literal["sent", "got"]


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One difference: where, what, and whether a client that worked before can fail by it."""

    breaks: bool
    place: str
    text: str

    def __str__(self) -> str:
        return f"{'BREAKS ' if self.breaks else 'changes'} {self.place}: {self.text}"


def changes(old: Document, new: Document) -> list[Change]:
    """Every difference that a client can notice, breaks first."""
    found = set(_operations(old, new))
    return sorted(found, key=lambda change: (not change.breaks, change.place, change.text))


def _operations(old: Document, new: Document) -> Iterator[Change]:
    before, after = (_by_route(document) for document in (old, new))
    for route in sorted(before.keys() | after.keys()):
        if route not in after:
            yield Change(True, route, "is gone")
        elif route not in before:
            yield Change(False, route, "is new")
        else:
            yield from _operation(route, before[route], after[route], _Pair(old, new))


def _by_route(document: Document) -> dict[str, Document]:
    return {f"{verb.upper()} {path}": one for path, verbs in document["paths"].items() for verb, one in verbs.items()}


def _operation(route: str, old: Document, new: Document, pair: _Pair) -> Iterator[Change]:
    if old["operationId"] != new["operationId"]:
        yield Change(True, route, f"operationId was {old['operationId']}, is {new['operationId']}")
    yield from _parameters(route, old, new, pair)
    before, after = (one.get("requestBody", {}).get("content", {}) for one in (old, new))
    for kind in before:
        if kind not in after:
            yield Change(True, route, f"no longer takes {kind}")
        else:
            yield from pair.compare(f"{route} body", before[kind]["schema"], after[kind]["schema"], "sent")
    if new.get("requestBody", {}).get("required") and not old.get("requestBody", {}).get("required"):
        yield Change(True, route, "now needs a body")
    for status, answer in old["responses"].items():
        if status not in new["responses"]:
            yield Change(status.startswith("2"), f"{route} {status}", "is no longer answered")
            continue
        before, after = (one.get("content", {}) for one in (answer, new["responses"][status]))
        for kind in before:
            if kind not in after:
                yield Change(True, f"{route} {status}", f"is no longer answered as {kind}")
            elif "schema" in before[kind]:
                there = after[kind].get("schema", {})
                yield from pair.compare(f"{route} {status}", before[kind]["schema"], there, "got")
    for status in new["responses"].keys() - old["responses"].keys():
        yield Change(False, f"{route} {status}", "is a new answer")


def _parameters(route: str, old: Document, new: Document, pair: _Pair) -> Iterator[Change]:
    before, after = ({(p["name"], p["in"]): p for p in one.get("parameters", ())} for one in (old, new))
    for name, where in before.keys() | after.keys():
        place = f"{route} {where} {name}"
        if (name, where) not in after:
            yield Change(True, place, "is no longer taken")
        elif (name, where) not in before:
            required = bool(after[name, where].get("required"))
            yield Change(required, place, "is new and required" if required else "is new")
        else:
            was, now = before[name, where], after[name, where]
            if now.get("required") and not was.get("required"):
                yield Change(True, place, "is now required")
            yield from pair.compare(place, was["schema"], now["schema"], "sent")


class _Pair:
    """Compares schemas of an old and a new document; each pair of named schemas once a place."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str, Direction]] = set()

    def compare(self, place: str, old: Document, new: Document, direction: Direction) -> Iterator[Change]:
        """What differs for a caller who sends, or gets, values of the schema."""
        names = old.get("$ref", ""), new.get("$ref", "")
        if all(names):
            if (*names, direction) in self._seen:
                return
            self._seen.add((*names, direction))
            place = names[1].rsplit("/", 1)[-1]
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        yield from _values(place, old, new, direction)
        if direction == "sent":
            yield from _limits(place, old, new)
        yield from self._fields(place, old, new, direction)
        for keyword in ("items", "additionalProperties"):
            if isinstance(old.get(keyword), dict) and isinstance(new.get(keyword), dict):
                yield from self.compare(f"{place}[]", old[keyword], new[keyword], direction)
        before, after = _branches(old), _branches(new)
        for name in before.keys() & after.keys():
            yield from self.compare(place, before[name], after[name], direction)

    def _fields(self, place: str, old: Document, new: Document, direction: Direction) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed = {name: set(one.get("required", ())) for name, one in (("old", old), ("new", new))}
        for name in sorted(before.keys() | after.keys()):
            field = f"{place}.{name}"
            if name not in after:
                yield Change(True, field, "is gone")
            elif name not in before:
                required = direction == "sent" and name in needed["new"]
                yield Change(required, field, "is new and required" if required else "is new")
            else:
                if direction == "sent" and name in needed["new"] - needed["old"]:
                    yield Change(True, field, "is now required")
                if direction == "got" and name in needed["old"] - needed["new"]:
                    yield Change(True, field, "may now be missing")
                yield from self.compare(field, before[name], after[name], direction)


def _resolved(document: Document, schema: Document) -> Document:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _branches(schema: Document) -> dict[str, Document]:
    """The alternatives of a schema by what tells them apart: a name, or a type."""
    found = schema.get("anyOf") or schema.get("oneOf") or ()
    return {one.get("$ref") or str(one.get("type", "any")): one for one in found}


def _types(schema: Document) -> set[str]:
    """The JSON types that a value may have; empty for any."""
    branches = _branches(schema)
    if branches:
        kinds = [_types(one) if "$ref" not in one else {"object"} for one in branches.values()]
        return set() if any(not kind for kind in kinds) else set().union(*kinds)
    if "enum" in schema or "const" in schema:
        return {_KINDS[type(one)] for one in (schema.get("enum") or [schema["const"]])}
    given = schema.get("type")
    return set() if given is None else {given} if isinstance(given, str) else set(given)


_KINDS: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}


def _values(place: str, old: Document, new: Document, direction: Direction) -> Iterator[Change]:
    before, after = _types(old), _types(new)
    narrower = _accepts_less(before, after)
    wider = _accepts_less(after, before)
    if narrower and direction == "sent":
        yield Change(True, place, f"no longer takes {', '.join(narrower)}")
    if wider and direction == "got":
        yield Change(True, place, f"may now be {', '.join(wider)}")
    was, now = (set(map(json.dumps, one.get("enum", ()))) for one in (old, new))
    if now and (was - now or (not was and old)) and direction == "sent":
        gone = sorted(was - now)
        yield Change(True, place, f"no longer takes {', '.join(gone)}" if gone else "takes only a list of values now")
    if was and now - was:
        yield Change(False, place, f"has new values: {', '.join(sorted(now - was))}")
    if was and not now and direction == "got" and "const" not in new:
        yield Change(True, place, "may now be any value")


def _accepts_less(before: set[str], after: set[str]) -> list[str]:
    """What the first takes and the second does not; every integer is a number."""
    if not after:
        return []
    if not before:
        return ["other types"]
    lost = before - after
    return sorted(lost - {"integer"} if "number" in after else lost)


def _limits(place: str, old: Document, new: Document) -> Iterator[Change]:
    for name in (*LOWER, *UPPER):
        if name not in new:
            continue
        if name not in old or (new[name] > old[name] if name in LOWER else new[name] < old[name]):
            yield Change(True, place, f"{name} was {old.get(name, 'open')}, is {new[name]}")
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield Change(True, place, f"pattern was {old.get('pattern', 'open')}, is {new['pattern']}")
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield Change(True, place, "no longer takes unknown fields")


def last_release() -> Document | None:
    """The document of the newest release that is kept, ``None`` before the first."""
    found = sorted(RELEASES.glob("openapi-*.json"), key=lambda path: _numbers(path.stem))
    return json.loads(found[-1].read_text()) if found else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def may_break(old: str, new: str) -> bool:
    """Whether a version may break clients of an older one: by a new major number, before 1.0 by a new minor one."""
    (was, *_), (now, *_) = _numbers(old), _numbers(new)
    return now > was or (now == 0 and _numbers(new)[1] > _numbers(old)[1])


def main() -> int:
    """List the changes, or keep the document of a release; 1 where clients break in a version that must not."""
    new = json.loads(DOCUMENT.read_text())
    version = new["info"]["version"]
    if "--release" in sys.argv:
        RELEASES.mkdir(exist_ok=True)
        (RELEASES / f"openapi-{version}.json").write_text(DOCUMENT.read_text())
        return 0
    old = last_release()
    if old is None:
        print("No release is kept under docs/releases/ yet: there is nothing to compare with.")
        return 0
    found = changes(old, new)
    breaks = [change for change in found if change.breaks]
    shown = found if "--check" not in sys.argv else breaks
    for change in shown:
        print(change, file=sys.stderr if change.breaks else sys.stdout)
    if not breaks or may_break(old["info"]["version"], version):
        return 0
    print(
        f"{len(breaks)} changes break clients of {old['info']['version']}: take them back, or raise the version.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
