"""The tree of errors, and how one travels through a state machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.errors import ERRORS, Fault, InternalError, InvalidRequest, StillmotionError, from_workflow, pointer
from stillmotion.generation.record_failure import generation_error
from stillmotion.modelgates.job import Outcome

CONTRACT = """
    InvalidRequest UnsupportedByModel UnknownModel ImageNotUsable IdempotencyConflict SpendLimitReached
    ProviderRejected ProviderUnauthorized ProviderOutOfCredits ProviderThrottled ProviderUnavailable
    SubmitOutcomeUnknown GenerationFailed GenerationCancelled GenerationExpired PollingTimedOut DownloadFailed
    NotAVideo StorageFailed
"""
UNREADABLE = [
    *("", "not json", "null", "[]", "{}", '{"errorMessage": 5}', '{"errorMessage": "5"}', '{"errorMessage": "[]"}'),
    '{"errorMessage": "{}"}',
    '{"errorMessage": "{\\"message\\": \\"m\\", \\"faults\\": [{\\"x\\": 1}]}"}',
    '{"errorMessage": "cut off in the mid',
    '{"errorMessage": "x", "stackTrace": ["line 1"]}',
]
json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def lambda_cause(error: StillmotionError) -> str:
    """What Lambda tells a state machine of an error that a handler raised."""
    carried = error.for_workflow()
    return json.dumps({"errorMessage": str(carried), "errorType": carried.code, "stackTrace": ["File app.py, line 1"]})


def test_every_name_of_the_contract_is_an_error() -> None:
    assert set(CONTRACT.split()) <= set(ERRORS)


@pytest.mark.parametrize("kind", ERRORS.values(), ids=str)
def test_every_error_has_a_name_a_title_and_a_status(kind: type[StillmotionError]) -> None:
    error = kind("what happened")
    assert ERRORS[error.code] is kind
    assert kind.title
    assert 400 <= kind.http_status <= 599
    assert error.as_record() == {"code": kind.__name__, "message": "what happened", "retryable": kind.retryable}


@pytest.mark.parametrize("kind", ERRORS.values(), ids=str)
def test_an_error_survives_the_way_through_a_workflow(kind: type[StillmotionError]) -> None:
    fault = Fault("#/duration", "is 5", given=5, allowed=[4, 6])
    error = kind("Größer: was “fehlt”.", faults=[fault], provider_message="said so\nand so")
    found = from_workflow(error.code, lambda_cause(error))
    assert type(found) is kind
    assert found.as_record() == error.as_record()


@given(detail=st.text(), said=st.none() | st.text(), given_=json_scalars, allowed=st.none() | st.lists(json_scalars))
def test_any_text_and_any_values_survive_the_way(detail: str, said: str | None, given_: Any, allowed: Any) -> None:
    error = InvalidRequest(detail, faults=[Fault("#/x", "y", given_, allowed)], provider_message=said)
    assert from_workflow(error.code, lambda_cause(error)).as_record() == error.as_record()


def test_an_error_with_many_faults_still_fits_into_a_cause() -> None:
    faults = [Fault(f"#/{at}", "is not a known field", allowed=["x" * 100] * 20) for at in range(1000)]
    cause = lambda_cause(InvalidRequest("d" * 8000, faults=faults))
    assert len(cause) < 32_768
    found = from_workflow("InvalidRequest", cause)
    assert found.detail == "d" * 8000
    assert 0 < len(found.faults) < 1000


@pytest.mark.parametrize("error", ["States.Timeout", "Runtime.ExitError", "Lambda.Unknown", "KeyError", ""])
def test_a_foreign_error_becomes_internal_without_its_message(error: str) -> None:
    found = from_workflow(error, '{"errorMessage": "secret=hunter2", "stackTrace": ["line"]}')
    assert type(found) is InternalError
    assert error in found.detail
    assert "hunter2" not in json.dumps(found.as_record())


@pytest.mark.parametrize("cause", UNREADABLE)
def test_an_unreadable_cause_still_gives_the_error_and_no_stack_trace(cause: str) -> None:
    found = from_workflow("StorageFailed", cause)
    assert found.code == "StorageFailed"
    assert "line 1" not in found.detail
    assert "cut off" not in found.detail


def test_a_fault_tells_only_what_is_known() -> None:
    assert Fault("#/x", "is missing").as_dict() == {"pointer": "#/x", "detail": "is missing"}
    assert Fault("#/x", "is", False, 0).as_dict() == {"pointer": "#/x", "detail": "is", "given": False, "allowed": 0}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), "#"),
        (("frame_images", 0, "frame_type"), "#/frame_images/0/frame_type"),
        (("a/b", "c~d"), "#/a~1b/c~0d"),
        (("with space", "100%", "ü"), "#/with%20space/100%25/%C3%BC"),
        (("\ud800",), "#/?"),
    ],
)
def test_a_pointer_is_a_uri_fragment(parts: tuple[object, ...], expected: str) -> None:
    assert pointer(*parts) == expected


def test_foreign_words_that_end_in_a_full_stop_get_no_second_one() -> None:
    said = generation_error(Outcome.FAILED, "unknown format.")
    assert "unknown format. Change the prompt" in said.detail
    assert "out of memory... Change" in generation_error(Outcome.FAILED, "out of memory...").detail
    assert InvalidRequest("Why?. Look at ../a.").detail == "Why? Look at ../a."
    assert InvalidRequest("a..").as_record()["message"] == str(InvalidRequest("a..")) == "a."
