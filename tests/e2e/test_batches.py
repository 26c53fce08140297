"""Batches on the deployed local stack, through every door."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.cloud import LocalCloud
from local.paths import SAMPLE
from stillmotion.batches.record import Manifest
from stillmotion_cli.client import ApiClient
from stillmotion_cli.stack import Stack
from tests.e2e.support import MODEL, SimulatorControl

ITEMS = 200
AT_A_TIME = 4
BATCH_TIMEOUT = 240
EVENT_TIMEOUT = 90
FORBIDDEN = "forbidden-word"


@pytest.fixture
def quick(simulator: SimulatorControl) -> Iterator[SimulatorControl]:
    """Clips that are small and done at once."""
    with simulator.settings(clip="tiny", seconds_to_ready=0, seconds_pending=0):
        yield simulator


@pytest.fixture(scope="module")
def put(stack: Stack) -> Callable[[str, str], str]:
    """Puts an object into the input bucket; answers its address."""
    s3 = stack.client("s3")
    s3.put_object(Bucket=stack.input_bucket, Key="batches/in/still.jpg", Body=SAMPLE.read_bytes())
    s3.put_object(Bucket=stack.input_bucket, Key="shared/still.jpg", Body=SAMPLE.read_bytes())

    def put(key: str, body: str) -> str:
        s3.put_object(Bucket=stack.input_bucket, Key=key, Body=body)
        return f"s3://{stack.input_bucket}/{key}"

    return put


def lines(prompts: list[str], **more: Any) -> str:
    row = {"model": MODEL, "duration": 4, "resolution": "720p", "first_frame": "still.jpg", **more}
    rows = [row | {"item_id": f"item-{at}", "prompt": prompt} for at, prompt in enumerate(prompts)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def finish(client: ApiClient, batch_id: str, seconds: float = BATCH_TIMEOUT) -> dict[str, Any]:
    """The batch once it has ended."""
    deadline = time.monotonic() + seconds
    while True:
        shown = client.batch(batch_id)
        if shown["status"] not in ("preparing", "running"):
            return shown
        assert time.monotonic() < deadline, shown
        time.sleep(0.5)


def counts(shown: dict[str, Any]) -> tuple[str, int, int, int]:
    found = shown["counts"]
    return shown["status"], found["done"], found["failed"], found["skipped"]


@pytest.mark.timeout(600)
def test_two_hundred_items_end_as_planned_and_a_rerun_submits_failed_ones(
    stack: Stack, quick: SimulatorControl, put: Callable[[str, str], str], cloud: LocalCloud
) -> None:
    planned = ITEMS // 10
    prompts = [f"clip {at}" + (f" {FORBIDDEN}" if at % 10 == 7 else "") for at in range(ITEMS)]
    manifest = put("shared/two-hundred.jsonl", lines(prompts))
    client = ApiClient(stack)
    order = {"manifest": manifest, "batch_id": "two-hundred", "max_concurrency": AT_A_TIME, "budget_usd": 100}
    paid = len(quick.jobs())

    started = client.start_batch(order)
    assert started["run"] == 1
    first = finish(client, "two-hundred")
    assert counts(first) == ("completed", ITEMS - planned, planned, 0)
    assert first["failed_by_reason"] == {"ProviderRejected": planned}
    assert len(quick.jobs()) - paid == ITEMS - planned
    assert first["cost_usd"] == pytest.approx(sum(job["charged_usd"] for job in quick.jobs()[paid:]))
    event = cloud.events.wait_for("Video Batch Completed", "two-hundred", EVENT_TIMEOUT)
    assert event["detail"]["done"] == ITEMS - planned

    with quick.settings(moderation_word=None):
        assert client.start_batch(order)["run"] == 2
        second = finish(client, "two-hundred")
    assert counts(second) == ("completed", planned, 0, ITEMS - planned)
    assert len(quick.jobs()) - paid == ITEMS

    results = results_of(stack, second)
    assert [line["item_id"] for line in results] == [f"item-{at}" for at in range(ITEMS)]
    stored = {video["key"] for line in results for video in line["video"]}
    assert len(stored) == ITEMS
    listed = stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=stack.output_bucket, Prefix="videos/")
    assert stored <= {found["Key"] for page in listed for found in page["Contents"]}


def results_of(stack: Stack, shown: dict[str, Any]) -> list[dict[str, Any]]:
    bucket, _, key = shown["results"].removeprefix("s3://").partition("/")
    body = stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return [json.loads(line) for line in body.splitlines()]


def test_a_manifest_dropped_into_its_folder_is_a_batch(
    stack: Stack, quick: SimulatorControl, put: Callable[[str, str], str], cloud: LocalCloud
) -> None:
    table = f"item_id,model,prompt,duration,first_frame\nA,{MODEL},slowly,4,still.jpg\nB,{MODEL},fast,5,still.jpg\n"
    put("batches/in/autumn.csv", table)
    etag = stack.client("s3").head_object(Bucket=stack.input_bucket, Key="batches/in/autumn.csv")["ETag"].strip('"')
    batch_id = Manifest(bucket=stack.input_bucket, key="batches/in/autumn.csv", etag=etag).batch_id()
    event = cloud.events.wait_for("Video Batch Completed", batch_id, EVENT_TIMEOUT)
    assert (event["detail"]["done"], event["detail"]["failed"]) == (1, 1)
    assert event["detail"]["failed_by_reason"] == {"UnsupportedByModel": 1}
    shown = ApiClient(stack).batch(batch_id)
    assert [line["status"] for line in results_of(stack, shown)] == ["done", "failed"]


def test_a_batch_is_requested_on_the_bus_and_stopped_when_too_many_fail(
    stack: Stack, quick: SimulatorControl, put: Callable[[str, str], str], cloud: LocalCloud
) -> None:
    address = put("shared/mostly-bad.jsonl", lines([FORBIDDEN, FORBIDDEN, "good"]))
    detail = {
        "manifest": address,
        "batch_id": "mostly-bad",
        "tolerated_failure_percentage": 50,
        "max_concurrency": AT_A_TIME,
    }
    entry = {
        "EventBusName": stack.event_bus_name,
        "Source": "shop.catalogue",
        "DetailType": "Video Batch Requested",
        "Detail": json.dumps(detail),
    }
    assert stack.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    event = cloud.events.wait_for("Video Batch Failed", "mostly-bad", EVENT_TIMEOUT)
    assert (event["detail"]["status"], event["detail"]["error"]["code"]) == ("stopped", "BatchStopped")
    assert (event["detail"]["done"], event["detail"]["failed"]) == (1, 2)


def test_a_batch_over_its_budget_starts_nothing(
    stack: Stack, quick: SimulatorControl, put: Callable[[str, str], str]
) -> None:
    paid = len(quick.jobs())
    client = ApiClient(stack)
    order = {"manifest": put("shared/dear.jsonl", lines(["one", "two"])), "batch_id": "dear", "budget_usd": 0.01}
    client.start_batch(order)
    shown = finish(client, "dear")
    assert (shown["status"], shown["error"]["code"]) == ("refused", "SpendLimitReached")
    assert len(quick.jobs()) == paid
