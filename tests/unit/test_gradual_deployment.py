"""New code takes over at an alias, bit by bit where that is asked for, and goes back when an alarm goes off."""

from __future__ import annotations

import copy
from typing import Any
from unittest.mock import patch

import pytest

from tests.support import cloudformation
from tests.support.cloudformation import deployed, deployed_resources, expanded
from tests.support.template import resources, template

FUNCTIONS = resources("AWS::Serverless::Function")
WHOLE = {"EnableCallback": "true"}
GRADUAL = WHOLE | {"GradualDeployment": "Linear10PercentEvery1Minute"}
SMALL = {"EnableCallback": "false", "EnableInspection": "false"}
KINDS = template()["Parameters"]["GradualDeployment"]["AllowedValues"]
ALARMS = {"ApiErrorsAlarm", "InternalErrorsAlarm", "ExecutionsNotStartedAlarm"}
"""Those that new code of ours may set off. Others are about ModelGates, money, or what a person has to do."""
OWN_ALARMS = {"ExecutionEndedFunction": "ExecutionEndedErrorsAlarm", "SweepFunction": "SweepErrorsAlarm"}
"""Those about one function's errors. They end the deployment of that function."""


def alias(function: str) -> dict[str, str]:
    return {"Ref": f"{function}Aliaslive"}


def test_every_function_has_one_alias_on_its_newest_version() -> None:
    aliases = deployed_resources("AWS::Lambda::Alias", **WHOLE)
    assert set(aliases) == {alias(name)["Ref"] for name in FUNCTIONS}
    for name, found in aliases.items():
        function = name.removesuffix("Aliaslive")
        assert (found["Name"], found["FunctionName"]) == ("live", {"Ref": function})
        version, attribute = found["FunctionVersion"]["Fn::GetAtt"]
        assert attribute == "Version"
        assert deployed(**WHOLE)[version]["Properties"]["FunctionName"] == {"Ref": function}


def called(value: Any) -> list[Any]:
    """Every reference to a function or its alias inside a value."""
    if isinstance(value, dict):
        if (name := value.get("Ref", "")) and name.removesuffix("Aliaslive") in FUNCTIONS:
            return [name]
        found = value.get("Fn::GetAtt", [""])
        inner = [part for one in value.values() for part in called(one)]
        return [".".join(found), *inner] if found[0] in FUNCTIONS else inner
    if isinstance(value, list):
        return [part for one in value for part in called(one)]
    return []


@pytest.mark.parametrize("kind", ["AWS::StepFunctions::StateMachine", "AWS::Events::Rule", "AWS::Lambda::Permission"])
def test_whatever_calls_a_function_calls_its_alias(kind: str) -> None:
    found = called(list(deployed_resources(kind, **WHOLE).values()))
    assert found
    assert [name for name in found if not name.endswith("Aliaslive")] == []


def test_the_api_and_the_callbacks_address_call_aliases() -> None:
    [api] = deployed_resources("AWS::ApiGateway::RestApi", **WHOLE).values()
    uris = [found["Fn::Sub"] for found in uris_of(api["Body"])]
    assert len(uris) > 10
    assert all("Aliaslive}/invocations" in uri for uri in uris)
    [url] = deployed_resources("AWS::Lambda::Url", **WHOLE).values()
    assert url["TargetFunctionArn"] == alias("CallbackFunction")


def uris_of(value: Any) -> list[Any]:
    if isinstance(value, dict):
        own = [value["uri"]] if "uri" in value else []
        return own + [found for part in value.values() for found in uris_of(part)]
    return [found for part in value for found in uris_of(part)] if isinstance(value, list) else []


def test_workflows_may_call_the_aliases_that_their_definitions_name() -> None:
    roles = deployed_resources("AWS::IAM::Role", **WHOLE)
    for machine, found in deployed_resources("AWS::StepFunctions::StateMachine", **WHOLE).items():
        given = [value for name, value in found["DefinitionSubstitutions"].items() if name.endswith("FunctionArn")]
        statements = [
            one for policy in roles[f"{machine}Role"]["Policies"] for one in policy["PolicyDocument"]["Statement"]
        ]
        [invoke] = [one for one in statements if one["Action"] == "lambda:InvokeFunction"]
        assert sorted(map(str, invoke["Resource"])) == sorted(map(str, given))


