"""The examples in examples/, deployed beside the local stack or run against it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local import deploy, environment
from local.build import build
from local.cloud import LocalCloud
from local.paths import ROOT, SAMPLE, TOOLS
from local.processes import run_logged
from stillmotion_cli.stack import Stack
from tests.e2e.support import JOB_TIMEOUT, SimulatorControl
from tests.support.node import npm_run

EXAMPLES = ROOT / "examples"
SECONDS = 240
REQUEST = {"model": "google/veo-3.1-lite", "prompt": "a slow push in", "duration": 4}


def sam_deploy(stack: Stack, template: Path, name: str, folder: Path, parameters: dict[str, str]) -> dict[str, str]:
    """Deploy an example with the SAM CLI; the stack's outputs."""
    home = folder / "sam"
    (home / "home").mkdir(parents=True)
    (home / "tmp").mkdir()
    command = [
        *[str(TOOLS / "sam"), "deploy", "--template-file", str(template), "--stack-name", name],
        *["--region", stack.region, "--resolve-s3", "--no-progressbar", "--no-confirm-changeset"],
        *["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        *["--parameter-overrides", *(f"{key}={value}" for key, value in parameters.items())],
    ]
    run_logged(command, environment.sam_deploy(stack.endpoint_url or "", home), folder, folder / "deploy.log", SECONDS)
    [found] = stack.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def run_machine(stack: Stack, arn: str, given: dict[str, Any]) -> dict[str, Any]:
    """The execution's description once it has ended."""
    machine, deadline = stack.client("stepfunctions"), time.monotonic() + JOB_TIMEOUT
    started = machine.start_execution(stateMachineArn=arn, input=json.dumps(given))["executionArn"]
    while (found := machine.describe_execution(executionArn=started))["status"] == "RUNNING":
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    return dict(found)


def test_a_nested_stack_puts_its_clips_into_the_queue(stack: Stack, cloud: LocalCloud, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "nested", tmp_path / "nested")
    example = tmp_path / "nested" / "template.yaml"
    parameters = deploy.parameters(stack.endpoint_url or "", stack.simulator_url)
    given = "".join(f"        {name}: {json.dumps(value)}\n" for name, value in parameters.items())
    text = example.read_text().replace("../../template.yaml", str(build()))
    example.write_text(text.replace("      Parameters:\n", f"      Parameters:\n{given}", 1))
    outputs = sam_deploy(stack, example, "shop", tmp_path, {"DailySpendLimitUsd": "20"})
    deploy.store_api_key(outputs, stack.endpoint_url or "", cloud.api_key)
    ended = run_machine(stack, outputs["StateMachineArn"], REQUEST)
    assert ended["status"] == "SUCCEEDED", ended
    queue: dict[str, Any] = {"QueueUrl": outputs["FinishedClipsUrl"], "WaitTimeSeconds": 10}
    [message] = stack.client("sqs").receive_message(**queue)["Messages"]
    event = json.loads(message["Body"])
    assert event["detail-type"] == "Video Generation Completed"
    assert event["detail"]["id"] == json.loads(ended["output"])["id"]


@pytest.fixture(scope="session")
def parent(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The deployed parent workflow's ARN."""
    folder = tmp_path_factory.mktemp("parent")
    parameters = {"StillmotionStack": deploy.STACK_NAME}
    return sam_deploy(stack, EXAMPLES / "parent" / "template.yaml", "orders", folder, parameters)["StateMachineArn"]


@pytest.fixture
def order(stack: Stack) -> Callable[[str], dict[str, Any]]:
    """Makes an order of this id."""
    stack.client("s3").put_object(Bucket=stack.input_bucket, Key="shared/still.jpg", Body=SAMPLE.read_bytes())
    picture = f"s3://{stack.input_bucket}/shared/still.jpg"
    return lambda order_id: REQUEST | {"order_id": order_id, "picture": picture}


def test_a_parent_workflow_waits_for_its_clip_and_pays_once(
    stack: Stack, parent: str, order: Callable[[str], dict[str, Any]], simulator: SimulatorControl
) -> None:
    paid = len(simulator.jobs())
    ended = run_machine(stack, parent, order("order-7"))
    assert ended["status"] == "SUCCEEDED", ended
    result = json.loads(ended["output"])
    assert (result["order_id"], result["clip"]["status"]) == ("order-7", "completed")
    assert result["clip"]["metadata"] == {"order": "order-7"}
    again = json.loads(run_machine(stack, parent, order("order-7"))["output"])
    assert again["clip"] == {"id": result["clip"]["id"], "outcome": "duplicate"}
    assert len(simulator.jobs()) == paid + 1


def test_a_parent_workflow_says_whether_a_person_must_decide(
    stack: Stack, parent: str, order: Callable[[str], dict[str, Any]], simulator: SimulatorControl
) -> None:
    refused = run_machine(stack, parent, order("order-8") | {"duration": 5})
    assert (refused["status"], refused["error"]) == ("FAILED", "NoClip"), refused
    # Without its callback a submit whose answer is lost stays unknown.
    with simulator.settings(webhooks=False), simulator.fault(on="submit", accept_then_lose="reset"):
        lost = run_machine(stack, parent, order("order-9"))
    assert (lost["status"], lost["error"]) == ("FAILED", "NeedsAPerson"), lost


def test_the_typescript_client_makes_a_clip_as_an_iam_user(
    stack: Stack, user: Callable[[str], tuple[str, str]], tmp_path: Path
) -> None:
    npm_run(EXAMPLES / "typescript", "build")
    access_key, secret = user("execute-api:Invoke")
    clip = tmp_path / "clip.mp4"
    variables = {"STILLMOTION_API_URL": stack.api_url, "AWS_REGION": stack.region}
    variables |= {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": ""}
    command = ["node", "dist/make-clip.js", str(SAMPLE), "a slow pan", str(clip)]
    done = subprocess.run(
        command,
        cwd=EXAMPLES / "typescript",
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=JOB_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bytes"] == clip.stat().st_size
    assert clip.read_bytes()[4:8] == b"ftyp"


def test_the_python_example_makes_a_clip(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(stack.to_json())
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "cli")} | environment.aws(
        stack.endpoint_url or ""
    )
    command = [sys.executable, str(EXAMPLES / "python" / "make_clip.py"), str(SAMPLE), "a slow zoom", "clip.mp4"]
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=JOB_TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clip.mp4").read_bytes()[4:8] == b"ftyp"
