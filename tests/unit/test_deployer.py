"""What a deployer may do is what CloudFormation needs for the template's resources, and no more."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from scripts import deployer
from scripts.translated import resource_types
from tests.support.template import ROOT, read_template

DOCUMENT = read_template(ROOT / "docs" / "deployer.yaml")
POLICIES = {
    name: found["Properties"]["PolicyDocument"]
    for name, found in DOCUMENT["Resources"].items()
    if found["Type"] == "AWS::IAM::ManagedPolicy"
}
SERVICE = [
    statement
    for name, policy in POLICIES.items()
    if name.startswith("ServiceRolePolicy")
    for statement in policy["Statement"]
]


def allowed(action: str) -> list[str]:
    """The resources on which CloudFormation may make a call."""
    found = [statement["Resource"] for statement in SERVICE if action in statement["Action"]]
    return [name if isinstance(name, str) else name["Fn::Sub"] for names in found for name in names]


@pytest.mark.slow
def test_the_file_is_as_the_template_needs_it() -> None:
    assert (ROOT / "docs" / "deployer.yaml").read_text() == deployer.document()


@pytest.mark.parametrize("kind", sorted(resource_types()))
def test_cloudformation_may_make_what_the_template_has(kind: str) -> None:
    needed = deployer.needed_actions(kind)
    assert needed, kind
    assert [action for action in sorted(needed) if not allowed(action)] == []


# Written down from the documentation of each service, not taken from the schemas.
@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:CreateTable", "table/${StackName}-*"),
        ("lambda:CreateFunction", "function:${StackName}-*"),
        ("lambda:PublishLayerVersion", "layer:*"),
        ("iam:CreateRole", "role/${StackName}-*"),
        ("iam:PutRolePolicy", "role/${StackName}-*"),
        ("s3:PutBucketPublicAccessBlock", "${StackName}-*"),
        ("s3:PutLifecycleConfiguration", "${StackName}-*"),
        ("states:CreateStateMachine", "stateMachine:Generate*"),
        ("secretsmanager:CreateSecret", "secret:*Secret-*"),
        ("logs:CreateLogGroup", "log-group:/aws/*/${StackName}*"),
        ("cloudwatch:PutMetricAlarm", "alarm:${StackName}-*"),
    ],
)
def test_a_known_call_is_allowed_on_names_of_this_stack(action: str, resource: str) -> None:
    assert any(name.endswith(":" + resource) for name in allowed(action)), allowed(action)


@pytest.mark.parametrize(
    "action",
    [
        *("s3:DeleteObject", "dynamodb:Scan", "dynamodb:DeleteItem", "secretsmanager:GetSecretValue"),
        *("iam:CreateUser", "iam:CreateAccessKey", "lambda:InvokeFunction", "states:StartExecution", "kms:Decrypt"),
    ],
)
def test_cloudformation_may_not_touch_what_the_stack_holds(action: str) -> None:
    assert allowed(action) == []


def test_no_action_is_a_wildcard_and_few_are_allowed_anywhere() -> None:
    actions = [action for statement in SERVICE for action in statement["Action"]]
    assert [action for action in actions if not re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action)] == []
    assert {action for action in actions if "*" in allowed(action)} <= deployer.ANYWHERE


def test_roles_are_handed_to_the_stacks_services_alone() -> None:
    [passing] = [statement for statement in SERVICE if "iam:PassRole" in statement["Action"]]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": deployer.PASSED_TO}}
    assert passing["Action"] == ["iam:PassRole"]


def resolved(value: Any) -> Any:
    """A policy with names put in as long as they get: a stack of 72 characters in the region with the longest name."""
    if value == {"Ref": "KmsKeyArn"}:
        return "arn:aws-us-gov:kms:ap-southeast-1:123456789012:key/mrk-" + "0" * 32
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"].replace("${AWS::Partition}", "aws-us-gov").replace("${AWS::Region}", "ap-southeast-1")
        text = text.replace("${AWS::AccountId}", "123456789012").replace("${StackName}", "s" * 72)
        return text.replace("${ArtifactBucketPrefix}", "a" * 50)
    if isinstance(value, dict):
        return {key: resolved(one) for key, one in value.items()}
    return [resolved(one) for one in value] if isinstance(value, list) else value


def test_a_key_and_a_network_are_allowed_where_the_stack_has_them_alone() -> None:
    for name, condition, prefix in (("KeyPolicy", "HasKmsKey", "kms:"), ("NetworkPolicy", "HasVpc", "ec2:Describe")):
        assert DOCUMENT["Resources"][name]["Condition"] == condition
        statements = POLICIES[name]["Statement"]
        given = [one["Action"] for one in statements]
        actions = [action for one in given for action in ([one] if isinstance(one, str) else one)]
        assert all(action.startswith(prefix) for action in actions)
    key = [one["Resource"] for one in POLICIES["KeyPolicy"]["Statement"]]
    assert key == [{"Ref": "KmsKeyArn"}] * 2


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_is_small_enough_for_iam(name: str) -> None:
    # *IAM and AWS STS quotas*: 6,144 characters, white space not counted.
    assert len(json.dumps(resolved(POLICIES[name]), separators=(",", ":"))) <= 6_144


def test_a_type_without_an_entry_is_named() -> None:
    with pytest.raises(KeyError, match="AWS::EC2::Instance"):
        deployer.grants({"AWS::EC2::Instance"})
