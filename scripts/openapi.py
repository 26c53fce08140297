"""Write functions/docs/openapi.json from the code of the API's functions.

python -m scripts.openapi          writes the document
python -m scripts.openapi --check  only says whether it is as the code is
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from typing import Any

from scripts.generated import ROOT, keep
from scripts.openapi_texts import enrich, version

DOCUMENT = ROOT / "functions" / "docs" / "openapi.json"
FUNCTIONS = ("submit", "jobs", "control", "batches", "models", "spending", "uploads", "docs")
DESCRIPTION = """\
Turn still images into video clips. An image becomes the exact first or last frame of a clip that ModelGates generates.

Every call is signed with AWS Signature Version 4 (service `execute-api`) and needs `execute-api:Invoke`. Times are
ISO-8601 in UTC, money is USD, sizes are bytes. Every error is a problem document (RFC 9457) whose `code` is its name
everywhere: in the record, in events, and as the error of a failed workflow."""
SIGNATURE = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "x-amazon-apigateway-authtype": "awsSigv4",
    "description": "AWS Signature Version 4",
}

SECONDS = {"type": "integer", "minimum": 0}
HEADERS = {
    "Retry-After": {"description": "seconds to wait", "schema": SECONDS},
    "Location": {"description": "the job's address, below the API's", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "this is the first job of the Idempotency-Key",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
ANSWER_HEADERS: dict[str, dict[str, tuple[str, ...]]] = {
    "POST /videos": {"200": ("Location", "Idempotent-Replayed"), "202": ("Location",)},
    "POST /batches": {"200": ("Location",), "202": ("Location",)},
    "GET /batches/{id}": {"200": ("Retry-After",)},
    "POST /videos/{id}/resume": {"202": ("Location",)},
    "GET /videos/{id}": {"200": ("Retry-After",)},
    "DELETE /videos/{id}": {"409": ("Retry-After",)},
}


def document() -> dict[str, Any]:
    """The whole API as OpenAPI 3.1."""
    os.environ.setdefault("POWERTOOLS_TRACE_DISABLED", "true")
    sys.path.insert(0, str(ROOT / "shared"))
    from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge

    merge = OpenAPIMerge(
        title="Stillmotion", version=version(), openapi_version="3.1.0", description=DESCRIPTION, on_conflict="error"
    )
    for name in FUNCTIONS:
        merge.add_file(ROOT / "functions" / name / "app.py", "app")
    text = json.dumps(merge.get_openapi_schema(), default=lambda member: member.value)
    # The functions name a path parameter by what it is; the API's callers know it as the job's or the batch's id.
    for name in ("video_id", "shown_id"):
        text = text.replace(f"{{{name}}}", "{id}").replace(f'"{name}"', '"id"')
    made: dict[str, Any] = json.loads(text)
    told = _docstrings()
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _without_default_422(operation)
            _with_headers(operation, ANSWER_HEADERS.get(f"{method.upper()} {path}", {}))
            _in_our_words(operation, told)
            operation["security"] = [{"sigv4": []}]
    made["components"]["securitySchemes"] = {"sigv4": SIGNATURE}
    for unused in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        made["components"]["schemas"].pop(unused, None)
    enrich(made, _codes())
    return made


def _codes() -> list[str]:
    """The names of errors that the API answers with, those of the HTTP layer included."""
    from stillmotion.errors import ERRORS

    leaves = [code for code, kind in ERRORS.items() if not kind.__subclasses__()]
    return sorted([*leaves, "Throttled", "UnsupportedMediaType"])


def _without_default_422(operation: dict[str, Any]) -> None:
    """Powertools describes its own answer to bad input; ours is a problem document with status 400."""
    content = operation["responses"].get("422", {}).get("content", {})
    if "application/problem+json" not in content:
        operation["responses"].pop("422", None)


def _with_headers(operation: dict[str, Any], own: dict[str, tuple[str, ...]]) -> None:
    """The headers that answers carry: ``own`` by status, and when to try again."""
    for status, answer in operation["responses"].items():
        names = own.get(status, ()) + (("Retry-After",) if status in ("429", "503") else ())
        if names:
            answer["headers"] = {name: HEADERS[name] for name in names}


def _in_our_words(operation: dict[str, Any], told: dict[str, str]) -> None:
    """The function's name as the operation's id, and its docstring instead of the method and path over again."""
    name = max((name for name in told if operation["operationId"].startswith(f"{name}_")), key=len)
    summary, _, more = told[name].partition("\n\n")
    operation["operationId"] = name
    operation["summary"] = " ".join(summary.split()).rstrip(".")
    if more:
        operation["description"] = more


def _docstrings() -> dict[str, str]:
    """What the functions behind the routes say of themselves, by their names."""
    found = {}
    for name in FUNCTIONS:
        tree = ast.parse((ROOT / "functions" / name / "app.py").read_text())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and (text := ast.get_docstring(node)):
                found[node.name] = re.sub("``", "`", text)
    return found


def main() -> int:
    """Write or check the document; 1 when the check fails."""
    return keep({DOCUMENT: document()}, "make openapi")


if __name__ == "__main__":
    sys.exit(main())
