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
EXPANDED_BY = ("GradualDeployment",)
"""The parameters that SAM looks at while it expands the template; conditions work out all others later."""


@cache
def expanded(**values: str) -> dict[str, Any]:
    """Every resource that a deployment makes, those that SAM adds included; functions and layers have one placeholder
    for their code. The values are of parameters that SAM itself looks at."""
    given: dict[str, Any] = _with_attribute_pairs(template())
    for resource in given["Resources"].values():
        properties = resource.get("Properties", {})
        for place in ("CodeUri", "ContentUri"):
            if isinstance(properties.get(place), str):
                properties[place] = {"Bucket": CODE_BUCKET, "Key": CODE_KEY}
        if "DefinitionUri" in properties:
            properties["Definition"] = json.loads((ROOT / properties.pop("DefinitionUri")).read_text())
    defaults = {name: found["Default"] for name, found in given["Parameters"].items()} | values
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


class _Nothing:
    """What ``AWS::NoValue`` comes to."""


_NOTHING = _Nothing()


def deployed(**values: str) -> dict[str, dict[str, Any]]:
    """Every resource, by logical id, that a stack with these parameters has: conditions and ``Fn::If`` worked out, and
    references to parameters replaced by their values. Resources are referred to as in the template."""
    made = expanded(**{name: value for name, value in values.items() if name in EXPANDED_BY})
    parameters = {name: str(found["Default"]) for name, found in made["Parameters"].items()} | values
    for name in values:
        assert name in made["Parameters"], name
    conditions = {name: _holds(rule, made["Conditions"], parameters) for name, rule in made["Conditions"].items()}
    kept = {name: one for name, one in made["Resources"].items() if conditions.get(one.get("Condition", ""), True)}
    return {name: _filled(one, conditions, parameters, made["Parameters"]) for name, one in kept.items()}


def deployed_resources(kind: str, **values: str) -> dict[str, dict[str, Any]]:
    """Properties of every resource of a type in a stack with these parameters, by logical id."""
    return {name: one.get("Properties", {}) for name, one in deployed(**values).items() if one["Type"] == kind}


def _holds(rule: Any, conditions: dict[str, Any], parameters: dict[str, str]) -> bool:
    """Whether a condition holds."""
    if "Condition" in rule:
        return _holds(conditions[rule["Condition"]], conditions, parameters)
    [(function, arguments)] = rule.items()
    if function == "Fn::Equals":
        first, second = (_text(argument, parameters) for argument in arguments)
        return first == second
    inner = [_holds(argument, conditions, parameters) for argument in arguments]
    return {"Fn::Not": not inner[0], "Fn::And": all(inner), "Fn::Or": any(inner)}[function]


def _text(value: Any, parameters: dict[str, str]) -> str:
    """What an operand of ``Fn::Equals`` comes to: text, a parameter, or a list parameter joined by nothing."""
    if isinstance(value, dict) and "Fn::Join" in value:
        return _text(value["Fn::Join"][1], parameters).replace(",", "")
    return parameters[value["Ref"]] if isinstance(value, dict) else str(value)


def _filled(value: Any, conditions: dict[str, bool], parameters: dict[str, str], declared: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if "Fn::If" in value:
            name, holds, otherwise = value["Fn::If"]
            return _filled(holds if conditions[name] else otherwise, conditions, parameters, declared)
        if value == {"Ref": "AWS::NoValue"}:
            return _NOTHING
        if value.keys() == {"Ref"} and (name := value["Ref"]) in parameters:
            is_list = declared[name]["Type"] == "CommaDelimitedList"
            return parameters[name].split(",") if is_list else parameters[name]
        parts = {key: _filled(part, conditions, parameters, declared) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part is not _NOTHING}
    if isinstance(value, list):
        listed = [_filled(part, conditions, parameters, declared) for part in value]
        return [part for part in listed if part is not _NOTHING]
    return value
