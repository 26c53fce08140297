"""The OpenAPI document as makers of clients want it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from scripts.openapi_texts import TAGS, undescribed, version
from stillmotion.errors import ERRORS
from tests.support.node import npm_run
from tests.support.template import ROOT

DOCUMENT = json.loads((ROOT / "functions" / "docs" / "openapi.json").read_text())
OPERATIONS = {
    f"{verb.upper()} {path}": operation
    for path, verbs in DOCUMENT["paths"].items()
    for verb, operation in verbs.items()
}
SCHEMAS = DOCUMENT["components"]["schemas"]
FIELDS = {f"{name}.{field}": one for name in SCHEMAS for field, one in SCHEMAS[name].get("properties", {}).items()}
VERBS = "create|show|list|cancel|resume|settle|change|purge|delete"


def without_required(value: Any) -> Any:
    """A schema in which nothing is required: a part of a larger object is enough of an example of it."""
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if not (key == "required" and isinstance(one, list))}
        return {key: without_required(one) for key, one in kept.items()}
    return [without_required(one) for one in value] if isinstance(value, list) else value


LENIENT = without_required({"components": DOCUMENT["components"]})


def test_the_document_is_openapi_3_1() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"


@pytest.mark.slow
def test_the_kept_linter_finds_nothing() -> None:
    npm_run(ROOT / "scripts" / "openapi_lint", "lint")


def test_the_document_names_its_licence_and_release() -> None:
    assert DOCUMENT["info"]["license"] == {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    assert DOCUMENT["info"]["version"] == version()
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_operation_ids_are_verbs_and_nouns_and_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert all(
        re.fullmatch(r"(create|show|list|cancel|resume|settle|change|purge|delete)_[a-z_]+", one) for one in ids
    ), ids


def test_every_operation_has_a_known_tag_and_a_summary() -> None:
    for operation in OPERATIONS.values():
        assert operation["summary"]
        assert set(operation["tags"]) <= set(TAGS)
    assert [tag["name"] for tag in DOCUMENT["tags"]] == list(TAGS)


def test_every_schema_field_and_parameter_is_described_with_an_example() -> None:
    assert list(undescribed(DOCUMENT)) == []


@pytest.mark.parametrize("name", sorted(name for name, found in FIELDS.items() if "examples" in found))
def test_examples_are_values_of_their_field(name: str) -> None:
    checker = Draft202012Validator(LENIENT | {"allOf": [without_required(FIELDS[name])]})
    for example in FIELDS[name]["examples"]:
        checker.validate(example)


def test_refusals_are_problem_documents_with_the_names_of_errors() -> None:
    [known, _any] = SCHEMAS["Problem"]["properties"]["code"]["anyOf"]
    leaves = {code for code, kind in ERRORS.items() if not kind.__subclasses__()}
    assert set(known["enum"]) == leaves | {"Throttled", "UnsupportedMediaType"}
    for route, operation in OPERATIONS.items():
        refusals: dict[str, Any] = {code: one for code, one in operation["responses"].items() if code >= "400"}
        assert refusals, route
        for answer in refusals.values():
            reference = {"$ref": "#/components/schemas/Problem"}
            assert answer["content"]["application/problem+json"]["schema"] == reference, route
