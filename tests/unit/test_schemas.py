"""The sample events against the schemas that are published, and the schemas against what they are made from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scripts.openapi import document
from scripts.schemas import schemas
from tests.support.events import sample, sample_names

REFUSED = {
    "submit_api-unknown_field",
    "submit_api-callback_url",
    "submit_api-not_json",
    "submit_task-unknown_field",
}


def requests() -> list[tuple[str, Any]]:
    """Every request that stands in a sample: a body, an execution's input, or an event's detail."""
    found = []
    for name in sample_names():
        event = sample(name)
        if name.startswith("submit_api-") and name != "submit_api-not_json":
            found.append((name, json.loads(event["body"])))
        elif name.startswith("submit_task-"):
            given = event["input"]
            found.append((name, given["detail"] if "detail-type" in given else given))
    return [(name, given) for name, given in found if "model" in given]


@pytest.mark.parametrize(("name", "given"), requests(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_samples_request_is_what_the_published_schema_says(name: str, given: Any) -> None:
    validator = Draft202012Validator(schemas()["video-generation-requested"])
    assert validator.is_valid(given) is (name not in REFUSED), list(validator.iter_errors(given))


@pytest.mark.parametrize("name", schemas())
def test_a_published_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schemas()[name])


def test_the_samples_of_the_api_are_calls_that_the_document_knows() -> None:
    paths = document()["paths"]
    for name in sample_names():
        event = sample(name)
        if "httpMethod" in event:
            assert event["httpMethod"].lower() in paths[event["resource"]], name
