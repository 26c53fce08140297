"""The doors without an HTTP client, opened with the commands that docs/events.md and docs/batches.md show."""

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from local.cloud import LocalCloud
from local.environment import aws
from local.paths import ROOT, SAMPLE, TOOLS
from stillmotion.batches.record import Manifest
from stillmotion.jobs.record import ID_PREFIX
from stillmotion_cli.stack import Stack
from tests.e2e.support import JOB_TIMEOUT, Caller, SimulatorControl

EVENTS, BATCHES = ROOT / "docs" / "events.md", ROOT / "docs" / "batches.md"
EXAMPLES = ROOT / "workflows" / "examples"


def shown(name: str) -> str:
    """The command that one of the pages shows under this name."""
    pages = EVENTS.read_text() + BATCHES.read_text()
    found = re.search(rf"<!-- run: {name} -->\n```sh\n(.*?)```", pages, re.DOTALL)
    assert found is not None, name
    return found[1]


def run(name: str, stack: Stack, folder: Path) -> str:
    """Run a command of the pages against the local stack; what it printed."""
    names = {
        "InputBucketName": stack.input_bucket,
        "EventBusName": stack.event_bus_name,
        "StateMachineArn": stack.state_machine_arn,
    }
    cases = "\n".join(f"{key}) echo '{value}';;" for key, value in names.items())
    prelude = f'output() {{ case "$1" in {cases}\nesac; }}\n'
    (folder / "still.jpg").write_bytes(SAMPLE.read_bytes())
    done = subprocess.run(
        ["bash", "-euc", prelude + shown(name)],
        cwd=folder,
        env=aws(stack.endpoint_url) | {"PATH": f"{TOOLS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def execution(stack: Stack, arn: str) -> dict[str, Any]:
    """The execution's description once it has ended."""
    machine, deadline = stack.client("stepfunctions"), time.monotonic() + JOB_TIMEOUT
    while (found := machine.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    return dict(found)


def job_from(caller: Caller, source: dict[str, Any]) -> dict[str, Any]:
    """The terminal record of the one job that came through this door."""
    deadline = time.monotonic() + JOB_TIMEOUT
    while time.monotonic() < deadline:
        table = caller.stack.client("dynamodb")
        items = table.scan(TableName=caller.stack.table_name, ConsistentRead=True)["Items"]
        for item in items:
            if not item["id"]["S"].startswith(ID_PREFIX):
                continue  # a callback, a dropped object or a marker of a provider's id
            found = {name: part.get("S") for name, part in item["source"]["M"].items()}
            if source.items() <= found.items() and item["status"]["S"] in ("completed", "failed"):
                return dict(caller.client.job(item["id"]["S"]))
        time.sleep(0.5)
    raise AssertionError(f"no job from {source} within {JOB_TIMEOUT} s")


def test_a_dropped_picture_becomes_a_video(stack: Stack, caller: Caller, cloud: LocalCloud, tmp_path: Path) -> None:
    run("drop", stack, tmp_path)
    job = job_from(caller, {"type": "drop", "key": "drop/still.jpg"})
    assert job["status"] == "completed", job
    assert (job["request"]["prompt"], job["metadata"]) == ("a slow push in", {"order": "7"})
    note = stack.client("s3").get_object(Bucket=stack.output_bucket, Key=f"videos/{job['id']}.json")
    assert json.loads(note["Body"].read())["source"]["key"] == "drop/still.jpg"
    cloud.events.wait_for("Video Generation Completed", job["id"])


def test_a_drop_that_fails_says_why_in_s3(stack: Stack, caller: Caller) -> None:
    s3 = stack.client("s3")
    s3.put_object(Bucket=stack.input_bucket, Key="drop/Käse + Kuchen.txt", Body=b"no picture")
    job = job_from(caller, {"type": "drop", "key": "drop/Käse + Kuchen.txt"})
    assert job["error"]["code"] == "InvalidRequest", job["error"]
    told = json.loads(s3.get_object(Bucket=stack.input_bucket, Key="failed/Käse + Kuchen.txt.json")["Body"].read())
    assert told["code"] == "InvalidRequest"


def test_a_request_on_the_bus_becomes_a_video(
    stack: Stack, caller: Caller, simulator: SimulatorControl, tmp_path: Path
) -> None:
    stack.client("s3").put_object(Bucket=stack.input_bucket, Key="shared/still.jpg", Body=SAMPLE.read_bytes())
    paid = len(simulator.jobs())
    assert json.loads(run("request", stack, tmp_path))["FailedEntryCount"] == 0
    run("request", stack, tmp_path)
    job = job_from(caller, {"type": "event", "event_source": "shop.orders"})
    assert job["status"] == "completed", job
    assert len(simulator.jobs()) == paid + 1


def test_a_manifest_is_a_batch_as_a_drop_and_on_the_bus(
    stack: Stack, simulator: SimulatorControl, cloud: LocalCloud, tmp_path: Path
) -> None:
    table = re.search(r"```csv\n(.*?)```", BATCHES.read_text(), re.DOTALL)
    assert table is not None
    (tmp_path / "autumn.csv").write_text(table[1])
    (tmp_path / "pictures").mkdir()
    for name in ("a1.jpg", "a2.jpg"):
        (tmp_path / "pictures" / name).write_bytes(SAMPLE.read_bytes())
    with simulator.settings(clip="tiny", seconds_to_ready=0, seconds_pending=0):
        run("batch-drop", stack, tmp_path)
        assert '"FailedEntryCount": 0' in run("batch-request", stack, tmp_path)
        etag = stack.client("s3").head_object(Bucket=stack.input_bucket, Key="batches/in/autumn.csv")["ETag"]
        dropped = Manifest(bucket=stack.input_bucket, key="batches/in/autumn.csv", etag=etag.strip('"')).batch_id()
        for batch_id in ("autumn", dropped):
            told = cloud.events.wait_for("Video Batch Completed", batch_id, JOB_TIMEOUT)["detail"]
            assert (told["done"], told["failed"]) == (2, 0), told


def test_a_workflow_gets_the_stored_video_as_its_output(stack: Stack, tmp_path: Path) -> None:
    stack.client("s3").put_object(Bucket=stack.input_bucket, Key="shared/still.jpg", Body=SAMPLE.read_bytes())
    ended = execution(stack, json.loads(run("workflow", stack, tmp_path))["executionArn"])
    assert ended["status"] == "SUCCEEDED", ended
    result = json.loads(ended["output"])
    assert set(result) == {"id", "status", "model", "video", "usage", "metadata", "completed_at"}


@pytest.fixture
def parent_input(stack: Stack) -> dict[str, Any]:
    """What the parents in the examples take, without what differs between them."""
    stack.client("s3").put_object(Bucket=stack.input_bucket, Key="shared/still.jpg", Body=SAMPLE.read_bytes())
    picture = {"url": f"s3://{stack.input_bucket}/shared/still.jpg"}
    return {"duration": 4, "frame_images": [{"frame_type": "first_frame", "image_url": picture}]}


def parent_role(stack: Stack, name: str) -> str:
    """A role as docs/workflows.md describes it."""
    iam = stack.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    executions = stack.state_machine_arn.replace(":stateMachine:", ":execution:") + ":*"
    allowed = [
        {"Effect": "Allow", "Action": "states:StartExecution", "Resource": stack.state_machine_arn},
        {"Effect": "Allow", "Action": ["states:DescribeExecution", "states:StopExecution"], "Resource": executions},
    ]
    documents = [json.dumps({"Version": "2012-10-17", "Statement": told}) for told in ([trust], allowed)]
    role_name = f"{name}-{time.monotonic_ns()}"
    arn: str = iam.create_role(RoleName=role_name, AssumeRolePolicyDocument=documents[0])["Role"]["Arn"]
    iam.put_role_policy(RoleName=role_name, PolicyName="parent", PolicyDocument=documents[1])
    return arn


def parent(stack: Stack, example: str, given: dict[str, Any]) -> dict[str, Any]:
    """Deploy a parent from the examples, run it, and describe how it ended."""
    machine = stack.client("stepfunctions")
    text = (EXAMPLES / f"{example}.asl.json").read_text()
    definition = text.replace("${GenerateVideoStateMachineArn}", stack.state_machine_arn).replace("${Partition}", "aws")
    role = parent_role(stack, example)
    name = f"e2e-{example}-{time.monotonic_ns()}"
    arn = machine.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    started = machine.start_execution(stateMachineArn=arn, input=json.dumps(given))
    return execution(stack, started["executionArn"])


def test_a_parent_tries_a_second_model_where_the_generation_fails(
    stack: Stack, simulator: SimulatorControl, parent_input: dict[str, Any]
) -> None:
    given = parent_input | {"models": ["google/veo-3.1-lite", "bytedance/seedance-2.0"], "prompt": "a slow push in"}
    paid = len(simulator.jobs())
    with simulator.settings(fail_with={"status": "failed", "error": "No."}):
        first = parent(stack, "second_model", given)
    assert first["status"] == "FAILED"
    assert [job["model"] for job in simulator.jobs()[paid:]] == given["models"]


def test_a_parent_gives_up_where_another_model_would_not_do_better(
    stack: Stack, simulator: SimulatorControl, parent_input: dict[str, Any]
) -> None:
    given = parent_input | {"models": ["google/no-such-model", "bytedance/seedance-2.0"], "prompt": "a slow push in"}
    paid = len(simulator.jobs())
    assert parent(stack, "second_model", given)["status"] == "FAILED"
    assert simulator.jobs()[paid:] == []


def test_a_parent_keeps_the_cheapest_of_three_that_succeeds(
    stack: Stack, simulator: SimulatorControl, parent_input: dict[str, Any]
) -> None:
    prompts = ["a slow push in", "this has a forbidden-word in it", "a slow pull out"]
    given = parent_input | {"model": "google/veo-3.1-lite", "prompts": prompts}
    ended = parent(stack, "cheapest_prompt", given)
    assert ended["status"] == "SUCCEEDED", ended
    result = json.loads(ended["output"])
    assert result["status"] == "completed"
    assert result["usage"]["cost_usd"] == min(job["charged_usd"] for job in simulator.jobs()[-2:])
