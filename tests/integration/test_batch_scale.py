"""Five thousand items, step by step: what travels through the workflow's state does not grow with their number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from tests.support.inprocess import ACCOUNT, REGION, Cloud

ITEMS = 5000
ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:generate-batch:one"
STATE_LIMIT = 262_144
PREPARED = ("outcome", "id", "run", "owner", "bucket", "items_key", "max_concurrency", "tolerated_failure_percentage")


def put_manifest(count: int) -> str:
    row = {"model": "google/veo-3.1-lite", "duration": 4, "first_frame": "still.png"}
    lines = (json.dumps(row | {"item_id": f"item-{at}", "prompt": "x" * (at % 400 + 1)}) for at in range(count))
    body = "\n".join(lines)
    boto3.client("s3").put_object(Bucket="pictures", Key=f"shared/{count}.jsonl", Body=body)
    return f"s3://pictures/shared/{count}.jsonl"


def prepare(stack: Cloud, count: int) -> dict[str, Any]:
    order = {"manifest": put_manifest(count), "batch_id": f"b{count}", "budget_usd": 100_000}
    return stack.invoke("PrepareBatchFunction", {"input": order, "execution_arn": ARN})


def lines(key: str) -> Iterator[dict[str, Any]]:
    body = boto3.client("s3").get_object(Bucket="clips", Key=key)["Body"]
    return (json.loads(line) for line in body.iter_lines())


def finish_items(stack: Cloud, batch: dict[str, Any], count: int) -> None:
    """Put outcomes on record for all items: every tenth failed."""
    table = boto3.resource("dynamodb").Table("batches")
    with table.batch_writer() as writer:
        for line in lines(batch["items_key"]):
            outcome = {"row": line["row"], "item_id": line["item_id"], "status": "done", "cost_usd": 0.12}
            if line["row"] % 10 == 0:
                outcome |= {"status": "failed", "error": {"code": "GenerationFailed", "message": "no"}}
            entry = f"0001#{line['row']:08}"
            writer.put_item(Item={"id": batch["id"], "entry": entry, "data": json.dumps(outcome)})


def collect(stack: Cloud, batch: dict[str, Any]) -> dict[str, Any]:
    state = {"input": {}, "prepared": {"batch": batch}}
    return stack.invoke("CollectBatchFunction", {"state": state, "execution_arn": ARN})


def test_batch_state_does_not_grow_with_the_number_of_items(stack: Cloud, simulator: Simulator) -> None:
    sizes = []
    for count in (5, ITEMS):
        batch = prepare(stack, count)
        assert (batch["outcome"], set(batch)) == ("prepared", set(PREPARED))
        largest = 0
        names = set()
        for number, line in enumerate(lines(batch["items_key"]), start=1):
            assert line["row"] == number
            names.add(line["execution"])
            largest = max(largest, len(json.dumps({"batch": batch, "item": line})))
        assert len(names) == count
        assert max(map(len, names)) <= 80
        assert largest < STATE_LIMIT / 100
        finish_items(stack, batch, count)
        ended = collect(stack, batch)
        told = ended["summary"]
        assert (told["items"], told["done"], told["failed"]) == (count, count - count // 10, count // 10)
        assert told["cost_usd"] == pytest.approx(0.12 * count)
        results = list(lines(f"batches/b{count}/results.jsonl"))
        assert [line["row"] for line in results] == list(range(1, count + 1))
        sizes.append(len(json.dumps({"prepared": batch, "collected": ended})))
    assert sizes[1] < sizes[0] + 100
    assert simulator.jobs() == []
