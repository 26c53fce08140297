"""Callback: what ModelGates calls when a job has ended, behind a function URL."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.generation.callback import Call
from stillmotion.settings import CallbackSettings, load

wiring.prepare(wiring.receiving, CallbackSettings)


def _call(event: dict[str, Any]) -> Call:
    body = event.get("body") or ""
    try:
        raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeEncodeError):
        raw = b""
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    path, query = event.get("rawPath", ""), event.get("rawQueryString", "")
    return Call(event["requestContext"]["http"]["method"], path, query, headers, raw)


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take one call in (*Lambda function URLs*, payload format 2.0); the answers have no body."""
    status = wiring.receiving(load(CallbackSettings, os.environ)).receive(_call(event))
    return {"statusCode": status}
