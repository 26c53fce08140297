"""What an execution of the batch machine was started with."""

from __future__ import annotations

from typing import Any

import pytest

from stillmotion.batches.open import Ordered
from stillmotion.batches.order import parse_order
from stillmotion.batches.record import Batch, Manifest
from stillmotion.stepfunctions.batch_input import (
    HandedOverBatch,
    NotAManifest,
    UnreadableOrder,
    hand_over_batch,
    read_batch_input,
)

ORDER = {"manifest": "s3://pictures/shared/rows.csv", "batch_id": "autumn", "tolerated_failure_percentage": 5}


def dropped(key: str = "batches/in/rows.csv", **found: Any) -> dict[str, Any]:
    detail = {"bucket": {"name": "pictures"}, "object": {"key": key, "etag": "e", "version-id": "v"} | found}
    return {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}


def test_what_is_handed_over_is_read_back_as_such() -> None:
    manifest = Manifest(bucket="b", key="k", etag="e")
    batch = Batch(id="autumn", order=parse_order(ORDER), manifest=manifest, execution_arn="arn:e")
    assert hand_over_batch(batch) == {"batch": {"id": "autumn", "run": 1}}
    assert read_batch_input(hand_over_batch(batch)) == HandedOverBatch("autumn")


def test_an_order_comes_from_a_workflow_or_from_the_bus() -> None:
    order = parse_order(ORDER)
    assert (order.batch_id, order.tolerated_failure_percentage, order.defaults) == ("autumn", 5.0, {})
    assert read_batch_input(ORDER) == Ordered(order)
    event = {"detail-type": "Video Batch Requested", "source": "shop", "id": "e-1", "detail": ORDER}
    assert read_batch_input(event) == Ordered(order, delivery="e-1", source="event")


def test_a_dropped_manifest_is_an_order_of_that_version() -> None:
    asked = read_batch_input(dropped())
    assert isinstance(asked, Ordered)
    assert asked.order.manifest == "s3://pictures/batches/in/rows.csv"
    assert asked.manifest == Manifest(bucket="pictures", key="batches/in/rows.csv", etag="e", version="v")


@pytest.mark.parametrize("key", ["batches/in/notes.txt", "batches/out/rows.csv", "rows.csv"])
def test_another_object_is_no_manifest(key: str) -> None:
    assert read_batch_input(dropped(key)) == NotAManifest()


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], 7, "s3://b/k", {}, {"batch": {"id": 7}}, {"manifest": "rows.csv"}, ORDER | {"batch_id": "in"}),
        *(ORDER | {"unknown": 1}, ORDER | {"defaults": {"item_id": "x"}}, ORDER | {"max_concurrency": 0}),
        *({"detail-type": "Video Batch Requested", "detail": None}, dropped() | {"detail": {}}),
        *(dropped(**{"version-id": 7}), dropped() | {"detail": {"bucket": "b", "object": {}}}),
    ],
)
def test_what_cannot_be_read_is_a_refusal(data: Any) -> None:
    found = read_batch_input(data)
    assert isinstance(found, UnreadableOrder)
    assert found.error.detail
