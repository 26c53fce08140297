"""What the batch functions make of their sample events."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import boto3

from stillmotion import wiring
from stillmotion.batches.item import BatchItem
from stillmotion.batches.order import parse_order
from stillmotion.batches.record import Batch, BatchStatus, Manifest
from stillmotion.generation.submit import Origin
from stillmotion.requests.video_request import VideoRequest
from stillmotion.settings import BatchesSettings, DeliverSettings, SubmitSettings, load
from tests.support.events import sample
from tests.support.inprocess import ROLE

if TYPE_CHECKING:
    from tests.integration.house import Check, House

ROWS = """\
item_id,model,prompt
SKU-1,google/veo-3.1-lite,a slow push in
SKU-2,google/veo-3.1-lite,a slow pull out
SKU-3,google/veo-3.1-lite,
"""
BATCH = "autumn"
CALLER = sample("batches-create")["requestContext"]["identity"]["userArn"]


def manifest(house: House) -> None:
    """The manifest lies where the samples say, and a machine for batches that does nothing."""
    for key in ("shared/autumn.csv", "batches/in/autumn.csv"):
        boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=ROWS)
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    boto3.client("stepfunctions").create_state_machine(name="generate-batch", definition=definition, roleArn=ROLE)


def prepared(house: House) -> None:
    """The samples' batch is on record, at work."""
    manifest(house)
    given = sample("prepare_batch-order")
    found = Manifest(bucket="pictures", key="shared/autumn.csv", etag="e")
    order = parse_order(given["input"] | {"tolerated_failure_percentage": 5})
    batch = Batch(id=BATCH, order=order, manifest=found, execution_arn=given["execution_arn"], owner=CALLER)
    store = _store()
    assert store.claim(batch)
    store.save(batch.changed(status=BatchStatus.RUNNING, items=3, prepared={"to_run": 2, "skipped": 0, "failed": 1}))
    store.record(BATCH, 1, [{"row": 3, "item_id": "SKU-3", "status": "failed", "error": {"code": "InvalidRequest"}}])


def _job(house: House) -> str:
    line = sample("record_item-generated")["state"]["item"]
    item = BatchItem(BATCH, line["item_id"])
    arn = sample("record_item-generated")["state"]["generated"]["execution_arn"]
    submission = wiring.submission(load(SubmitSettings, os.environ))
    request = VideoRequest.model_validate(line["request"])
    job = submission.accept(request, item.job_id, Origin(item.source, None, arn)).job
    return submission.submit(job).id


def generated(house: House) -> None:
    """The first item's video is stored."""
    prepared(house)
    wiring.delivery(load(DeliverSettings, os.environ)).deliver(_job(house))


def undelivered(house: House) -> None:
    """The first item was submitted, and its workflow has died."""
    prepared(house)
    _job(house)


def collected(house: House) -> None:
    """Both items of the samples' batch are recorded."""
    prepared(house)
    _store().record(BATCH, 1, [{"row": row, "item_id": str(row), "status": "done", "cost_usd": 0.5} for row in (1, 2)])


def _store() -> Any:
    return wiring.batch_store(load(BatchesSettings, os.environ).batch_table_name)


def http(wanted: int, **expected: Any) -> Check:
    """A check of an HTTP answer: its status, and fields of its body."""

    def check(house: House, answer: Any) -> None:
        body = json.loads(answer["body"])
        assert answer["statusCode"] == wanted, body
        assert {name: body.get(name) for name in expected} == expected

    return check


def task(**expected: Any) -> Check:
    """A check of fields of a task's answer; nothing is paid by it."""

    def check(house: House, answer: Any) -> None:
        assert {name: answer.get(name) for name in expected} == expected
        assert len(house.simulator.jobs()) <= 1

    return check


def outcome(status: str, code: str) -> Check:
    """A check of what is recorded of an item."""

    def check(house: House, answer: Any) -> None:
        assert (answer["status"], answer["error"]) == (status, code)
        [first, _third] = _store().outcomes(BATCH, 1)
        assert (first["item_id"], first["status"], first.get("error", {}).get("code", "")) == ("SKU-1", status, code)

    return check


def ended(status: str, error: str, **summary: Any) -> Check:
    """A check of how a batch ended: its answer, its files, its event, and what the API shows."""

    def check(house: House, answer: Any) -> None:
        assert (answer["status"], answer["error"]) == (status, error)
        assert summary.items() <= answer["summary"].items()
        stored = boto3.client("s3").get_object(Bucket="clips", Key=f"batches/{BATCH}/summary.json")["Body"].read()
        assert json.loads(stored) == answer["summary"]
        [event] = house.stack.events()
        kind = "Completed" if status == "completed" else "Failed"
        assert event["detail-type"] == f"Video Batch {kind}"
        assert event["detail"] == {"schema_version": "1"} | answer["summary"]
        _, _, shown = house.stack.http("GET", f"/batches/{BATCH}", caller=CALLER)
        assert (shown["status"], shown["counts"]["done"]) == (status, summary["done"])

    return check


ready = task(outcome="prepared", run=1, bucket="clips", max_concurrency=10)
BATCH_CASES: dict[str, tuple[Any, Check]] = {
    "batches-create": (manifest, http(202, id=BATCH, run=1, status="preparing")),
    "batches-unknown_field": (manifest, http(400, code="InvalidRequest")),
    "batches-show": (prepared, http(200, id=BATCH, items=3, status="aborted")),
    "prepare_batch-order": (manifest, ready),
    "prepare_batch-batch_requested": (manifest, ready),
    "prepare_batch-over_budget": (manifest, task(outcome="refused", id=BATCH)),
    "prepare_batch-dropped_manifest": (manifest, task(outcome="prepared", run=1, max_concurrency=20)),
    "record_item-generated": (generated, outcome("done", "")),
    "record_item-failed": (undelivered, outcome("failed", "JobStateConflict")),
    "collect_batch-completed": (collected, ended("completed", "", items=3, done=2, failed=1, cost_usd=1.0)),
    "collect_batch-too_many_failed": (collected, ended("stopped", "BatchStopped", done=2)),
}
