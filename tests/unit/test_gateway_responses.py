"""What API Gateway answers in our place is a problem document like our own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stillmotion.api.views import Problem
from stillmotion.problems import CONTENT_TYPE
from tests.support.template import resources

RESPONSES: dict[str, dict[str, Any]] = resources("AWS::Serverless::Api")["Api"]["GatewayResponses"]


@pytest.mark.parametrize("kind", RESPONSES)
def test_a_refusal_of_the_gateway_is_a_problem_document(kind: str) -> None:
    response = RESPONSES[kind]
    text = response["ResponseTemplates"]["application/json"]
    filled = text.replace("$context.error.messageString", '"No."').replace("$context.error.responseType", kind)
    # Source: API Gateway developer guide; $context.status and the like are for access logs.
    assert "$context" not in filled
    told = Problem.model_validate(json.loads(filled))
    assert told.status == response.get("StatusCode")
    assert response["ResponseParameters"]["Headers"]["Content-Type"] == f"'{CONTENT_TYPE}'"


def test_a_throttled_call_hears_when_to_come_back() -> None:
    assert int(RESPONSES["THROTTLED"]["ResponseParameters"]["Headers"]["Retry-After"].strip("'")) > 0
