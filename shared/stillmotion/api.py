"""The HTTP boundary that the API's functions share: one resolver, one way of answering errors, one idea of a caller."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)

from stillmotion.errors import InternalError, InvalidRequest, StillmotionError
from stillmotion.front_door import NotTaken
from stillmotion.problems import CONTENT_TYPE, TYPE_PREFIX, problem
from stillmotion.request import invalid_request
from stillmotion.telemetry import logger

_ASSUMED_ROLE = re.compile(r"^arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<role>.+)/[^/]+$")


def new_api() -> APIGatewayRestResolver:
    """A resolver with request validation, on which every error is a problem document."""
    app = APIGatewayRestResolver(enable_validation=True, json_body_deserializer=_json)

    def refuse_body(error: RequestValidationError | RequestUnsupportedContentType) -> Response[str]:
        if not _is_json(app.current_event.headers):
            detail = "The body is read as JSON only. Send it with the header Content-Type: application/json."
            return _answer_status(415, detail)
        return answer_problem(invalid_request(error.errors(), strip=1))

    app.exception_handler(Exception)(_unplanned)
    app.exception_handler(ServiceError)(lambda error: _answer_status(error.status_code, str(error.msg)))
    app.exception_handler(StillmotionError)(answer_problem)
    app.exception_handler(NotTaken)(lambda failed: answer_problem(failed.error, job_id=failed.job_id))
    app.exception_handler([RequestValidationError, RequestUnsupportedContentType])(refuse_body)
    return app


def _json(text: str) -> Any:
    """JSON whatever it holds: what Python will not read (deep nesting, numbers of thousands of digits) is no JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError("it is nested too deeply or holds a number that is too long", "", 0) from error


def _is_json(headers: Mapping[str, str]) -> bool:
    given = headers.get("Content-Type", "").split(";")[0].strip().lower()
    return given in ("", "application/json")


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response[str]:
    """A JSON answer."""
    sent = {"Cache-Control": "no-store"} | dict(headers or {})
    return Response(status, "application/json", json.dumps(body), headers=dict(sent))


def answer_problem(error: StillmotionError, *, job_id: str | None = None) -> Response[str]:
    """The problem document for an error; ``job_id`` names the record that tells of it."""
    logger.info("refused", extra={"code": error.code, "detail": error.detail, "job_id": job_id})
    status, headers, body = problem(error, instance=None if job_id is None else f"/videos/{job_id}")
    return Response(status, CONTENT_TYPE, json.dumps(body), headers=dict(headers))


def _unplanned(error: Exception) -> Response[str]:
    logger.exception("unplanned error")
    detail = "Something went wrong on our side. Try again; if it stays, look into the function's log."
    return answer_problem(InternalError(detail))


def _answer_status(status: int, detail: str) -> Response[str]:
    phrase = HTTPStatus(status).phrase
    code = phrase.title().replace(" ", "")
    body = {"type": TYPE_PREFIX + code, "title": phrase, "status": status, "code": code, "detail": detail}
    return Response(status, CONTENT_TYPE, json.dumps(body))


def caller(identity: Mapping[str, Any]) -> str | None:
    """Who calls, from the request context's ``identity``: a user's ARN, or a role's whatever its session is called."""
    arn = identity.get("userArn")
    if not isinstance(arn, str) or not arn:
        return None
    role = _ASSUMED_ROLE.match(arn)
    return arn if role is None else f"arn:{role['partition']}:iam::{role['account']}:role/{role['role']}"


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The ``Idempotency-Key`` header.

    Raises:
        InvalidRequest: longer than 256 characters, or not printable ASCII.
    """
    key = headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 0 < len(key) <= 256 or not key.isascii() or not key.isprintable():
        raise InvalidRequest("The header Idempotency-Key must be 1 to 256 printable ASCII characters. Shorten it.")
    return key
