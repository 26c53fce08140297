"""What CloudFormation knows of a stack beyond its addresses: parameters, outputs, single resources."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion_cli.discovery import aws_failure
from stillmotion_cli.errors import Unreachable
from stillmotion_cli.stack import Stack


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stack as CloudFormation describes it."""

    name: str
    status: str
    parameters: dict[str, str]
    outputs: dict[str, str]


def describe(stack: Stack, name: str | None) -> Deployment:
    """The stack of this name; without a name the one whose output bucket is ours.

    Raises Unreachable where CloudFormation does not say.
    """
    client = stack.client("cloudformation")
    try:
        found = client.describe_stacks(**({"StackName": name} if name else {}))["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise aws_failure(error, stack.profile) from error
    for one in found:
        outputs = {output["OutputKey"]: output["OutputValue"] for output in one.get("Outputs") or []}
        if name or outputs.get("OutputBucketName") == stack.output_bucket:
            parameters = {each["ParameterKey"]: each.get("ParameterValue", "") for each in one.get("Parameters") or []}
            return Deployment(one["StackName"], one["StackStatus"], parameters, outputs)
    raise Unreachable(f"CloudFormation has no stack whose bucket of videos is {stack.output_bucket}.")


def log_group(stack: Stack, name: str | None) -> str:
    """The name of the log group that all functions of the stack write to."""
    return _resource(stack, name or describe(stack, None).name, "FunctionLogGroup")


def _resource(stack: Stack, name: str, logical_id: str) -> str:
    client: Any = stack.client("cloudformation")
    try:
        answer = client.describe_stack_resource(StackName=name, LogicalResourceId=logical_id)
    except ClientError as error:
        if error.response["Error"].get("Code") == "ValidationError":
            raise Unreachable(
                f"The stack {name} has no {logical_id}: it is older than this command. Deploy it again."
            ) from error
        raise aws_failure(error, stack.profile) from error
    except BotoCoreError as error:
        raise aws_failure(error, stack.profile) from error
    return str(answer["StackResourceDetail"]["PhysicalResourceId"])
