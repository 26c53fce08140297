"""One caller's pictures and another's request, through every entry point."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.requests.owned_names import upload_prefix
from tests.support.inprocess import CALLER, Cloud
from tests.support.inprocess_batches import BatchCloud, batch_cloud
from tests.support.pictures import picture
from tests.support.requests import request

BOB = CALLER.replace("alice", "bob")
THEIRS, MINE, SHARED = f"{upload_prefix(BOB)}secret.png", f"{upload_prefix(CALLER)}mine.png", "shared/cat.png"


@pytest.fixture
def batches(simulator: Simulator) -> Iterator[BatchCloud]:
    with batch_cloud(simulator, max_polls=2) as made:
        put_pictures()
        yield made


def put_pictures() -> None:
    for key in (THEIRS, MINE, SHARED):
        boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=picture("PNG"))


def named(simulator: Simulator, key: str) -> dict[str, Any]:
    frame = {"type": "image_url", "image_url": {"url": f"s3://pictures/{key}"}, "frame_type": "first_frame"}
    return request(simulator, frame_images=[frame])


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_foreign_picture_and_none_are_the_same_to_a_caller(stack: Cloud, simulator: Simulator, query: str) -> None:
    put_pictures()
    answers = set()
    for key in (THEIRS, f"{upload_prefix(BOB)}none.png", f"{upload_prefix(CALLER)}none.png", "uploads/secret.png"):
        status, _, problem = stack.http("POST", f"/videos{query}", named(simulator, key))
        answers.add((status, json.dumps(problem).replace(key, "KEY")))
    assert [status for status, _ in answers] == [422]
    assert simulator.jobs() == []


@pytest.mark.parametrize("key", [MINE, SHARED])
def test_a_caller_names_its_own_and_shared_pictures(stack: Cloud, simulator: Simulator, key: str) -> None:
    put_pictures()
    assert stack.http("POST", "/videos", named(simulator, key))[0] == 202


def test_an_upload_is_its_callers(stack: Cloud) -> None:
    uri = stack.http("POST", "/uploads", {"content_type": "image/png"})[2]["s3_uri"]
    assert uri.startswith(f"s3://pictures/{upload_prefix(CALLER)}")


@pytest.mark.parametrize(("key", "status"), [(THEIRS, "FAILED"), (SHARED, "SUCCEEDED")])
def test_an_event_names_shared_pictures_only(stack: Cloud, simulator: Simulator, key: str, status: str) -> None:
    put_pictures()
    detail = named(simulator, key)
    ended = stack.finish(
        stack.start({"id": "e-1", "source": "shop", "detail-type": "Video Generation Requested", "detail": detail})
    )
    assert (ended["status"], ended.get("error")) == (status, "ImageNotUsable" if status == "FAILED" else None)


@pytest.mark.parametrize("key", [THEIRS, SHARED])
def test_a_workflow_is_trusted(stack: Cloud, simulator: Simulator, key: str) -> None:
    put_pictures()
    assert stack.finish(stack.start(named(simulator, key)))["status"] == "SUCCEEDED"


def test_a_foreign_manifest_and_none_are_the_same_to_a_caller(stack: Cloud) -> None:
    theirs = f"{upload_prefix(BOB)}rows.csv"
    boto3.client("s3").put_object(Bucket="pictures", Key=theirs, Body=b"model\nm\n")
    answers = set()
    for key in (theirs, f"{upload_prefix(CALLER)}none.csv"):
        status, _, problem = stack.http("POST", "/batches", {"manifest": f"s3://pictures/{key}"})
        answers.add((status, json.dumps(problem).replace(key, "KEY")))
    assert [status for status, _ in answers] == [400]


def test_a_row_of_an_events_batch_names_shared_pictures_only(batches: BatchCloud, simulator: Simulator) -> None:
    rows = [named(simulator, key) | {"item_id": name} for name, key in (("theirs", THEIRS), ("shared", SHARED))]
    order = {"manifest": batches.manifest(rows), "batch_id": "b"}
    batches.run({"id": "e-1", "source": "shop", "detail-type": "Video Batch Requested", "detail": order})
    refused = [
        one["item_id"] for one in batches.results("b") if (one.get("error") or {}).get("code") == "ImageNotUsable"
    ]
    assert refused == ["theirs"]
    assert len(simulator.jobs()) == 1
