"""Docs: the API's own description, behind ``GET /openapi.json`` and ``GET /docs``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi import swagger_ui
from aws_lambda_powertools.event_handler.openapi.swagger_ui import generate_swagger_html
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion.api.resolver import documented, new_api

DOCUMENT = Path(__file__).with_name("openapi.json")

app = new_api()


@app.get("/openapi.json", responses=documented({200: dict[str, Any]}), tags=["docs"])
def openapi() -> Response[str]:
    """This API as an OpenAPI 3.1 document."""
    return Response(200, "application/json", json.dumps(_document()))


@app.get(
    "/docs", responses={**documented({}), 200: {"description": "HTML", "content": {"text/html": {}}}}, tags=["docs"]
)
def swagger() -> Response[str]:
    """This API as a page to read and try."""
    folder = Path(swagger_ui.__file__).parent
    script, style = ((folder / name).read_text() for name in ("swagger-ui-bundle.min.js", "swagger-ui.min.css"))
    page = generate_swagger_html(json.dumps(_document()), script, style, "", None)
    return Response(200, "text/html; charset=utf-8", page)


def _document() -> dict[str, Any]:
    """The document as it was made from the code, with the address that was called as its server."""
    return _written() | {"servers": [{"url": _server()}]}


def _server() -> str:
    """The API's address: on API Gateway's domain with the stage, on a custom domain with its base path, if any."""
    context = app.current_event.raw_event["requestContext"]
    if not context.get("domainName"):
        # A relative address counts from where the document was read.
        return "."
    return f"https://{context['domainName']}{context['path'].removesuffix(context['resourcePath'])}"


@cache
def _written() -> dict[str, Any]:
    written: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return written


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
