"""Write docs/deployer.yaml, what somebody needs who deploys the stack and nothing else, from the template.

    python -m scripts.deployer          writes it
    python -m scripts.deployer --check  only says whether it is as the template is

CloudFormation publishes for each type of resource which calls its handlers make (*CloudFormation resource provider
schemas*, as cfn-lint ships them). Those calls, less the ones for properties that the template does not set, limited to
the names that CloudFormation gives to this stack's resources, are the permissions of the stack's service role.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from scripts.deployer_tables import ANYWHERE, ARTIFACTS, CODE, HEAD, PASSED_TO, RESOURCES, TAIL, UNUSED
from scripts.generated import ROOT
from scripts.translated import resource_types

TARGET = ROOT / "docs" / "deployer.yaml"
MAX_POLICY_CHARACTERS = 4_500
"""A managed policy may have 6,144 without white space (*IAM and AWS STS quotas*); names put in take the rest."""


def handler_actions(resource_type: str) -> set[str]:
    """The calls that CloudFormation makes for a type of resource, by its published schema.

    Raises:
        KeyError: there is no schema of this type.
    """
    handlers = _schema(resource_type).get("handlers", {})
    # Lists of all resources of a type are no part of a deployment.
    used = [handler for name, handler in handlers.items() if name != "list"]
    return {action.replace("S3:", "s3:") for handler in used for action in handler.get("permissions", ())}


@cache
def _schema(resource_type: str) -> dict[str, Any]:
    folder = files("cfnlint.data.schemas")
    names = json.loads((folder / "providers" / "us-east-1.json").read_text())
    found: dict[str, Any] = json.loads((folder / "resources" / f"{names[resource_type]}.json").read_text())
    return found


def needed_actions(resource_type: str) -> set[str]:
    """Those of the calls that this template's resources lead to."""
    own = RESOURCES[resource_type][0].removeprefix("arn:${AWS::Partition}:").partition(":")[0]
    return {
        action
        for action in handler_actions(resource_type)
        if action not in UNUSED and (action.partition(":")[0] == own or action in CODE | {"iam:PassRole"})
    }


def grants(types: set[str]) -> dict[tuple[str, ...], set[str]]:
    """Actions by the resources that they are allowed on."""
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for resource_type in sorted(types):
        for action in needed_actions(resource_type):
            if action == "iam:PassRole":
                continue
            if action in CODE:
                found[tuple(ARTIFACTS)].add(action)
            elif action in ANYWHERE:
                found[("*",)].add(action)
            else:
                found[tuple(RESOURCES[resource_type])].add(action)
    return found


def _statements(types: set[str]) -> Iterator[dict[str, Any]]:
    for resources, actions in sorted(grants(types).items()):
        yield {"Effect": "Allow", "Action": sorted(actions), "Resource": [{"Fn::Sub": found} for found in resources]}
    yield {
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": [{"Fn::Sub": found} for found in RESOURCES["AWS::IAM::Role"]],
        "Condition": {"StringEquals": {"iam:PassedToService": PASSED_TO}},
    }


def policies(types: set[str]) -> list[list[dict[str, Any]]]:
    """The statements, divided so that each policy is small enough."""
    divided: list[list[dict[str, Any]]] = [[]]
    for statement in _statements(types):
        if len(json.dumps([*divided[-1], statement], separators=(",", ":"))) > MAX_POLICY_CHARACTERS:
            divided.append([])
        divided[-1].append(statement)
    return divided


def document() -> str:
    """The text of docs/deployer.yaml."""
    text = HEAD
    for number, statements in enumerate(policies(resource_types()), start=1):
        text += f"  ServiceRolePolicy{number}:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n"
        text += f"      Description: What CloudFormation calls for the resources of Stillmotion ({number})\n"
        text += "      Roles: [!Ref ServiceRole]\n      PolicyDocument:\n"
        text += '        Version: "2012-10-17"\n        Statement:\n'
        text += "".join(_yaml(statement) for statement in statements) + "\n"
    return text + TAIL


def _yaml(statement: dict[str, Any]) -> str:
    lines = ["          - Effect: Allow", "            Action:"]
    lines += [f"              - {action}" for action in statement["Action"]]
    lines += ["            Resource:"]
    for found in statement["Resource"]:
        name = found["Fn::Sub"]
        lines.append('              - "*"' if name == "*" else f"              - !Sub {name}")
    if "Condition" in statement:
        services = ", ".join(statement["Condition"]["StringEquals"]["iam:PassedToService"])
        lines.append(f"            Condition: {{ StringEquals: {{ iam:PassedToService: [{services}] }} }}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check the file; 1 when the check fails."""
    text = document()
    if "--check" not in sys.argv:
        TARGET.write_text(text)
        print(f"wrote {TARGET.relative_to(ROOT)}")
        return 0
    if TARGET.read_text() == text:
        return 0
    print(f"{TARGET.relative_to(ROOT)} is not as the template needs it. Write it anew: make deployer", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
