"""The template as CloudFormation gets it: after the SAM transform, with code and definitions put in place."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any
from unittest.mock import patch

from samtranslator.translator.transform import transform

from tests.support.template import ROOT, template

CODE_BUCKET, CODE_KEY = "deployment", "code.zip"
REGION = "eu-central-1"


@cache
def expanded() -> dict[str, Any]:
    """Every resource that a deployment makes, those that SAM adds included; functions and layers have one placeholder
    for their code."""
    given: dict[str, Any] = _with_attribute_pairs(template())
    for resource in given["Resources"].values():
        properties = resource.get("Properties", {})
        for place in ("CodeUri", "ContentUri"):
            if place in properties:
                properties[place] = {"Bucket": CODE_BUCKET, "Key": CODE_KEY}
        if "DefinitionUri" in properties:
            properties["Definition"] = json.loads((ROOT / properties.pop("DefinitionUri")).read_text())
    defaults = {name: found["Default"] for name, found in given["Parameters"].items()}
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}):
        made: dict[str, Any] = transform(given, defaults, _NoManagedPolicies())
    return made


def _with_attribute_pairs(value: Any) -> Any:
    """A copy in which ``!GetAtt A.B`` reads ``["A", "B"]``, as it does in JSON templates."""
    if isinstance(value, dict):
        if isinstance(found := value.get("Fn::GetAtt"), str):
            return {"Fn::GetAtt": found.split(".", 1)}
        return {name: _with_attribute_pairs(part) for name, part in value.items()}
    return [_with_attribute_pairs(part) for part in value] if isinstance(value, list) else value


class _NoManagedPolicies:
    """In place of SAM's list of managed policies, which it would read from an account; the template names none."""

    def load(self) -> dict[str, str]:
        return {}


def expanded_resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of every resource of a type after the transform, by logical id."""
    found = expanded()["Resources"].items()
    return {name: one.get("Properties", {}) for name, one in found if one["Type"] == kind}
