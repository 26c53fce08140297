"""Write functions/docs/openapi.json from the code of the API's functions.

python -m scripts.openapi          writes the document
python -m scripts.openapi --check  only says whether it is as the code is
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "functions" / "docs" / "openapi.json"
FUNCTIONS = ("submit", "jobs", "control", "models", "uploads", "docs")
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


def document() -> dict[str, Any]:
    """The whole API as OpenAPI 3.1."""
    os.environ.setdefault("POWERTOOLS_TRACE_DISABLED", "true")
    sys.path.insert(0, str(ROOT / "shared"))
    from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge

    merge = OpenAPIMerge(
        title="Stillmotion", version="1", openapi_version="3.1.0", description=DESCRIPTION, on_conflict="error"
    )
    for name in FUNCTIONS:
        merge.add_file(ROOT / "functions" / name / "app.py", "app")
    text = json.dumps(merge.get_openapi_schema(), default=lambda member: member.value)
    # The functions name the path parameter by what it is; the API's callers know it as the job's id.
    made: dict[str, Any] = json.loads(text.replace("{video_id}", "{id}").replace('"video_id"', '"id"'))
    for path in made["paths"].values():
        for operation in path.values():
            _without_default_422(operation)
            _with_headers(operation)
            operation["security"] = [{"sigv4": []}]
    made["components"]["securitySchemes"] = {"sigv4": SIGNATURE}
    for unused in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        made["components"]["schemas"].pop(unused, None)
    made.pop("servers", None)
    return made


def _without_default_422(operation: dict[str, Any]) -> None:
    """Powertools describes its own answer to bad input; ours is a problem document with status 400."""
    content = operation["responses"].get("422", {}).get("content", {})
    if "application/problem+json" not in content:
        operation["responses"].pop("422", None)


def _with_headers(operation: dict[str, Any]) -> None:
    """The headers that answers carry."""
    text = {"schema": {"type": "string"}}
    for status, answer in operation["responses"].items():
        headers = answer.setdefault("headers", {})
        if status in ("429", "503"):
            headers["Retry-After"] = {"description": "seconds to wait", **text}
        if status == "202":
            headers["Location"] = {"description": "the job's address", **text}
        if not headers:
            del answer["headers"]


def main() -> int:
    """Write or check the document; 1 when the check fails."""
    text = json.dumps(document(), indent=2, sort_keys=True) + "\n"
    if "--check" not in sys.argv:
        DOCUMENT.write_text(text)
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")
        return 0
    if DOCUMENT.exists() and DOCUMENT.read_text() == text:
        return 0
    print(f"{DOCUMENT.relative_to(ROOT)} is not as the code is. Write it anew: make openapi", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
