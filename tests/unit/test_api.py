"""The HTTP boundary: every error a problem document, and one idea of a caller."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

import pytest
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import UnauthorizedError
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.api.resolver import IDEMPOTENCY_KEY, answer, caller, is_operator, new_api
from stillmotion.errors import (
    ERRORS,
    EndedAtOnce,
    Fault,
    JobNotFound,
    ProviderThrottled,
    StillmotionError,
    SubmitOutcomeUnknown,
)
from stillmotion.requests.video_request import VideoRequest
from tests.support.events import sample

GOOD = {"model": "m", "prompt": "p"}
DEEP = "[" * 100_000
ROLE = "arn:aws:iam::123456789012:role/"


def api(does: Callable[[], Response[str]] | None = None) -> APIGatewayRestResolver:
    """An API with one route that takes a request and then does something."""
    app = new_api()

    @app.post("/videos")
    def create(request: VideoRequest, idempotency_key: Annotated[str | None, IDEMPOTENCY_KEY] = None) -> Response[str]:
        return does() if does is not None else answer(200, {"model": request.model, "key": idempotency_key})

    return app


def call(app: APIGatewayRestResolver, body: Any = GOOD, **headers: str) -> tuple[int, dict[str, str], Any]:
    """Status, headers and decoded body of the answer to POST /videos."""
    event = sample("submit_api-first_frame")
    event["body"] = body if isinstance(body, str) or body is None else json.dumps(body)
    for name, value in headers.items():
        event["headers"][name.replace("_", "-")] = value
        event["multiValueHeaders"][name.replace("_", "-")] = [value]
    found = app.resolve(event, None)  # type: ignore[arg-type]
    sent = {name: values[0] for name, values in found["multiValueHeaders"].items()}
    return found["statusCode"], sent, json.loads(found["body"], parse_constant=pytest.fail)


def raising(error: Exception) -> APIGatewayRestResolver:
    def does() -> Response[str]:
        raise error

    return api(does)


def assert_problem(found: tuple[int, dict[str, str], Any], status: int, code: str) -> dict[str, Any]:
    """A complete problem document (RFC 9457)."""
    given_, headers, body = found
    assert given_ == body["status"] == status
    assert headers["Content-Type"] == "application/problem+json"
    assert body["type"] == f"urn:stillmotion:problem:{code}"
    assert body["code"] == code
    assert body["title"]
    assert body["detail"]
    return dict(body)


def test_a_good_request_reaches_its_route() -> None:
    status, headers, body = call(api())
    assert (status, body) == (200, {"model": "m", "key": None})
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", ERRORS.values(), ids=str)
def test_every_error_is_answered_as_a_problem_document(kind: type[StillmotionError]) -> None:
    error = kind("what happened", faults=[Fault("#/x", "is", 1, [2])], provider_message="their words")
    body = assert_problem(call(raising(error)), kind.http_status, kind.__name__)
    assert body["errors"] == [{"pointer": "#/x", "detail": "is", "given": 1, "allowed": [2]}]
    assert body["provider_message"] == "their words"


def test_an_error_of_a_job_that_is_on_record_names_the_job() -> None:
    error = EndedAtOnce("vid_1", SubmitOutcomeUnknown("lost"))
    assert assert_problem(call(raising(error)), 502, "SubmitOutcomeUnknown")["instance"] == "/videos/vid_1"


def test_a_throttled_caller_hears_how_long_to_wait() -> None:
    _, headers, _ = call(raising(ProviderThrottled("slow down", retry_after=7.2)))
    assert headers["Retry-After"] == "8"


def test_an_unexpected_error_shows_no_message_or_trace() -> None:
    body = assert_problem(call(raising(ValueError("secret=hunter2"))), 500, "InternalError")
    assert "hunter2" not in json.dumps(body)
    assert "Traceback" not in json.dumps(body)


def test_an_error_of_the_framework_is_a_problem_document_too() -> None:
    assert_problem(call(raising(UnauthorizedError("who are you"))), 401, "Unauthorized")
    event = sample("jobs-list")
    found = api().resolve(event, None)  # type: ignore[arg-type]
    headers = {name: values[0] for name, values in found["multiValueHeaders"].items()}
    assert_problem((found["statusCode"], headers, json.loads(found["body"])), 404, "NotFound")


@pytest.mark.parametrize(
    "body", [None, "", "{not json", "[]", "5", '"text"', "null", DEEP, '{"seed":' + "9" * 5000 + "}"]
)
def test_a_body_that_is_no_json_object_is_refused(body: str | None) -> None:
    found = assert_problem(call(api(), body), 400, "InvalidRequest")
    assert [fault["pointer"] for fault in found["errors"]] == ["#"]
    assert "nothing was submitted" in found["detail"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{}", "text/plain"),
        (json.dumps(GOOD), "application/x-www-form-urlencoded"),
        ("x", "multipart/form-data; boundary=x"),
    ],
)
def test_a_body_of_another_type_is_refused_with_the_one_that_is_read(body: str, content_type: str) -> None:
    found = assert_problem(call(api(), body, Content_Type=content_type), 415, "UnsupportedMediaType")
    assert "application/json" in found["detail"]
    assert HTTPStatus(415).phrase == found["title"]


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_json_is_read_with_and_without_its_character_set(content_type: str) -> None:
    assert call(api(), Content_Type=content_type)[0] == 200


def test_every_wrong_field_is_named_at_once_as_the_caller_wrote_it() -> None:
    body = GOOD | {"duration": "4", "colour": 1, "callback_url": "https://x?y=secret", "seed": float("nan")}
    found = assert_problem(call(api(), body), 400, "InvalidRequest")
    assert {fault["pointer"] for fault in found["errors"]} == {"#/duration", "#/colour", "#/callback_url", "#/seed"}
    assert "secret" not in json.dumps(found)


@pytest.mark.slow
@given(st.recursive(st.none() | st.floats() | st.text() | st.integers(), lambda inner: st.lists(inner, max_size=2)))
@settings(max_examples=50)
def test_whatever_a_field_holds_the_answer_is_json(value: Any) -> None:
    status, _, body = call(api(), GOOD | {"duration": value, "trace": value, "x": value})
    assert status == 400
    assert body["errors"]


@pytest.mark.parametrize("key", ["", "x" * 257, "a\tb", "schlüssel"])
def test_an_idempotency_key_that_will_not_do_is_refused(key: str) -> None:
    found = assert_problem(call(api(), Idempotency_Key=key), 400, "InvalidRequest")
    assert "idempotency-key" in found["detail"].lower()


@pytest.mark.parametrize("key", ["k", "order 7", "x" * 256])
def test_an_idempotency_key_reaches_the_route_as_it_was_sent(key: str) -> None:
    assert call(api(), Idempotency_Key=key)[2]["key"] == key


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:iam::123456789012:user/alice", "arn:aws:iam::123456789012:user/alice"),
        ("arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root"),
        ("arn:aws:sts::123456789012:assumed-role/Producer/session-1", ROLE + "Producer"),
        ("arn:aws:sts::123456789012:assumed-role/Producer/another@example.com", ROLE + "Producer"),
        ("arn:aws-cn:sts::123456789012:assumed-role/P/s", "arn:aws-cn:iam::123456789012:role/P"),
        (
            "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_1a2b/alice",
            ROLE + "AWSReservedSSO_Admin_1a2b",
        ),
        ("arn:aws:sts::123456789012:federated-user/bob", "arn:aws:sts::123456789012:federated-user/bob"),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_a_caller_is_a_user_or_a_role_whatever_its_session_is_called(arn: Any, expected: str | None) -> None:
    assert caller({"userArn": arn}) == expected


SSO = "AWSReservedSSO_Admin_1a2b"


@pytest.mark.parametrize(
    ("listed", "arn", "expected"),
    [
        (ROLE + "Ops", "arn:aws:sts::123456789012:assumed-role/Ops/alice", True),
        (ROLE + "team/eu/Ops", "arn:aws:sts::123456789012:assumed-role/Ops/alice", True),
        (f"{ROLE}aws-reserved/sso.amazonaws.com/eu-central-1/{SSO}", f"arn:aws:sts::1:assumed-role/{SSO}/a", False),
        (
            f"{ROLE}aws-reserved/sso.amazonaws.com/eu-central-1/{SSO}",
            f"arn:aws:sts::123456789012:assumed-role/{SSO}/alice",
            True,
        ),
        (f"{ROLE}A,{ROLE}Ops", "arn:aws:sts::123456789012:assumed-role/Ops/alice", True),
        (ROLE + "Ops", "arn:aws:sts::123456789012:assumed-role/Ops2/alice", False),
        (ROLE + "Ops", "arn:aws:sts::123456789012:assumed-role/Other/Ops", False),
        (ROLE + "Ops", "arn:aws:sts::210987654321:assumed-role/Ops/alice", False),
        (ROLE + "Ops", "arn:aws:iam::123456789012:user/Ops", False),
        ("arn:aws:iam::123456789012:user/eu/alice", "arn:aws:iam::123456789012:user/eu/alice", True),
        ("arn:aws:iam::123456789012:user/eu/alice", "arn:aws:iam::123456789012:user/alice", False),
        # One session of a role is not the role.
        ("arn:aws:sts::123456789012:assumed-role/Ops/alice", "arn:aws:sts::123456789012:assumed-role/Ops/alice", False),
        (ROLE + "*", "arn:aws:sts::123456789012:assumed-role/Ops/alice", False),
        ("", "arn:aws:iam::123456789012:user/alice", False),
        ("", None, False),
    ],
)
def test_an_operator_is_one_of_the_listed_roles_and_users(listed: str, arn: str | None, expected: bool) -> None:
    assert is_operator(caller({"userArn": arn}), listed.split(",")) is expected


def test_without_an_identity_there_is_no_caller() -> None:
    assert caller({}) is None


def test_a_hidden_job_and_a_missing_one_are_answered_alike() -> None:
    assert_problem(call(raising(JobNotFound("There is no job 'vid_1'."))), 404, "JobNotFound")
