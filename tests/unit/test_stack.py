"""The whole template, after the SAM transform, deployed by moto's CloudFormation."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.parsing import resource_class_from_type

from stillmotion import settings as settings_module
from stillmotion.settings import load
from tests.support.cloudformation import CODE_BUCKET, CODE_KEY, REGION, deployed, expanded, expanded_resources
from tests.support.functions import loaded_settings

STACK = "still"
CALLBACK_URL = f"https://abc.lambda-url.{REGION}.on.aws/"
SECRET = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:key"
# What moto's CloudFormation cannot make. It reads no OpenAPI body either, so its API has no methods to deploy.
UNSUPPORTED = {
    "AWS::ApiGateway::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Url",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
}
# The nested stack is about the alarms; versions are there for aliases, whose place their functions take.
LEFT_OUT = UNSUPPORTED | {"AWS::ApiGateway::Deployment", "AWS::CloudFormation::Stack", "AWS::Lambda::Version"}
# Worked out here: moto leaves AWS::NoValue in policies.
KEPT = {name: found for name, found in deployed(EnableCallback="true").items() if found["Type"] not in LEFT_OUT}


def for_moto() -> dict[str, Any]:
    """The expanded template without what moto cannot make, and in the few forms that it resolves."""
    text = json.dumps(expanded() | {"Resources": KEPT})
    for found, instead in (
        ({"Fn::GetAtt": ["ApiKeySecret", "Id"]}, SECRET),
        ({"Fn::GetAtt": ["CallbackSecret", "Id"]}, SECRET),
        ({"Fn::GetAtt": ["CallbackFunctionUrl", "FunctionUrl"]}, CALLBACK_URL),
        ({"Ref": "EventBus"}, {"Fn::GetAtt": ["EventBus", "Name"]}),
    ):
        text = text.replace(json.dumps(found), json.dumps(instead))
    text = re.sub(r'\{"Ref": "(\w+)Aliaslive"\}', r'{"Fn::GetAtt": ["\1", "Arn"]}', text)
    text = re.sub(r"\$\{(\w+)Aliaslive\}", r"${\1.Arn}", text)
    made: dict[str, Any] = json.loads(text)
    made["Resources"]["Api"]["Properties"]["Name"] = {"Ref": "AWS::StackName"}
    for resource in made["Resources"].values():
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            properties = resource["Properties"]
            [separator, lines] = properties["DefinitionString"]["Fn::Join"]
            substitutions = properties.pop("DefinitionSubstitutions")
            properties["DefinitionString"] = {"Fn::Sub": [separator.join(lines), substitutions]}
    return made


@pytest.fixture(scope="module")
def physical() -> Iterator[dict[str, str]]:
    """Physical ids of the deployed stack's resources by logical id."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(config={"lambda": {"use_docker": False}}):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "")
        boto3.client("s3").create_bucket(
            Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        boto3.client("s3").put_object(Bucket=CODE_BUCKET, Key=CODE_KEY, Body=code.getvalue())
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=json.dumps(for_moto()),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": "EnableCallback", "ParameterValue": "true"}],
        )
        [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        found = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        yield {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in found}


def test_the_left_out_types_are_those_that_moto_cannot_make() -> None:
    assert {
        one["Type"] for one in expanded()["Resources"].values() if resource_class_from_type(one["Type"]) is None
    } == (UNSUPPORTED)


def test_every_resource_is_made(physical: dict[str, str]) -> None:
    assert set(physical) == set(KEPT)
    assert len(physical) > 70


@pytest.mark.parametrize("function", expanded_resources("AWS::Lambda::Function"))
def test_a_deployed_function_has_the_settings_that_it_loads(physical: dict[str, str], function: str) -> None:
    found = boto3.client("lambda").get_function_configuration(FunctionName=physical[function])
    environment = {name: str(value) for name, value in found["Environment"]["Variables"].items()}
    assert "AWS_ENDPOINT_URL" not in environment
    for name in loaded_settings(function):
        settings = load(getattr(settings_module, name), environment)
        assert getattr(settings, "table_name", physical["JobTable"]) == physical["JobTable"]
        assert getattr(settings, "output_bucket", physical["OutputBucket"]) == physical["OutputBucket"]
        assert getattr(settings, "api_key_secret_arn", SECRET) == SECRET
        assert getattr(settings, "callback_url", CALLBACK_URL) == CALLBACK_URL


@pytest.mark.parametrize(
    ("rule", "bus", "target"),
    [
        ("GenerateVideoStateMachinePictureDropped", "default", "GenerateVideoStateMachine"),
        ("GenerateVideoStateMachineVideoRequested", "still-events", "GenerateVideoStateMachine"),
        ("GenerateBatchStateMachineManifestDropped", "default", "GenerateBatchStateMachine"),
        ("GenerateBatchStateMachineBatchRequested", "still-events", "GenerateBatchStateMachine"),
        ("ExecutionEndedFunctionExecutionEnded", "default", "ExecutionEndedFunction"),
        ("SweepFunctionSchedule", "default", "SweepFunction"),
        ("EventLogRule", "still-events", "EventLogGroup"),
    ],
)
def test_a_rule_reaches_its_target_or_the_queue(physical: dict[str, str], rule: str, bus: str, target: str) -> None:
    events = boto3.client("events")
    [found] = events.list_targets_by_rule(Rule=physical[rule].rpartition("/")[2], EventBusName=bus)["Targets"]
    assert found["Arn"].endswith(physical[target].rpartition(":")[2])
    assert found["DeadLetterConfig"]["Arn"].endswith(physical["UndeliveredQueue"].rpartition("/")[2])
    assert found["RetryPolicy"]["MaximumRetryAttempts"] > 0


@pytest.mark.parametrize("machine", expanded_resources("AWS::StepFunctions::StateMachine"))
def test_a_deployed_definition_has_nothing_left_to_fill_in(physical: dict[str, str], machine: str) -> None:
    found = boto3.client("stepfunctions").describe_state_machine(stateMachineArn=physical[machine])
    assert "${" not in found["definition"]
    arns = re.findall(r'"FunctionName": "([^"]+)"', found["definition"])
    functions = {name for name in physical if name in expanded_resources("AWS::Lambda::Function")}
    assert {arn.rpartition(":")[2] for arn in arns} <= {physical[name] for name in functions}
    assert len(arns) >= 3


def test_every_output_has_a_value(physical: dict[str, str]) -> None:
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert set(outputs) == set(expanded()["Outputs"])
    assert outputs["StateMachineArn"] == physical["GenerateVideoStateMachine"]
    assert (outputs["EventBusName"], outputs["OutputBucketName"]) == ("still-events", physical["OutputBucket"])
