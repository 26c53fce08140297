"""The pages about the API and the events, from functions/docs/openapi.json and docs/events/*.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scripts.generated import ROOT

type Schema = dict[str, Any]

API_HEAD = """\
# API reference

Every route, field and answer of `openapi.json`. How to call it, with commands that run: [the HTTP API](../api.md).
"""
EVENTS_HEAD = """\
# Events reference

The detail of every event on the stack's bus. What they are for: [drop folder and event bus](../events.md).
"""
FORMATS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern")


def operations() -> str:
    """The page about the API."""
    document = json.loads((ROOT / "functions" / "docs" / "openapi.json").read_text())
    text = API_HEAD
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            text += f"\n## {method.upper()} {path}\n\n`{operation['operationId']}`. {_sentence(operation['summary'])}\n"
            if "description" in operation:
                text += f"\n{operation['description']}\n"
            text += _parameters(operation.get("parameters", [])) + _body(operation) + _answers(operation["responses"])
    text += "\n# Schemas\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        text += f"\n## {name}\n\n{_one_line(schema.get('description', ''))}\n\n" + _fields(schema)
    return text


def events() -> str:
    """The page about the events."""
    text = EVENTS_HEAD
    for path in sorted((ROOT / "docs" / "events").glob("*.schema.json")):
        schema = json.loads(path.read_text())
        text += f"\n## {schema['title'].split(chr(39))[1]}\n\n{schema['title']}. [Schema](../events/{path.name})\n\n"
        text += _fields(schema)
    return text


def _parameters(parameters: list[Schema]) -> str:
    rows = [
        f"| `{one['name']}` ({one['in']}) | {_type(one['schema'])} | {_told(one | one['schema'])} |\n"
        for one in parameters
    ]
    return "".join(["\n| parameter | type | |\n|---|---|---|\n", *rows]) if rows else ""


def _body(operation: Schema) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return "".join(f"\nBody: {_type(media['schema'])} (`{kind}`)\n" for kind, media in content.items())


def _answers(responses: Schema) -> str:
    rows = []
    for status, answer in responses.items():
        kinds = [_type(media["schema"]) for media in answer.get("content", {}).values() if "schema" in media]
        headers = " ".join(f"`{name}`" for name in answer.get("headers", {}))
        rows.append(f"| {status} | {', '.join(kinds)} | {headers} |\n")
    return "".join(["\n| status | body | headers |\n|---|---|---|\n", *rows])


def _fields(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    if "properties" not in schema:
        return f"{_type(schema)}\n" if "enum" in schema or "type" in schema else ""
    rows = [
        f"| `{name}`{' *' if name in required else ''} | {_type(found)} | {_told(found)} |\n"
        for name, found in schema["properties"].items()
    ]
    return "".join(["| field (* always there) | type | |\n|---|---|---|\n", *rows])


def _type(schema: Schema) -> str:
    """A schema in a few words; references as links."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](api.md#{name.lower()})" if "/components/" in schema["$ref"] else name
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(_type(one) for one in schema[several])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _told(schema: Schema) -> str:
    parts = [_one_line(schema.get("description", "")), *_limits(schema)]
    return "; ".join(part for part in parts if part).replace("|", "\\|")


def _limits(schema: Schema) -> Iterator[str]:
    for inner in (schema, *schema.get("anyOf", ())):
        found = [f"{name} {inner[name]}" for name in FORMATS if name in inner]
        if found:
            yield ", ".join(f"`{one}`" for one in found)
    if schema.get("default") not in (None, {}, []):
        yield f"default `{schema['default']}`"


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."
