"""Purging through the API, against buckets that keep versions."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.requests.owned_names import upload_prefix
from tests.support.inprocess import CALLER, OPERATOR, Cloud
from tests.support.pictures import picture
from tests.support.recovery import age
from tests.support.requests import request

BOB = CALLER.replace("alice", "bob")
MINE = upload_prefix(CALLER)
PROMPT = "a most private prompt"
KEY = {"Idempotency-Key": "order-7"}


@pytest.fixture(autouse=True)
def versions(stack: Cloud) -> None:
    for bucket in ("pictures", "clips"):
        boto3.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def kept(bucket: str) -> list[str]:
    """The key of every version and of every mark of a deletion."""
    found = boto3.client("s3").list_object_versions(Bucket=bucket)
    return sorted(one["Key"] for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, []))


def put(bucket: str, key: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=picture("PNG"))


def wanted(simulator: Simulator, *urls: str) -> dict[str, Any]:
    kinds = ("first_frame", "last_frame")
    frames = [
        {"type": "image_url", "image_url": {"url": url}, "frame_type": kind}
        for url, kind in zip(urls, kinds, strict=False)
    ]
    return request(simulator, prompt=PROMPT, frame_images=frames)


def completed(stack: Cloud, body: dict[str, Any], key: dict[str, str] | None = None) -> str:
    status, _, job = stack.http("POST", "/videos", body, headers=key)
    assert status == 202, job
    stack.finish(job["execution_arn"])
    return str(job["id"])


def unfinished(job_id: str) -> None:
    """Put a record back to where its clip was still being made."""
    boto3.resource("dynamodb").Table("jobs").update_item(
        Key={"id": job_id}, UpdateExpression="REMOVE video, completed_at, published_at"
    )
    age(job_id, timedelta(hours=1), status="in_progress")


def test_a_purged_job_leaves_its_money_and_nothing_else(stack: Cloud, simulator: Simulator) -> None:
    inline = "data:image/png;base64," + base64.b64encode(picture("PNG")).decode()
    put("pictures", f"{MINE}own.png")
    put("pictures", f"{MINE}own.png")  # a second version
    put("pictures", f"{MINE}other.png")
    body = wanted(simulator, inline, f"s3://pictures/{MINE}own.png")
    job_id = completed(stack, body, KEY)
    put("clips", f"videos/{job_id}.jpg")
    put("clips", f"videos/{job_id}.mp4")  # a later version of the video
    boto3.client("s3").delete_object(Bucket="clips", Key=f"videos/{job_id}.jpg")
    before = stack.job(job_id)

    status, _, purged = stack.http("DELETE", f"/videos/{job_id}?purge=true")
    assert status == 200, purged
    assert kept("clips") == []
    assert kept("pictures") == [f"{MINE}other.png"]
    shown = stack.job(job_id)
    assert shown["purged_at"] == purged["purged_at"]
    assert (shown["status"], shown["usage"]) == ("completed", before["usage"])
    assert shown["video"][0]["url"] is None
    assert "was purged on" in shown["video"][0]["url_reason"]
    item = boto3.resource("dynamodb").Table("jobs").get_item(Key={"id": job_id})["Item"]
    assert PROMPT not in str(item)
    assert "own.png" not in str(item)
    assert stack.http("DELETE", f"/videos/{job_id}?purge=true")[2] == purged

    status, _, again = stack.http("POST", "/videos", body, headers=KEY)
    assert (status, again["id"]) == (200, job_id)
    assert len(simulator.jobs()) == 1


def test_an_upload_of_two_jobs_goes_with_the_second(stack: Cloud, simulator: Simulator) -> None:
    put("pictures", f"{MINE}twice.png")
    first, second = [completed(stack, wanted(simulator, f"s3://pictures/{MINE}twice.png")) for _ in range(2)]
    purged = stack.http("DELETE", f"/videos/{first}?purge=true")[2]
    assert purged["warnings"] == [
        f"The upload {MINE}twice.png is left: another job names it, or may. It goes by itself in time."
    ]
    assert kept("pictures") == [f"{MINE}twice.png"]
    assert [key for key in kept("clips") if key.endswith(".mp4")] == [f"videos/{second}.mp4"]
    assert stack.http("DELETE", f"/videos/{second}?purge=true")[2]["warnings"] == []
    assert kept("pictures") == []


def test_a_stranger_learns_and_deletes_nothing(stack: Cloud, simulator: Simulator) -> None:
    job_id = completed(stack, request(simulator))
    before = kept("clips")
    foreign = stack.http("DELETE", f"/videos/{job_id}?purge=true", caller=BOB)
    absent = stack.http("DELETE", f"/videos/vid_{'0' * 26}?purge=true", caller=BOB)
    assert (foreign[0], absent[0]) == (404, 404)
    assert foreign[2]["detail"].replace(job_id, "ID") == absent[2]["detail"].replace("vid_" + "0" * 26, "ID")
    assert kept("clips") == before
    assert stack.http("DELETE", f"/videos/{job_id}?purge=true", caller=OPERATOR)[0] == 200
    assert kept("clips") == []


def test_a_job_without_an_owner_is_purged_by_operators_only(stack: Cloud, simulator: Simulator) -> None:
    ended = stack.finish(stack.start(request(simulator)))
    [job_id] = [job["id"] for job in stack.http("GET", "/videos")[2]["data"]]
    assert ended["status"] == "SUCCEEDED"
    status, _, refused = stack.http("DELETE", f"/videos/{job_id}?purge=true")
    assert (status, refused["code"]) == (403, "OperatorsOnly")
    assert kept("clips") != []
    assert stack.http("DELETE", f"/videos/{job_id}?purge=true", caller=OPERATOR)[0] == 200
    assert kept("clips") == []


def test_a_job_that_runs_is_not_purged(stack: Cloud, simulator: Simulator) -> None:
    job_id = completed(stack, request(simulator))
    unfinished(job_id)
    status, _, refused = stack.http("DELETE", f"/videos/{job_id}?purge=true")
    assert (status, refused["code"]) == (409, "JobStateConflict")
    assert kept("clips") != []
    stack.http("DELETE", f"/videos/{job_id}")
    assert stack.http("DELETE", f"/videos/{job_id}?purge=true")[2]["status"] == "cancelled"
    assert kept("clips") == []


@pytest.mark.parametrize("query", ["?purge=maybe", "?purge="])
def test_a_purge_is_true_or_false(stack: Cloud, simulator: Simulator, query: str) -> None:
    job_id = completed(stack, request(simulator))
    status, _, refused = stack.http("DELETE", f"/videos/{job_id}{query}")
    assert (status, refused["code"]) == (400, "InvalidRequest")
    assert kept("clips") != []


def test_a_purged_job_is_neither_inspected_nor_resumed(stack: Cloud, simulator: Simulator) -> None:
    job_id = completed(stack, request(simulator))
    stack.http("DELETE", f"/videos/{job_id}?purge=true")
    stack.events()
    assert stack.http("POST", f"/videos/{job_id}/resume", {})[0] == 409
    assert stack.invoke("SweepFunction", {})["inspections"] == 0
    stack.invoke("InspectFunction", {"detail": {"id": job_id}})
    assert kept("clips") == []
    assert stack.events() == []


def test_a_signed_link_is_on_record_until_nothing_needs_it(stack: Cloud, simulator: Simulator) -> None:
    """Then the record has what callers are shown: the address without its query."""

    def recorded(job_id: str) -> str:
        return str(boto3.resource("dynamodb").Table("jobs").get_item(Key={"id": job_id})["Item"]["request"])

    link = f"{simulator.image_url()}#sig=planted-signature"
    job_id = completed(stack, wanted(simulator, link), KEY)
    assert "planted-signature" in recorded(job_id)
    stack.invoke("InspectFunction", {"detail": {"id": job_id}})
    assert "planted-signature" not in recorded(job_id)
    assert simulator.image_url().split("?")[0] in recorded(job_id)
    again = stack.http("POST", "/videos", wanted(simulator, link), headers=KEY)
    assert (again[0], again[2]["id"]) == (200, job_id)
    stopped = completed(stack, wanted(simulator, link))
    unfinished(stopped)
    assert stack.http("DELETE", f"/videos/{stopped}")[2]["status"] == "cancelled"
    assert "planted-signature" not in recorded(stopped)
