"""What each function's role allows, in the template as CloudFormation gets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from tests.support.cloudformation import expanded, expanded_resources
from tests.support.inprocess import ACCOUNT, REGION, VALUES
from tests.support.role_calls import Need
from tests.support.template import template

CONDITIONS = {
    **dict.fromkeys(("IsAws", "HasCallback", "HasCallbackSigning", "HasInspection", "TwoBuckets"), True),
    **dict.fromkeys(("IsLocal", "OneBucket", "HasImageObjectArns", "HasCallbackConcurrency"), False),
    **dict.fromkeys(("HasBoundary", "HasVpc", "HasPrivateApi", "HasKmsKey", "HasAccessLogs", "HasVersions"), False),
    **dict.fromkeys(("HasVideoRetention", "HasReservedConcurrency", "IsGradual"), False),
}
"""Of the stack that is looked at: everything that makes calls is on, and there are two buckets."""
_SAMS = (
    *("AWSXRayDaemonWriteAccess", "AWSXrayWriteOnlyAccess", "AWSLambdaBasicExecutionRole"),
    "AWSLambdaVPCAccessExecutionRole",
)
"""Managed policies that SAM attaches for tracing, logs and a VPC; theirs is the only ``*``."""
_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": "stillmotion"}
_ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::Events::EventBus": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{{}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}",
}


@dataclass(frozen=True)
class Grant:
    """One action on one pattern of resources; ``keys`` are the patterns of the condition's key, where there is one."""

    sid: str
    action: str
    resource: str
    keys: tuple[str, ...] = ()
    denies: bool = False

    def covers(self, need: Need) -> bool:
        return (
            self.action == need.action
            and fnmatchcase(need.resource, self.resource)
            and (not self.keys or any(fnmatchcase(need.key, pattern) for pattern in self.keys))
        )


@cache
def grants(function: str) -> list[Grant]:
    """Everything that a function's role says."""
    role = expanded_resources("AWS::IAM::Role")[f"{function}Role"]
    policies = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    for one in expanded()["Resources"].values():
        if one["Type"] == "AWS::IAM::Policy" and CONDITIONS.get(one.get("Condition", ""), True):
            policy = one["Properties"]
            if _ref(f"{function}Role") in value(policy["Roles"]):
                policies.append(policy["PolicyDocument"])
    return [grant for policy in policies for statement in _listed(policy["Statement"]) for grant in _of(statement)]


def managed_policies(function: str) -> list[str]:
    """The names of the managed policies of a function's role, without those that SAM adds by itself."""
    role = expanded_resources("AWS::IAM::Role")[f"{function}Role"]
    names = [str(value(arn)).rpartition("/")[2] for arn in role.get("ManagedPolicyArns", [])]
    return [name for name in names if name not in _SAMS]


def _of(statement: Any) -> Iterator[Grant]:
    found = value(statement)
    if found is None:
        return
    keys = tuple(
        pattern
        for operator in found.get("Condition", {}).values()
        for patterns in operator.values()
        for pattern in _listed(patterns)
    )
    for action in _listed(found["Action"]):
        for resource in _listed(found["Resource"]):
            yield Grant(found.get("Sid", "SqsDestination"), action, resource, keys, found["Effect"] == "Deny")


def value(part: Any) -> Any:
    """A part of the template with its intrinsics worked out for the stack of the tests; ``None`` is left out of it."""
    if isinstance(part, list):
        return [found for one in part if (found := value(one)) is not None]
    if not isinstance(part, Mapping):
        return part
    if len(part) == 1:
        [(name, given)] = part.items()
        if name == "Ref":
            return None if given == "AWS::NoValue" else _ref(given)
        if name.startswith("Fn::"):
            return _FUNCTIONS[name](given)
    return {name: found for name, one in part.items() if (found := value(one)) is not None}


def _ref(name: str) -> Any:
    if name in _PSEUDO:
        return _PSEUDO[name]
    if name in VALUES:
        return VALUES[name]
    if name == "CallbackSigningSecretArn":
        return "signing-secret"
    parameter = template()["Parameters"].get(name)
    return name.lower() if parameter is None else parameter["Default"]


def _attribute(given: Any) -> str:
    name, attribute = given if isinstance(given, list) else given.split(".", 1)
    kind = expanded()["Resources"][name]["Type"]
    if attribute == "Arn" and kind in _ARNS:
        return _ARNS[kind].format(_ref(name))
    if attribute == "Name":
        return str(_ref(name)).rpartition(":")[2]
    return str(_ref(name))


def _sub(given: Any) -> str:
    text, more = (given, {}) if isinstance(given, str) else given
    known = {name: value(one) for name, one in more.items()}

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name in known:
            return str(known[name])
        return _attribute(name) if "." in name else str(_ref(name))

    # The batch machine is called by the stack's name, and otherwise in the tests' stack.
    return re.sub(r"\$\{([\w:.]+)\}", put, text).replace("stillmotion-batches", "generate-batch")


_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "Fn::If": lambda given: value(given[1] if CONDITIONS[given[0]] else given[2]),
    "Fn::GetAtt": _attribute,
    "Fn::Sub": _sub,
    "Fn::Join": lambda given: given[0].join(value(given[1])),
    "Fn::Split": lambda given: value(given[1]).split(given[0]),
}


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]
