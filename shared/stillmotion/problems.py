"""Errors as HTTP answers: problem documents of RFC 9457, the same for every route."""

from __future__ import annotations

import math
from typing import Any

from stillmotion.errors import StillmotionError

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:stillmotion:problem:"


def problem(error: StillmotionError, *, instance: str | None = None) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and body of the answer.

    The body: ``type, title, status, code, detail``, ``instance`` (the job, where there is one), ``provider_message``
    (ModelGates' own words) and ``errors``, one entry for each fault: ``pointer, detail, given, allowed``.
    """
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.http_status,
        "code": error.code,
        "detail": error.detail,
    }
    if instance is not None:
        body["instance"] = instance
    if error.provider_message is not None:
        body["provider_message"] = error.provider_message
    if error.faults:
        body["errors"] = [fault.as_dict() for fault in error.faults]
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None or error.http_status == 503:
        headers["Retry-After"] = str(math.ceil(error.retry_after or 5))
    return error.http_status, headers, body
