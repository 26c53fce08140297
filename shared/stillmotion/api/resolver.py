"""The HTTP boundary that the API's functions share: one resolver, one way of answering errors, one way to identify the
caller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.event_handler.openapi.params import Path as PathParameter
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from stillmotion.api.views import Problem
from stillmotion.errors import BodyTooLarge, EndedAtOnce, InternalError, OperatorsOnly, StillmotionError
from stillmotion.jobs.record import Job
from stillmotion.jobs.store import get_owned_job
from stillmotion.outbound.redaction import redact_all
from stillmotion.ports import JobStore
from stillmotion.problems import CONTENT_TYPE, TYPE_PREFIX, problem
from stillmotion.requests.json_text import GivenTwice, load_json
from stillmotion.requests.video_request import VideoRequest, invalid_request
from stillmotion.telemetry import logger

# What any route may answer: bad input, not signed or not allowed, throttled, our own fault, AWS or the provider
# unavailable. API Gateway itself answers where a function crashed (502) or took too long (504).
_ALWAYS = frozenset({400, 403, 429, 500, 502, 503, 504})
JobId = Annotated[str, PathParameter(description="the job's id, vid_…")]
MAX_BODY_BYTES = 6_000_000
IDEMPOTENCY_KEY = Header(
    alias="Idempotency-Key",
    min_length=1,
    max_length=256,
    pattern=r"^[ -~]+$",
    description="yours, 1 to 256 printable ASCII characters; the same key and body never make a second job",
)
_ROLE_PATH = re.compile(r"^(?P<role>arn:[^:]+:iam::\d+:role/)(?:.*/)?")
_ASSUMED_ROLE = re.compile(r"^arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<role>.+)/[^/]+$")


class JsonApi(APIGatewayRestResolver):
    """Reads bodies as JSON and as nothing else. Powertools would take forms and ``application/jsonx`` too."""

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        return super().resolve(_with_plain_content_type(event), context)


def new_api(body: type[BaseModel] = VideoRequest) -> APIGatewayRestResolver:
    """A resolver with request validation, every error of which is a problem document; ``body`` is what it takes."""
    app = JsonApi(enable_validation=True, json_body_deserializer=_json)

    def refuse_body(error: RequestValidationError | RequestUnsupportedContentType) -> Response[str]:
        if not _is_json(app.current_event.headers):
            detail = "The body is read as JSON only. Send it with the header Content-Type: application/json."
            return _answer_status(415, detail)
        return answer_problem(invalid_request(error.errors(), strip=1, body=body))

    app.exception_handler(Exception)(_unplanned)
    app.exception_handler(ServiceError)(lambda error: _answer_status(error.status_code, str(error.msg)))
    app.exception_handler(StillmotionError)(answer_problem)
    app.exception_handler(EndedAtOnce)(lambda failed: answer_problem(failed.error, job_id=failed.job_id))
    app.exception_handler([RequestValidationError, RequestUnsupportedContentType])(refuse_body)
    return app


def _json(text: str) -> Any:
    """Any JSON value, with or without a byte order mark. What Python refuses to read (deep nesting, numbers of
    thousands of digits) counts as invalid JSON.
    """
    try:
        return load_json(text.removeprefix("\ufeff"))
    except json.JSONDecodeError:
        raise
    except GivenTwice as error:
        raise json.JSONDecodeError(f"it {error}", "", 0) from error
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError("it is nested too deeply or holds a number that is too long", "", 0) from error


def _with_plain_content_type(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with a Content-Type that Powertools either reads as JSON or refuses."""
    given = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if "content-type" in given:
        given["content-type"] = "application/json" if _is_json(given) else "application/octet-stream"
    return {**event, "headers": given}


def _is_json(headers: Mapping[str, str]) -> bool:
    given = headers.get("content-type", "").split(";")[0].strip().lower()
    return given in ("", "application/json")


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response[str]:
    """A JSON answer."""
    sent = {"Cache-Control": "no-store"} | dict(headers or {})
    return Response(status, "application/json", json.dumps(body), headers=dict(sent))


def answer_problem(error: StillmotionError, *, job_id: str | None = None) -> Response[str]:
    """The problem document for an error; ``job_id`` is the job it is about, where there is one."""
    logger.info("refused", extra={"code": error.code, "detail": error.detail, "job_id": job_id})
    status, headers, body = problem(error, instance=None if job_id is None else f"/videos/{job_id}")
    return Response(status, CONTENT_TYPE, json.dumps(redact_all(body)), headers=dict(headers))


