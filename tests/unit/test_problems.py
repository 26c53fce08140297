"""Problem documents: complete, for every error."""

from __future__ import annotations

import json

import pytest

from stillmotion.errors import ERRORS, Fault, ProviderThrottled, StillmotionError
from stillmotion.problems import CONTENT_TYPE, problem


@pytest.mark.parametrize("kind", ERRORS.values(), ids=str)
def test_every_error_makes_a_complete_problem_document(kind: type[StillmotionError]) -> None:
    fault = Fault("#/duration", "is 5", given=5, allowed=[4, 6])
    error = kind("what happened and what to do", faults=[fault], provider_message="their words")
    status, headers, body = problem(error, instance="/videos/vid_1")
    assert json.loads(json.dumps(body, allow_nan=False)) == {
        "type": f"urn:stillmotion:problem:{kind.__name__}",
        "title": kind.title,
        "status": status,
        "code": kind.__name__,
        "detail": "what happened and what to do",
        "instance": "/videos/vid_1",
        "provider_message": "their words",
        "errors": [{"pointer": "#/duration", "detail": "is 5", "given": 5, "allowed": [4, 6]}],
    }
    assert status == kind.http_status
    assert headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in headers) == (status == 503)


def test_what_is_not_known_is_left_out() -> None:
    _, _, body = problem(StillmotionError("x"))
    assert list(body) == ["type", "title", "status", "code", "detail"]


@pytest.mark.parametrize(("asked", "answered"), [(None, "5"), (0.2, "1"), (17.0, "17"), (17.1, "18")])
def test_the_wait_that_modelgates_asked_for_is_passed_on_in_whole_seconds(asked: float | None, answered: str) -> None:
    _, headers, _ = problem(ProviderThrottled("slow down", retry_after=asked))
    assert headers["Retry-After"] == answered


def test_the_content_type_is_that_of_the_standard() -> None:
    assert CONTENT_TYPE == "application/problem+json"
