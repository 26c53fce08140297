"""The template as CloudFormation sees it, after the SAM transform."""

from __future__ import annotations

import logging
import os
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from scripts.generated import ROOT

TEMPLATE = ROOT / "template.yaml"


class _NoManagedPolicies:
    """Managed policies by name would be looked up in an account; the template names none."""

    def load(self) -> dict[str, str]:
        return {}


def translated(**values: str) -> dict[str, Any]:
    """The expanded template for these parameters; code and definitions have placeholders for addresses."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    given: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
    for resource in given["Resources"].values():
        properties = resource.get("Properties", {})
        for place in ("CodeUri", "ContentUri", "DefinitionUri"):
            if place in properties:
                properties[place] = "s3://bucket/key"
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    made: dict[str, Any] = transform(given, values, _NoManagedPolicies())
    return made


def resource_types() -> set[str]:
    """The types of all resources, those that SAM adds, those of nested stacks and of gradual deployments included."""
    given = translated(GradualDeployment="Canary10Percent5Minutes")["Resources"].values()
    nested = [
        yaml_parse((ROOT / str(resource["Properties"]["TemplateURL"])).read_text())["Resources"].values()
        for resource in given
        if resource["Type"] == "AWS::CloudFormation::Stack"
    ]
    return {resource["Type"] for resources in (given, *nested) for resource in resources}
