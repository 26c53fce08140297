"""What functions are allowed for cases that seldom come, each seen to be needed."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.batches.record import BatchStatus
from stillmotion.batches.store import DynamoBatchStore
from tests.support.function_url import cloud_with_callbacks
from tests.support.inprocess import OPERATOR, Cloud
from tests.support.inprocess_batches import BatchCloud, batch_cloud
from tests.support.pictures import picture
from tests.support.recovery import age, ended
from tests.support.requests import dropped, png, request, rows

HOUR = timedelta(hours=1)


def a_dropped_job(stack: Cloud, status: str) -> tuple[str, str]:
    """The id and the execution of a dropped picture's job that is left in this state."""
    boto3.client("s3").put_object(Bucket="pictures", Key="drop/still.png", Body=png())
    execution = stack.start(dropped("drop/still.png"))
    job_id = str(json.loads(stack.finish(execution)["output"])["id"])
    boto3.resource("dynamodb").Table("jobs").update_item(
        Key={"id": job_id}, UpdateExpression="REMOVE video, completed_at, published_at"
    )
    age(job_id, HOUR, status=status)
    return job_id, execution


def failed_notes() -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket="pictures", Prefix="failed/")
    return [found["Key"] for found in listed.get("Contents", [])]


def test_a_dropped_job_that_is_cancelled_gets_its_note(stack: Cloud) -> None:
    job_id, _ = a_dropped_job(stack, "in_progress")
    assert stack.http("DELETE", f"/videos/{job_id}", caller=OPERATOR)[0] == 200
    assert failed_notes() == ["failed/still.png.json"]


def test_a_dropped_job_whose_execution_was_aborted_gets_its_note(stack: Cloud) -> None:
    job_id, execution = a_dropped_job(stack, "in_progress")
    stack.invoke("ExecutionEndedFunction", ended(execution, dropped("drop/still.png")))
    assert stack.job(job_id)["status"] == "timed_out"
    assert failed_notes() == ["failed/still.png.json"]


def test_a_dropped_job_that_a_sweep_ends_gets_its_note(stack: Cloud) -> None:
    job_id, _ = a_dropped_job(stack, "submitting")
    assert stack.invoke("SweepFunction", {})["settled"] == 1
    assert stack.job(job_id)["status"] == "submit_unknown"
    assert failed_notes() == ["failed/still.png.json"]


@pytest.mark.parametrize(("gone", "told"), [("pictures", "likeness"), ("clips", "problem"), (None, "facts")])
def test_an_inspection_says_what_is_not_there(stack: Cloud, simulator: Simulator, gone: str | None, told: str) -> None:
    frame = {
        "type": "image_url",
        "image_url": {"url": "s3://pictures/shared/a.png"},
        "frame_type": "first_frame",
    }
    boto3.client("s3").put_object(Bucket="pictures", Key="shared/a.png", Body=picture("PNG"))
    job = stack.http("POST", "/videos", request(simulator, frame_images=[frame]))[2]
    stack.finish(job["execution_arn"])
    keys = {"pictures": "shared/a.png", "clips": f"videos/{job['id']}.mp4"}
    if gone is not None:
        boto3.client("s3").delete_object(Bucket=gone, Key=keys[gone])
    stack.invoke("InspectFunction", {"detail": {"id": job["id"]}})
    [clip] = stack.job(job["id"])["inspection"]["videos"]
    assert told in clip
    if gone == "pictures":
        assert "not there to compare" in clip["likeness"][0]["problem"]


@pytest.mark.parametrize(("secret", "status"), [("signing", 204), ("forged", 404)])
def test_a_signed_callback_is_held_against_the_workspaces_secret(
    simulator: Simulator, secret: str, status: int
) -> None:
    with cloud_with_callbacks(simulator, CallbackSigningSecretArn="signing-secret") as (stack, url):
        boto3.client("secretsmanager").create_secret(Name="signing-secret", SecretString="signing")
        job = stack.http("POST", "/videos", request(simulator))[2]
        [paid] = simulator.jobs()
        address = paid["request"]["callback_url"].removeprefix(url.url.rstrip("/"))
        body = json.dumps({"data": {"id": paid["id"]}}).encode()
        moment = int(time.time())
        signed = hmac.new(secret.encode(), f"{moment},".encode() + body, hashlib.sha256).hexdigest()
        header = {"X-ModelGates-Signature": f"t={moment},v1={signed}", "Content-Type": "application/json"}
        assert url.call("POST", address, header, body) == status
        stack.finish(job["execution_arn"])


@pytest.fixture
def batches(simulator: Simulator) -> Iterator[BatchCloud]:
    with batch_cloud(simulator) as made:
        yield made


def test_a_batch_whose_record_never_ended_is_run_again(batches: BatchCloud, simulator: Simulator) -> None:
    order = {"manifest": batches.manifest(rows(simulator, "one")), "batch_id": "b"}
    first = batches.run(order)
    store = DynamoBatchStore(boto3.resource("dynamodb").Table("batches"))
    store.save(replace(store.get("b"), status=BatchStatus.RUNNING))
    again = batches.run(order)
    assert (first["status"], again["status"]) == ("SUCCEEDED", "SUCCEEDED")
    assert len(simulator.jobs()) == 1
