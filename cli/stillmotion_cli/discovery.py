"""Finding the stack: by name through CloudFormation, or the one that `make local` left running."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from stillmotion_cli import saved
from stillmotion_cli.errors import BadInput, CommandError, NoCredentials, NoStack, Unreachable
from stillmotion_cli.stack import Stack

LOCAL_STACK_FILE = Path(".local/stack.json")
# One read of a stack's outputs: a person waits for it.
_CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"max_attempts": 3, "mode": "standard"})
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stack the user named, if any, and with which credentials."""

    stack_name: str | None = None
    profile: str | None = None
    region: str | None = None

    def as_options(self) -> str:
        """The same wish as the options of a command line, empty where nothing was named."""
        named = (("--stack-name", self.stack_name), ("--profile", self.profile), ("--region", self.region))
        return " ".join(f"{option} {shlex.quote(value)}" for option, value in named if value)


def find_stack(wanted: Wanted | None = None, start: Path | None = None) -> Stack:
    """The stack of that name on AWS; without a name the one that `make local` left running, from `start` upwards; where
    none runs, the one that `stillmotion use` saved."""
    wanted = or_saved(wanted or Wanted(), start)
    if wanted.stack_name:
        return _deployed(wanted.stack_name, wanted)
    stack = _local((start or Path.cwd()).resolve())
    for option, value in (("--profile", wanted.profile), ("--region", wanted.region)):
        if value:
            raise BadInput(
                f"{option} {value} belongs to a stack on AWS, but no stack is named: this would use the local one at "
                f"{stack.api_url}. Give --stack-name NAME as well, or leave {option} out."
            )
    return stack


def or_saved(wanted: Wanted, start: Path | None = None) -> Wanted:
    """The wish, completed by the saved stack where no stack is named and none runs on this machine.

    What runs in this folder comes before what was saved once, so that trying something out spends nothing elsewhere.
    """
    if wanted.stack_name or _local_file((start or Path.cwd()).resolve()):
        return wanted
    kept = saved.read()
    if kept is None:
        return wanted
    return Wanted(kept.stack, wanted.profile or kept.profile, wanted.region or kept.region)


def _local_file(here: Path) -> Path | None:
    """The file of the project that this folder belongs to: upwards, but not out of a repository, nor in or above the
    user's home, whose `.local` is everybody's."""
    home = Path.home()
    for folder in (here, *here.parents):
        if folder == home:
            break
        if (path := folder / LOCAL_STACK_FILE).is_file():
            return path
        if (folder / ".git").exists():
            break
    return None


def _local(here: Path) -> Stack:
    if path := _local_file(here):
        return Stack.from_file(path)
    raise NoStack(
        f"No stack to talk to: none is named, and {LOCAL_STACK_FILE} is neither in {here} nor above it.\n"
        "  For a stack on AWS: --stack-name NAME, or set STILLMOTION_STACK, or save it: stillmotion use NAME\n"
        "  For one on this machine, in a checkout of Stillmotion: make local"
    )


def _deployed(name: str, wanted: Wanted) -> Stack:
    try:
        session = boto3.Session(profile_name=wanted.profile, region_name=wanted.region or os.environ.get("AWS_REGION"))
        client = session.client("cloudformation", config=_CONFIG)
        stacks = client.describe_stacks(StackName=name)["Stacks"]
    except NoRegionError as error:
        raise BadInput(
            f"No AWS region to look for the stack {name} in. Give --region, set AWS_REGION, or put it into the profile."
        ) from error
    except ClientError as error:
        raise _not_described(name, session.region_name, error) from error
    except BotoCoreError as error:
        raise aws_failure(error, wanted.profile) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs") or []}
    if "ApiUrl" not in outputs:
        named = ", ".join(sorted(outputs)) or "none at all"
        raise NoStack(
            f"The stack {name} has no output ApiUrl (its outputs: {named}), so it is no Stillmotion stack or its "
            "deployment has not finished. Check the name and the stack's state in CloudFormation."
        )
    return Stack(
        api_url=outputs["ApiUrl"],
        endpoint_url=None,
        region=session.region_name,
        input_bucket=outputs.get("InputBucketName", ""),
        output_bucket=outputs.get("OutputBucketName", ""),
        event_bus_name=outputs.get("EventBusName", ""),
        state_machine_arn=outputs.get("StateMachineArn", ""),
        table_name=outputs.get("TableName", ""),
        simulator_url=None,
        event_log_group=outputs.get("EventLogGroupName"),
        profile=wanted.profile,
    )


def _not_described(name: str, region: str, error: ClientError) -> CommandError:
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    if "does not exist" in message:
        return NoStack(
            f"There is no stack {name} in {region} with these credentials. Check the name, --region and --profile: "
            f"aws cloudformation list-stacks --region {region}"
        )
    if code in _DENIED:
        return NoCredentials(
            f"The credentials may not look up the stack {name} in {region}: {message}\n"
            "  They need cloudformation:DescribeStacks for it, or choose others with --profile."
        )
    return aws_failure(error, None)


def aws_failure(error: Exception, profile: str | None) -> Unreachable:
    """What AWS's own library could not do, said so that the user can mend it."""
    kind, code = type(error).__name__, ""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
    chosen = f" --profile {profile}" if profile else ""
    if kind == "ProfileNotFound":
        return NoCredentials(f"{error}. The profiles there are: aws configure list-profiles")
    signing = ("Token", "Credential", "SSO", "Signature", "Unauthorized", "InvalidClient", "Login")
    if code in _DENIED:
        return NoCredentials(f"The credentials are not allowed to do this: {error}")
    if any(word in kind or word in code for word in signing):
        return NoCredentials(
            f"The AWS credentials cannot be used: {error}\n"
            f"  See whose they are: aws sts get-caller-identity{chosen}. Renew them, for example: aws sso login{chosen}"
        )
    return Unreachable(f"AWS did not answer as it should: {error}")
