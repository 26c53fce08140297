"""The stack in a running local cloud: made from a kept package or by `sam deploy`, and its outputs."""

import re
from pathlib import Path
from typing import Any

from local import environment, package
from local.build import architecture
from local.gateway import set_gateway_responses
from local.paths import ROOT, TOOLS
from local.processes import LocalCloudError, run_logged
from stillmotion_cli.stack import Stack

STACK_NAME = "stillmotion-local"
DEPLOY_TIMEOUT = 180
POLL_INTERVAL_SECONDS = 1
OPERATOR = "arn:aws:iam::000000000000:root"
"""The caller of a local stack's API: the credentials `test` are the account's root."""
SIMULATED_PSNR = 30
"""A real model may change a picture; the simulator may not."""

_API_URL = re.compile(r"https?://(?P<api>[a-z0-9]+)\.execute-api\.[^/]+/(?P<stage>[^/]+)")


def deploy(
    built_template: Path, endpoint_url: str, parameters: dict[str, str], folder: Path, *, by_sam: bool = False
) -> dict[str, str]:
    """Deploy the built template. Returns the stack's outputs.

    It is created by CloudFormation from the package that is kept for the build, which takes a second; `by_sam` takes
    `sam deploy` with the `local` profile, as users deploy theirs.
    """
    if by_sam:
        _sam_deploy(built_template, endpoint_url, parameters, folder)
    else:
        package.package(built_template, _client(endpoint_url, "s3"), endpoint_url, folder)
        package.put_stack(_client(endpoint_url, "cloudformation"), STACK_NAME, endpoint_url, parameters)
    return _finished(built_template, endpoint_url)


def update(packaged: Path, endpoint_url: str, parameters: dict[str, str]) -> dict[str, str]:
    """Update the deployed stack to another package, a folder with its template. Returns the stack's outputs."""
    package.upload(packaged, _client(endpoint_url, "s3"))
    package.put_stack(_client(endpoint_url, "cloudformation"), STACK_NAME, endpoint_url, parameters, update=True)
    return _finished(packaged / package.TEMPLATE, endpoint_url)


def _finished(template: Path, endpoint_url: str) -> dict[str, str]:
    """The outputs of the stack, once its API refuses calls as its template says."""
    outputs = _outputs(_client(endpoint_url, "cloudformation"))
    if api := _API_URL.match(outputs.get("ApiUrl", "")):
        set_gateway_responses(_client(endpoint_url, "apigateway"), template, api["api"], api["stage"])
    return outputs


def _sam_deploy(built_template: Path, endpoint_url: str, parameters: dict[str, str], folder: Path) -> None:
    command = [
        *[str(TOOLS / "sam"), "deploy", "--template-file", str(built_template)],
        *["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"],
        *["--stack-name", STACK_NAME, "--region", environment.REGION, "--no-progressbar"],
        *["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset"],
        *["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())],
    ]
    run_logged(command, environment.sam_deploy(endpoint_url, folder), ROOT, folder / "deploy.log", DEPLOY_TIMEOUT)


def parameters(endpoint_url: str, simulator_url: str | None) -> dict[str, str]:
    """The template's parameters for a local cloud; without a simulator ModelGates keeps its real address."""
    trusted = [endpoint_url] + ([simulator_url] if simulator_url else [])
    values = {
        "PollIntervalSeconds": str(POLL_INTERVAL_SECONDS),
        "Architecture": architecture(),
        "AwsEndpointUrl": endpoint_url,
        "TrustedOrigins": ",".join(trusted),
        "OperatorRoleArns": OPERATOR,
    }
    if simulator_url:
        simulated = {"ModelGatesBaseUrl": simulator_url, "InspectionMinPsnr": str(SIMULATED_PSNR)}
        return values | simulated | {"EnableCallback": "true"}
    # The real ModelGates cannot fetch from a bucket on this machine, nor call it back.
    return values | {"ImageTransport": "inline", "EnableCallback": "false"}


def describe(outputs: dict[str, str], endpoint_url: str, simulator_url: str | None) -> Stack:
    """The Stack of these outputs, with the API's address as this machine reaches it."""
    try:
        return Stack(
            api_url=local_api_url(outputs["ApiUrl"], endpoint_url),
            endpoint_url=endpoint_url,
            region=environment.REGION,
            input_bucket=outputs["InputBucketName"],
            output_bucket=outputs["OutputBucketName"],
            event_bus_name=outputs["EventBusName"],
            state_machine_arn=outputs["StateMachineArn"],
            table_name=outputs["TableName"],
            simulator_url=simulator_url,
            event_log_group=outputs.get("EventLogGroupName"),
        )
    except KeyError as error:
        raise LocalCloudError(f"The template has no output {error}; it has {', '.join(sorted(outputs))}.") from error


def local_api_url(api_url: str, endpoint_url: str) -> str:
    """The path under which MiniStack serves an API, because names below .localhost do not resolve everywhere."""
    match = _API_URL.match(api_url)
    if not match:
        raise LocalCloudError(f"The template's output ApiUrl is no address of an API: {api_url}")
    return f"{endpoint_url}/_aws/execute-api/{match['api']}/{match['stage']}"


def store_api_key(outputs: dict[str, str], endpoint_url: str, api_key: str) -> None:
    """Put the ModelGates key into the secret that the functions read."""
    secrets = _client(endpoint_url, "secretsmanager")
    secrets.put_secret_value(SecretId=outputs["ApiKeySecretArn"], SecretString=api_key)


def _client(endpoint_url: str, service: str) -> Any:
    return Stack("", endpoint_url, environment.REGION, "", "", "", "", "", None).client(service)


def _outputs(cloudformation: Any) -> dict[str, str]:
    stack = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
