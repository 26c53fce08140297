"""The checks of `stillmotion doctor`: each says what it found, and what to do where something is wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion_cli import deployment
from stillmotion_cli.app import Call
from stillmotion_cli.deployment import Deployment
from stillmotion_cli.discovery import aws_failure
from stillmotion_cli.errors import CommandError, NoCredentials
from stillmotion_cli.units import money

OK, WARNING, FAILED, UNKNOWN = "ok", "warning", "failed", "unknown"
_LIMITS = {
    "DailySpendLimitUsd": "a day",
    "PerJobSpendLimitUsd": "a job",
    "CallerDailySpendLimitUsd": "a caller and day",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: `state` is ok, warning, failed, or unknown where it could not be found out.

    `exit_code` is that of the failure, 0 without one.
    """

    name: str
    state: str
    text: str
    advice: str | None = None
    exit_code: int = 0

    def document(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {"check": self.name, "state": self.state, "text": self.text, "advice": self.advice}


def check(call: Call) -> Iterator[Finding]:
    """All checks. One that cannot be made without an earlier one is left out."""
    try:
        stack = call.stack
    except NoCredentials as error:
        yield _failed("credentials", error)
        return
    except CommandError as error:
        yield _failed("stack", error)
        return
    yield _guarded("credentials", lambda: _credentials(call))
    deployed: Deployment | None = None
    try:
        deployed = deployment.describe(stack, call.wanted.stack_name)
    except CommandError as error:
        yield Finding("stack", UNKNOWN, f"{stack.api_url}, which CloudFormation does not describe.", str(error))
    if deployed is not None:
        yield _stack(deployed, stack.api_url)
    yield _guarded("api", lambda: _api(call))
    yield _guarded("models", lambda: _models(call))
    if deployed is not None:
        yield _key(call, deployed)
        yield _limits(deployed)
        yield _callback(deployed)


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except CommandError as error:
        return _failed(name, error)


def _failed(name: str, error: CommandError) -> Finding:
    return Finding(name, FAILED, str(error), error.hint, error.exit_code)


def _credentials(call: Call) -> Finding:
    stack = call.stack
    if stack.is_local:
        return Finding("credentials", OK, "The local cloud takes made-up ones; yours are not used.")
    try:
        who = stack.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise aws_failure(error, stack.profile) from error
    return Finding("credentials", OK, f"{who['Arn']} in {stack.region}.")


def _stack(deployed: Deployment, api_url: str) -> Finding:
    theirs, ours = deployed.outputs.get("Version"), version("stillmotion")
    text = f"{deployed.name}, {deployed.status}, version {theirs or 'not stated'}, {api_url}"
    if "ROLLBACK" in deployed.status or "FAILED" in deployed.status or deployed.status.startswith("DELETE"):
        advice = f"See what went wrong: aws cloudformation describe-stack-events --stack-name {deployed.name}"
        return Finding("stack", WARNING, f"{text}.", advice)
    if theirs != ours:
        return Finding("stack", WARNING, f"{text}.", f"This command is version {ours}. Use the same version of both.")
    return Finding("stack", OK, f"{text}.")


def _api(call: Call) -> Finding:
    call.client.jobs(limit=1)
    return Finding("api", OK, "It answers and accepts your signature.")


def _models(call: Call) -> Finding:
    models = call.client.models()
    if not models:
        return Finding("models", FAILED, "ModelGates offers no model.", "See its account, and try again.", 6)
    return Finding("models", OK, f"ModelGates offers {len(models)}.")


def _key(call: Call, deployed: Deployment) -> Finding:
    """Whether a key was put into the secret. The key itself is not read."""
    secret = deployed.outputs.get("ApiKeySecretArn")
    if not secret:
        return Finding("key", UNKNOWN, "The stack has no output ApiKeySecretArn.", "Deploy the stack again.")
    try:
        described = call.stack.client("secretsmanager").describe_secret(SecretId=secret)
    except (BotoCoreError, ClientError) as error:
        advice = f"To see it, allow secretsmanager:DescribeSecret. AWS said: {error}"
        return Finding("key", UNKNOWN, "It is not known whether the secret holds a ModelGates key.", advice)
    stages = [stage for names in (described.get("VersionIdsToStages") or {}).values() for stage in names]
    if "AWSCURRENT" not in stages:
        advice = f"Put it: aws secretsmanager put-secret-value --secret-id {secret} --secret-string file:///dev/stdin"
        return Finding("key", FAILED, "No ModelGates key was put into the stack's secret.", advice, 6)
    return Finding("key", OK, "The secret holds a ModelGates key. The first job shows whether it is accepted.")


def _limits(deployed: Deployment) -> Finding:
    amounts = {words: float(deployed.parameters.get(name) or 0) for name, words in _LIMITS.items()}
    limits = [f"{money(amount)} {words}" for words, amount in amounts.items() if amount]
    if not limits:
        advice = "Set DailySpendLimitUsd and PerJobSpendLimitUsd when you deploy."
        return Finding("limits", WARNING, "Spending has no limit.", advice)
    return Finding("limits", OK, f"At most {', '.join(limits)}.")


def _callback(deployed: Deployment) -> Finding:
    given = deployed.parameters.get("EnableCallback")
    if given is None:
        return Finding("callback", OK, "This stack has none: it polls.")
    if given != "true":
        return Finding("callback", OK, "Off (EnableCallback): the stack polls, so clips arrive up to 30 s later.")
    return Finding("callback", OK, "On: ModelGates calls the stack when a clip is ready.")
