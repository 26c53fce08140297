"""``POST /batches`` and ``GET /batches/{id}``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.batches.record import Manifest
from tests.support.inprocess import ACCOUNT, CALLER, OPERATOR
from tests.support.inprocess_batches import BatchCloud, batch_cloud
from tests.support.requests import rows

BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"


@pytest.fixture
def batches(simulator: Simulator) -> Iterator[BatchCloud]:
    with batch_cloud(simulator) as made:
        yield made


def order(batches: BatchCloud, order: dict[str, Any], caller: str | None = None) -> tuple[int, dict[str, Any]]:
    status, headers, body = batches.stack.http("POST", "/batches", order, **({"caller": caller} if caller else {}))
    if status in (200, 202):
        assert headers["Location"] == f"/batches/{body['id']}"
    return status, body


def finish(batches: BatchCloud, body: dict[str, Any]) -> dict[str, Any]:
    batches.stack.finish(body["execution_arn"])
    status, headers, shown = batches.stack.http("GET", f"/batches/{body['id']}")
    assert (status, headers.get("Retry-After")) == (200, None)
    return shown


def test_a_batch_is_started_followed_and_run_again(batches: BatchCloud, simulator: Simulator) -> None:
    manifest = batches.manifest(rows(simulator, "one", "a forbidden-word"))
    status, body = order(batches, {"manifest": manifest, "max_concurrency": 2, "batch_id": "autumn"})
    assert (status, body["id"], body["run"], body["status"]) == (202, "autumn", 1, "preparing")
    assert body["execution_arn"].endswith(":execution:generate-batch:autumn-1")
    shown = finish(batches, body)
    assert (shown["status"], shown["items"]) == ("completed", 2)
    assert shown["counts"] == {"pending": 0, "running": 0, "done": 1, "failed": 1, "skipped": 0, "not_run": 0}
    assert shown["failed_by_reason"] == {"ProviderRejected": 1}
    assert (shown["estimated_cost_usd"], shown["cost_usd"]) == (0.24, 0.12)
    assert shown["results"] == "s3://clips/batches/autumn/results.jsonl"
    assert urlsplit(shown["results_url"]).path.endswith("/batches/autumn/results.jsonl")
    assert "X-Amz-Signature" in shown["results_url"] or "Signature=" in shown["results_url"]
    assert body["results_url"] is None

    status, again = order(batches, {"manifest": manifest, "batch_id": "autumn"})
    assert (status, again["run"]) == (202, 2)
    assert finish(batches, again)["counts"]["skipped"] == 1
    assert len(simulator.jobs()) == 1


def test_the_same_version_of_a_manifest_is_the_same_batch(batches: BatchCloud, simulator: Simulator) -> None:
    manifest = batches.manifest(rows(simulator, "one"))
    _, body = order(batches, {"manifest": manifest})
    finish(batches, body)
    status, again = order(batches, {"manifest": manifest})
    assert (status, again["id"], again["run"], again["status"]) == (200, body["id"], 1, "completed")
    batches.manifest(rows(simulator, "two"))
    status, other = order(batches, {"manifest": manifest})
    assert status == 202
    assert other["id"] != body["id"]
    finish(batches, other)


def test_a_batch_under_way_is_answered_as_it_is(batches: BatchCloud, simulator: Simulator) -> None:
    manifest = batches.manifest(rows(simulator, *("one", "two", "three")))
    answers = [order(batches, {"manifest": manifest, "batch_id": "b"}) for _ in range(3)]
    assert {status for status, _ in answers} == {202}
    assert {body["execution_arn"] for _, body in answers} == {answers[0][1]["execution_arn"]}
    finish(batches, answers[0][1])


def test_a_foreign_batch_is_not_found_and_not_rerun(batches: BatchCloud, simulator: Simulator) -> None:
    manifest = batches.manifest(rows(simulator, "one"))
    _, body = order(batches, {"manifest": manifest, "batch_id": "b"})
    finish(batches, body)
    assert batches.stack.http("GET", "/batches/b", caller=BOB)[2]["code"] == "BatchNotFound"
    status, refused = order(batches, {"manifest": manifest, "batch_id": "b"}, caller=BOB)
    assert (status, refused["code"]) == (409, "JobStateConflict")
    [line] = batches.results("b")
    assert batches.stack.http("GET", f"/videos/{line['job_id']}")[0] == 200
    assert batches.stack.http("GET", f"/videos/{line['job_id']}", caller=BOB)[0] == 404


def test_one_manifest_ordered_by_two_callers_is_two_batches(batches: BatchCloud, simulator: Simulator) -> None:
    manifest = batches.manifest(rows(simulator, "one"))
    dropped = batches.run({"manifest": manifest})
    assert dropped["status"] == "SUCCEEDED"
    ids = set()
    for caller in (CALLER, BOB):
        status, body = order(batches, {"manifest": manifest}, caller=caller)
        assert (status, body["run"]) == (202, 1)
        batches.stack.finish(body["execution_arn"])
        status, again = order(batches, {"manifest": manifest}, caller=caller)
        assert (status, again["id"], again["run"]) == (200, body["id"], 1)
        assert batches.stack.http("GET", f"/batches/{body['id']}", caller=caller)[0] == 200
        ids.add(body["id"])
    assert len(ids) == 2
    assert len(simulator.jobs()) == 3


def test_a_batch_under_the_id_of_earlier_releases_is_known_again(batches: BatchCloud, simulator: Simulator) -> None:
    """Its rows are paid: another id for it would pay them again."""
    manifest = batches.manifest(rows(simulator, "one"))
    etag = boto3.client("s3").head_object(Bucket="pictures", Key="shared/rows.jsonl")["ETag"].strip('"')
    earlier = Manifest(bucket="pictures", key="shared/rows.jsonl", etag=etag).batch_id()
    finish(batches, order(batches, {"manifest": manifest, "batch_id": earlier})[1])
    status, again = order(batches, {"manifest": manifest})
    assert (status, again["id"], again["status"]) == (200, earlier, "completed")
    status, other = order(batches, {"manifest": manifest}, caller=BOB)
    assert (status, other["run"]) == (202, 1)
    assert other["id"] != earlier
    batches.stack.finish(other["execution_arn"])


def test_a_batch_without_an_owner_is_run_again_by_operators_only(batches: BatchCloud, simulator: Simulator) -> None:
    key = "batches/in/autumn.jsonl"
    manifest = batches.manifest(rows(simulator, "one", "a forbidden-word"), key)
    assert batches.run({"manifest": manifest, "batch_id": "b"})["status"] == "SUCCEEDED"
    for caller in (CALLER, BOB):
        shown = batches.stack.http("GET", "/batches/b", caller=caller)
        assert (shown[0], shown[2]["run"]) == (200, 1)
    mine = batches.manifest(rows(simulator, "three"))
    status, refused = order(batches, {"manifest": mine, "batch_id": "b"}, caller=BOB)
    assert (status, refused["code"]) == (403, "OperatorsOnly")
    assert "only operators (OperatorRoleArns) run it again" in refused["detail"]

    # The operator names the manifest where it is: the batch's own rules hold for it, and it stays without an owner.
    status, again = order(batches, {"manifest": manifest, "batch_id": "b"}, caller=OPERATOR)
    assert (status, again["run"]) == (202, 2)
    batches.stack.finish(again["execution_arn"])
    shown = batches.stack.http("GET", "/batches/b", caller=BOB)
    assert (shown[0], shown[2]["run"], shown[2]["counts"]["skipped"]) == (200, 2, 1)
    assert len(simulator.jobs()) == 1
    assert batches.stack.http("GET", f"/videos/{batches.results('b')[0]['job_id']}", caller=BOB)[0] == 200


def test_an_ended_batch_stays_its_owners(batches: BatchCloud, simulator: Simulator) -> None:
    manifest = batches.manifest(rows(simulator, "one"))
    finish(batches, order(batches, {"manifest": manifest, "batch_id": "b"})[1])
    by_event = {"id": "e", "detail-type": "Video Batch Requested", "source": "shop"}
    asked = {"manifest": manifest, "batch_id": "b"}
    for given in (asked, by_event | {"detail": asked}):
        ended = batches.run(given)
        assert ended["status"] == "FAILED"
        assert "belongs to another caller" in ended["cause"]
    assert batches.stack.http("GET", "/batches/b")[2]["run"] == 1
    assert batches.stack.http("GET", "/batches/b", caller=BOB)[0] == 404


def test_a_refused_batch_says_why_and_can_be_ordered_again(batches: BatchCloud, simulator: Simulator) -> None:
    manifest = batches.manifest(rows(simulator, "one"))
    _, body = order(batches, {"manifest": manifest, "budget_usd": 0.01})
    shown = finish(batches, body)
    assert (shown["status"], shown["error"]["code"]) == ("refused", "SpendLimitReached")
    status, again = order(batches, {"manifest": manifest, "budget_usd": 1})
    assert (status, again["id"], again["run"]) == (202, body["id"], 2)
    assert finish(batches, again)["status"] == "completed"


def nested(depth: int) -> Any:
    """A list in a list, so many times."""
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({}, "#/manifest"),
        ({"manifest": "rows.csv"}, "#/manifest"),
        ({"manifest": "s3://pictures/x.csv", "colour": "red"}, "#/colour"),
        ({"manifest": "s3://pictures/x.csv", "batch_id": "a/b"}, "#/batch_id"),
        ({"manifest": "s3://pictures/x.csv", "max_concurrency": 1001}, "#/max_concurrency"),
        ({"manifest": "s3://pictures/x.csv", "tolerated_failure_percentage": 101}, "#/tolerated_failure_percentage"),
        ({"manifest": "s3://pictures/x.csv", "budget_usd": 0}, "#/budget_usd"),
        ({"manifest": "s3://pictures/x.csv", "defaults": {"item_id": "a"}}, "#/defaults"),
        ({"manifest": "s3://pictures/x.csv", "defaults": {"prompt": "x" * 20_000}}, "#/defaults"),
        ({"manifest": "s3://pictures/x.csv", "defaults": {"trace": {"a": nested(200)}}}, "#/defaults"),
    ],
)
def test_an_order_that_will_not_do_is_refused_by_name(batches: BatchCloud, given: Any, pointer: str) -> None:
    status, body = order(batches, given)
    assert (status, body["code"]) == (400, "InvalidRequest"), body
    assert pointer in [fault["pointer"] for fault in body["errors"]]


def test_a_field_that_an_order_does_not_have_is_told_the_orders_own(batches: BatchCloud) -> None:
    _, body = order(batches, {"manifest": "s3://pictures/x.csv", "concurrency": 5})
    assert "max_concurrency" in body["detail"]
    assert "aspect_ratio" not in body["detail"]


def test_a_manifest_that_is_not_there_is_refused_at_once(batches: BatchCloud) -> None:
    status, body = order(batches, {"manifest": "s3://pictures/no.csv"})
    assert (status, body["code"]) == (400, "InvalidRequest")
    assert "There is no manifest" in body["detail"]


def test_an_unknown_batch_is_not_found(batches: BatchCloud) -> None:
    status, _, body = batches.stack.http("GET", "/batches/no-such")
    assert (status, body["code"]) == (404, "BatchNotFound")
    assert "no-such" in json.dumps(body)