def _unplanned(error: Exception) -> Response[str]:
    logger.exception("unplanned error")
    detail = "Something went wrong on our side. Try again; if it happens again, read the function's log."
    return answer_problem(InternalError(detail))


def _answer_status(status: int, detail: str) -> Response[str]:
    phrase = HTTPStatus(status).phrase
    code = phrase.title().replace(" ", "")
    body = {"type": TYPE_PREFIX + code, "title": phrase, "status": status, "code": code, "detail": detail}
    return Response(status, CONTENT_TYPE, json.dumps(body))


def current_caller(app: APIGatewayRestResolver) -> str | None:
    """Who makes the call that is being answered."""
    return caller(app.current_event.raw_event["requestContext"]["identity"])


def documented(successes: Mapping[int, Any], *problems: int) -> dict[int, OpenAPIResponse]:
    """What a route can answer, for the OpenAPI document: its successes, and every status of a problem document."""
    answers: dict[int, OpenAPIResponse] = {
        status: {"description": HTTPStatus(status).phrase, "content": {"application/json": {"model": model}}}
        for status, model in successes.items()
    }
    for status in sorted({*problems, *_ALWAYS}):
        answers[status] = {"description": HTTPStatus(status).phrase, "content": {CONTENT_TYPE: {"model": Problem}}}
    return answers


def caller(identity: Mapping[str, Any]) -> str | None:
    """The caller's ARN, from the request context's ``identity``: the user's, or the role's without its session name."""
    arn = identity.get("userArn")
    if not isinstance(arn, str) or not arn:
        return None
    return _without_session(arn)


def canonical_principal(arn: str) -> str:
    """A principal as :func:`caller` names it: a role whatever its session and its path."""
    return _without_path(_without_session(arn))


def _without_path(arn: str) -> str:
    return _ROLE_PATH.sub(r"\g<role>", arn)


def _without_session(arn: str) -> str:
    role = _ASSUMED_ROLE.match(arn)
    return arn if role is None else f"arn:{role['partition']}:iam::{role['account']}:role/{role['role']}"


def is_operator(who: str | None, operator_arns: Iterable[str]) -> bool:
    """Whether a caller is one of these ARNs. A role's ARN in that list may have a path, which a caller's ARN never has.
    The path is ignored: a role's name is unique in its account (*IAM identifiers*).
    """
    return who is not None and who in {_without_path(arn) for arn in operator_arns}


def get_visible_job(app: APIGatewayRestResolver, store: JobStore, job_id: str, operator_arns: Iterable[str]) -> Job:
    """The job that a call is about, if its caller may see it.

    Raises:
        JobNotFound: there is none, or it belongs to another caller and this caller is not an operator.
    """
    who = current_caller(app)
    job = get_owned_job(store, job_id, who, operator=is_operator(who, operator_arns))
    if job.owner not in (None, who):
        method = app.current_event.http_method
        logger.info("operator acts on another's job", extra={"job_id": job.id, "operator": who, "method": method})
    return job


def require_operator(app: APIGatewayRestResolver, operator_arns: Iterable[str]) -> None:
    """Refuse a call that only operators may make.

    Raises:
        OperatorsOnly: the caller is not an operator.
    """
    who = current_caller(app)
    if not is_operator(who, operator_arns):
        raise OperatorsOnly(
            f"'{who}' is not an operator of this stack. Operators are the IAM roles and users in the parameter "
            "OperatorRoleArns: ask one of them, or add the ARN there and deploy again. Nothing was changed."
        )


def check_body_size(app: APIGatewayRestResolver) -> None:
    """Refuse a body that API Gateway or Lambda would not have let through on AWS.

    Source: *Lambda quotas*, invocation payload of 6 MB.

    Raises:
        BodyTooLarge: with its size and what to do instead.
    """
    size = len((app.current_event.body or "").encode())
    if size > MAX_BODY_BYTES:
        raise BodyTooLarge(
            f"The body has {size:,} bytes, at most {MAX_BODY_BYTES:,} are taken. Upload the picture (POST /uploads) "
            "and name it by its s3:// address."
        )
