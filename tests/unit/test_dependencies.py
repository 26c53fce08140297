"""CloudFormation can put a stack's resources in an order: none waits for itself, whatever is switched on."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import Any

import pytest

from tests.support.account_rules import RULES
from tests.support.cloudformation import deployed
from tests.support.template import template

SIZES = {
    "small": {"EnableCallback": "false", "EnableInspection": "false"},
    "whole": {"EnableCallback": "true", "EnableInspection": "true"},
    "one bucket": {"InputBucketName": "one", "OutputBucketName": "one"},
    "limits": {"VideoRetentionDays": "30", "CreditsAlarmUsd": "5"},
}
GRADUAL = template()["Parameters"]["GradualDeployment"]["AllowedValues"][:2]
ALL_RULES = {name: value for rule in RULES.values() for name, value in rule.items()}


def order(resources: dict[str, dict[str, Any]]) -> list[str]:
    """The resources, each after those that it names.

    Raises:
        CycleError: there is no such order.
    """
    return list(
        TopologicalSorter({name: named(one) & set(resources) for name, one in resources.items()}).static_order()
    )


def named(value: Any) -> set[str]:
    """The logical ids that a part of a resource names, parameters among them."""
    if isinstance(value, list):
        return {name for part in value for name in named(part)}
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, part in value.items():
        if key in ("Ref", "DependsOn"):
            found.update([part] if isinstance(part, str) else part)
        elif key == "Fn::GetAtt":
            found.add((part if isinstance(part, str) else part[0]).split(".")[0])
        elif key == "Fn::Sub":
            text, *values = part if isinstance(part, list) else [part]
            found.update(re.findall(r"\$\{(\w+)", text), named(values))
        else:
            found |= named(part)
    return found


@pytest.mark.parametrize(("size", "gradual"), product(SIZES, GRADUAL))
@pytest.mark.parametrize("rules", [*RULES, "none of them", "all of them"])
def test_a_stack_has_an_order(size: str, gradual: str, rules: str) -> None:
    given = ALL_RULES if rules == "all of them" else RULES.get(rules, {})
    resources = deployed(**SIZES[size], **given, GradualDeployment=gradual)
    assert len(order(resources)) == len(resources)


def test_an_alarm_about_what_knows_the_workflow_closes_a_circle() -> None:
    resources = deployed(GradualDeployment=GRADUAL[1])
    assert "SubmitTaskFunctionDeploymentGroup" in named(resources["SubmitTaskFunctionAliaslive"])
    alarms = resources["SubmitTaskFunctionDeploymentGroup"]["Properties"]["AlarmConfiguration"]["Alarms"]
    changed = [*alarms, {"Name": {"Ref": "SweepErrorsAlarm"}}]
    group = {"Properties": {"AlarmConfiguration": {"Alarms": changed}}}
    with pytest.raises(CycleError):
        order(resources | {"SubmitTaskFunctionDeploymentGroup": group})
