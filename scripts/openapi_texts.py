"""What makers of clients want of the OpenAPI document beside the routes: names, descriptions, examples, licence."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from scripts.generated import ROOT
from scripts.openapi_fields import FIELDS, PARAMETERS

OPERATION_IDS = {"show_progress": "show_batch", "swagger": "show_docs", "openapi": "show_openapi"}
"""The functions behind the routes whose own names make no good method names."""
TAGS = {
    "videos": "Make clips, and look after the jobs that make them.",
    "batches": "Thousands of clips by one manifest.",
    "spending": "What may be spent, and what was.",
    "models": "Which model can do it, and at what price.",
    "uploads": "A place for a local picture or manifest.",
    "docs": "This API's own description.",
}
SERVER = {
    "url": "https://{api}.execute-api.{region}.amazonaws.com/v1",
    "description": "The stack's output ApiUrl. GET /openapi.json names the very address that was called.",
    "variables": {"api": {"default": "abcdefghij"}, "region": {"default": "us-east-1"}},
}
BATCH_ID = "autumn"


def version() -> str:
    """The release, which template, command and document share."""
    found: str = tomllib.loads((ROOT / "cli" / "pyproject.toml").read_text())["project"]["version"]
    return found


def enrich(document: dict[str, Any], codes: list[str]) -> None:
    """Add names, descriptions, examples and licence to the document; ``codes`` are the names of all errors."""
    document["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    document["servers"] = [SERVER]
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["operationId"] = OPERATION_IDS.get(operation["operationId"], operation["operationId"])
            for parameter in operation.get("parameters", ()):
                _describe_parameter(parameter, path)
    for name, schema in document["components"]["schemas"].items():
        for field, found in schema.get("properties", {}).items():
            _describe(found, *FIELDS.get(f"{name}.{field}", FIELDS.get(field, ("", None))))
    # API Gateway's own names cannot be listed, so the known ones stand beside any other text.
    code = document["components"]["schemas"]["Problem"]["properties"]["code"]
    code.pop("type", None)
    code["anyOf"] = [{"enum": codes}, {"type": "string"}]


def _describe_parameter(parameter: dict[str, Any], path: str) -> None:
    text, example = PARAMETERS.get(parameter["name"], ("", None))
    if "description" not in parameter and text:
        parameter["description"] = text
    parameter["example"] = BATCH_ID if path.startswith("/batches") else example


def _describe(schema: dict[str, Any], text: str, example: Any) -> None:
    if "description" not in schema and text:
        schema["description"] = text
    if not {"example", "examples", "enum", "const"} & set(schema):
        schema["examples"] = [example]


def undescribed(document: dict[str, Any]) -> Iterator[str]:
    """What has no description or no example: ``Schema.field`` or ``GET /path parameter``."""
    for name, schema in document["components"]["schemas"].items():
        if "description" not in schema:
            yield name
        for field, found in schema.get("properties", {}).items():
            if not found.get("description") or not {"examples", "enum", "const"} & set(found):
                yield f"{name}.{field}"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                if not parameter.get("description") or parameter.get("example") is None:
                    yield f"{method.upper()} {path} {parameter['name']}"
