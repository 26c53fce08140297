"""The SAM template as tests read it: parsed with its intrinsics, and each function's environment worked out."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).parents[2]
DEFINITION = ROOT / "workflows" / "generate_video.asl.json"


class _Loader(yaml.SafeLoader):
    """YAML in which ``!Ref X`` reads ``{"Ref": "X"}`` and ``!Name X`` reads ``{"Fn::Name": X}``."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(cast(yaml.MappingNode, node), deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def read_template(path: Path) -> dict[str, Any]:
    """A CloudFormation template, parsed."""
    loaded: dict[str, Any] = yaml.load(path.read_text(), _Loader)
    return loaded


@cache
def template() -> dict[str, Any]:
    """The whole template."""
    return read_template(ROOT / "template.yaml")


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of every resource of a type, by logical id."""
    return {
        name: found.get("Properties", {}) for name, found in template()["Resources"].items() if found["Type"] == kind
    }


def function_environment(function: str, values: dict[str, str]) -> dict[str, str]:
    """The environment a function is deployed with, on AWS, where ``values`` are what its references come to."""
    declared = {
        **template()["Globals"]["Function"]["Environment"]["Variables"],
        **resources("AWS::Serverless::Function")[function].get("Environment", {}).get("Variables", {}),
    }
    known = {"AWS::StackName": "stillmotion"} | values
    known = {name: str(p["Default"]) for name, p in template()["Parameters"].items() if "Default" in p} | known
    found = {name: _value(value, known) for name, value in declared.items()}
    return {name: value for name, value in found.items() if value is not None}


def deployed_environment(function: str) -> dict[str, str]:
    """The environment a function starts with on AWS, tracing off, in a stack whose resources are called as they are in
    the template."""
    arn = "arn:aws:service:eu-central-1:123456789012:resource:{}"
    names = {
        name: arn.format(name) if found["Type"].endswith(("StateMachine", "Secret")) else name.lower()
        for name, found in template()["Resources"].items()
    }
    names |= {"AWS::Region": "eu-central-1"}
    started = {"AWS_LAMBDA_FUNCTION_NAME": function, "AWS_DEFAULT_REGION": "eu-central-1"}
    return function_environment(function, names) | started | {"POWERTOOLS_TRACE_DISABLED": "true"}


def _value(value: Any, known: dict[str, str]) -> str | None:
    if isinstance(value, dict) and "Fn::If" in value:
        condition, holds, otherwise = value["Fn::If"]
        if condition == "HasCallback":
            return _value(holds if known["EnableCallback"] == "true" else otherwise, known)
        assert condition in ("IsLocal", "OneBucket"), value  # neither holds on AWS with the default parameters
        return _value(otherwise, known)
    if isinstance(value, dict) and "Fn::Join" in value:
        return _value(value["Fn::Join"][1], known)  # of a list parameter, which stands here as it is given: with commas
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return known[value["Fn::GetAtt"].split(".")[0]]
    if isinstance(value, dict) and "Ref" in value:
        return None if value["Ref"] == "AWS::NoValue" else known[value["Ref"]]
    return str(value)


def definition(**substitutions: str) -> dict[str, Any]:
    """The state machine's definition with its placeholders filled in as the deployment fills them."""
    values = {"Partition": "aws"} | substitutions
    text = re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], DEFINITION.read_text())
    filled: dict[str, Any] = json.loads(text)
    return filled