def versions_of(given: dict[str, Any]) -> dict[str, str]:
    """Of each function its version's logical id: a deployment publishes a new version where that is another one."""
    with patch.object(cloudformation, "template", lambda: given):
        made = expanded.__wrapped__()["Resources"]
    found = {name: one for name, one in made.items() if one["Type"] == "AWS::Lambda::Version"}
    return {one["Properties"]["FunctionName"]["Ref"]: name for name, one in found.items()}


@pytest.mark.parametrize(
    ("layer", "users"),
    [("DomainLayer", set(FUNCTIONS)), ("TracingLayer", set(FUNCTIONS)), ("InspectionLayer", {"InspectFunction"})],
)
def test_a_change_of_a_layer_alone_is_live_after_a_deployment(layer: str, users: set[str]) -> None:
    before = copy.deepcopy(template())
    after = copy.deepcopy(template())
    # `sam package` names what is uploaded by the hash of its content.
    before["Resources"][layer]["Properties"]["ContentUri"] = {"Bucket": "artifacts", "Key": "old"}
    after["Resources"][layer]["Properties"]["ContentUri"] = {"Bucket": "artifacts", "Key": "new"}
    old, new = versions_of(before), versions_of(after)
    assert {name for name in FUNCTIONS if old[name] != new[name]} == users


def test_nothing_is_published_anew_where_nothing_has_changed() -> None:
    assert versions_of(copy.deepcopy(template())) == versions_of(copy.deepcopy(template()))


def test_code_takes_over_at_once_unless_it_is_asked_for_otherwise() -> None:
    assert KINDS[0] == template()["Parameters"]["GradualDeployment"]["Default"] == "none"
    plain = deployed(**WHOLE)
    assert not [name for name, one in plain.items() if one["Type"].startswith("AWS::CodeDeploy")]
    assert not [name for name, one in plain.items() if "UpdatePolicy" in one]
    assert "DeploymentRole" not in plain


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_kind_of_gradual_deployment_is_one_of_codedeploy(kind: str) -> None:
    groups = deployed_resources("AWS::CodeDeploy::DeploymentGroup", GradualDeployment=kind)
    names = [found["DeploymentConfigName"] for found in groups.values()]
    name = {"Fn::Sub": ["CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": kind}]}
    assert names
    assert all(found == name for found in names)


@pytest.mark.parametrize(
    "values", [GRADUAL, GRADUAL | {"EnableCallback": "false", "EnableInspection": "false"}], ids=str
)
def test_every_function_takes_over_bit_by_bit_and_goes_back_on_an_alarm(values: dict[str, str]) -> None:
    groups = deployed_resources("AWS::CodeDeploy::DeploymentGroup", **values)
    functions = deployed_resources("AWS::Lambda::Function", **values)
    assert len(groups) == len(functions)
    for name, found in groups.items():
        assert found["AutoRollbackConfiguration"]["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in found["AutoRollbackConfiguration"]["Events"]
        assert {alarm["Name"]["Ref"] for alarm in found["AlarmConfiguration"]["Alarms"]} == alarms_of(name)
        assert found["ServiceRoleArn"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]}
    for name in functions:
        policy = deployed(**values)[alias(name)["Ref"]]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert policy["DeploymentGroupName"]["Ref"] in groups


def alarms_of(group: str) -> set[str]:
    """The alarms that end the deployments of a group."""
    own = OWN_ALARMS.get(group.removesuffix("DeploymentGroup"))
    return ALARMS | ({own} if own else set())


def test_the_alarms_are_there_whatever_is_switched_off() -> None:
    assert set(deployed(EnableInspection="false")) >= ALARMS | set(OWN_ALARMS.values())


def test_the_role_of_deployments_is_bounded_and_taken_on_by_codedeploy() -> None:
    boundary = "arn:aws:iam::123456789012:policy/bounds"
    roles = deployed_resources("AWS::IAM::Role", **GRADUAL, PermissionsBoundaryArn=boundary)
    assert {role["PermissionsBoundary"] for role in roles.values()} == {boundary}
    [statement] = roles["DeploymentRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "codedeploy.amazonaws.com"}
    [policy] = roles["DeploymentRole"]["ManagedPolicyArns"]
    assert policy["Fn::Sub"].endswith("/AWSCodeDeployRoleForLambdaLimited")
