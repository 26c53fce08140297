"""What the template gives to other stacks is what docs/embedding.md lists, and no policy gives more than it says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scripts.openapi_texts import version
from tests.support.cloudformation import deployed_resources
from tests.support.template import ROOT, read_template, resources, template

PAGE = (ROOT / "docs" / "embedding.md").read_text()
OUTPUTS = template()["Outputs"]
PREFIX = "/stillmotion/${AWS::StackName}/"
PARAMETERS = {
    found["Name"]["Fn::Sub"].removeprefix(PREFIX): found["Value"]
    for found in resources("AWS::SSM::Parameter").values()
    if found["Name"]["Fn::Sub"].startswith(PREFIX)
}
POLICIES = resources("AWS::IAM::ManagedPolicy")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    table = PAGE.partition(f"\n## {heading}\n")[2].partition("\n|---")[2].partition("\n\n")[0]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


def test_the_page_lists_every_output_with_its_import_and_parameter() -> None:
    exported = {
        name: found["Export"]["Name"]["Fn::Sub"].replace("${AWS::StackName}", "<stack>") if "Export" in found else ""
        for name, found in OUTPUTS.items()
    }
    leaves = {
        name: next((leaf for leaf, value in PARAMETERS.items() if value == found["Value"]), None)
        for name, found in OUTPUTS.items()
    }
    wanted = [
        [name, exported[name], f"/stillmotion/<stack>/{leaves[name]}" if leaves[name] else ""]
        for name in sorted(OUTPUTS)
    ]
    assert sorted(rows("Values")) == wanted


def test_every_parameter_has_the_value_of_an_output() -> None:
    values = [found["Value"] for found in OUTPUTS.values()]
    assert [leaf for leaf, value in PARAMETERS.items() if value not in values] == []
    assert len(PARAMETERS) == 9


def test_an_export_is_named_after_its_output() -> None:
    for name, found in OUTPUTS.items():
        if "Export" in found:
            assert found["Export"] == {"Name": {"Fn::Sub": f"${{AWS::StackName}}-{name}"}}


def test_the_page_lists_every_policy() -> None:
    assert sorted(row[0] for row in rows("Policies")) == sorted(f"{name}Arn" for name in POLICIES)
    for name in POLICIES:
        assert OUTPUTS[f"{name}Arn"]["Value"] == {"Ref": name}


def test_the_release_is_the_one_of_the_command() -> None:
    assert OUTPUTS["Version"]["Value"] == version() == PARAMETERS["version"]


def allowed(policy: str) -> dict[str, dict[str, Any]]:
    """The statements of a policy by each action they allow."""
    found: dict[str, dict[str, Any]] = {}
    for statement in deployed_resources("AWS::IAM::ManagedPolicy")[policy]["PolicyDocument"]["Statement"]:
        actions = statement["Action"]
        found |= dict.fromkeys([actions] if isinstance(actions, str) else actions, statement)
    return found


@pytest.mark.parametrize(
    ("policy", "actions"),
    [
        ("CallerPolicy", {"execute-api:Invoke"}),
        ("PublisherPolicy", {"events:PutEvents", "s3:PutObject"}),
        (
            "ParentPolicy",
            {
                *("states:StartExecution", "states:DescribeExecution", "states:StopExecution"),
                *("events:PutTargets", "events:PutRule", "events:DescribeRule"),
            },
        ),
    ],
)
def test_a_policy_allows_what_its_holder_does_and_no_more(policy: str, actions: set[str]) -> None:
    assert set(allowed(policy)) == actions


def test_a_publisher_cannot_forge_what_the_stack_publishes() -> None:
    kinds = {"events:detail-type": ["Video Generation Requested", "Video Batch Requested"]}
    assert allowed("PublisherPolicy")["events:PutEvents"]["Condition"] == {"StringEquals": kinds}


def iam_name(service: str, operation: str) -> str:
    """How IAM names a call of the AWS CLI."""
    name = "".join(part.title() for part in operation.split("-"))
    return {"stepfunctions": "states"}.get(service, service) + ":" + {"Invoke": "InvokeFunction"}.get(name, name)


def test_an_operator_may_run_the_commands_of_the_runbook() -> None:
    page = (ROOT / "docs" / "runbook.md").read_text()
    calls = {iam_name(*call) for call in re.findall(r"\baws ([a-z]+) ([a-z-]+)", page)}
    # IAM takes no resource for it, and the page says that it is left out.
    assert calls - set(allowed("OperatorPolicy")) == {"cloudwatch:GetMetricStatistics"}


def test_an_operator_may_do_it_to_what_the_command_names() -> None:
    page = (ROOT / "docs" / "runbook.md").read_text()
    calls = re.findall(r"aws ([a-z]+) ([a-z-]+)[^\n|]*\$\(resource ([A-Z]\w+)\)", page)
    assert calls
    statements = deployed_resources("AWS::IAM::ManagedPolicy")["OperatorPolicy"]["PolicyDocument"]["Statement"]
    for service, operation, name in calls:
        rules = [one for one in statements if iam_name(service, operation) in one["Action"]]
        assert any(name in str(rule["Resource"]) for rule in rules), (operation, name)


def test_an_operator_may_redrive_what_any_function_failed() -> None:
    """Whatever sends to the queue of what is undelivered can be invoked again, and the queue be read under a key."""
    functions = resources("AWS::Serverless::Function")
    failing = {name for name, one in functions.items() if "OnFailure" in str(one.get("EventInvokeConfig", ""))}
    assert failing
    statements = POLICIES["OperatorPolicy"]["PolicyDocument"]["Statement"]
    [invoking] = [one for one in statements if one.get("Sid") == "RunRecovery"]
    assert {name for name in failing if name in str(invoking["Resource"])} == failing
    assert any("kms:Decrypt" in str(one) and "sqs." in str(one) for one in statements)


def test_parents_in_the_examples_need_no_more_than_the_policy_gives() -> None:
    own = read_template(ROOT / "examples" / "parent" / "template.yaml")["Resources"]["MakeClipOfOrder"]["Properties"]
    given = own["Policies"][0]
    assert given == {"Fn::ImportValue": {"Fn::Sub": "${StillmotionStack}-ParentPolicyArn"}}
