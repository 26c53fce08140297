"""Batches through both state machines, in moto's interpreter, against the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.batches.item import BatchItem
from tests.support.inprocess import Context
from tests.support.inprocess_batches import BatchCloud, batch_cloud
from tests.support.requests import png, request, rows

FORBIDDEN = "forbidden-word"


@pytest.fixture
def batches(simulator: Simulator) -> Iterator[BatchCloud]:
    with batch_cloud(simulator, max_polls=2) as made:
        yield made


def summary(ended: dict[str, Any]) -> dict[str, Any]:
    assert ended["status"] == "SUCCEEDED", ended
    return json.loads(ended["output"])


def counts(told: dict[str, Any]) -> tuple[int, int, int]:
    assert told["done"] + told["failed"] + told["skipped"] + told["not_run"] == told["items"]
    return told["done"], told["failed"], told["skipped"]


def test_a_manifest_becomes_videos_a_file_of_results_and_a_summary(batches: BatchCloud, simulator: Simulator) -> None:
    given = [*rows(simulator, "one", f"a {FORBIDDEN}", "three"), {"item_id": "bad", "model": "google/veo-3.1-lite"}]
    given[0]["metadata"] = {"order": "7"}
    told = summary(batches.run({"manifest": batches.manifest(given), "batch_id": "autumn"}))
    assert counts(told) == (2, 2, 0)
    assert told["failed_by_reason"] == {"InvalidRequest": 1, "ProviderRejected": 1}
    assert told["cost_usd"] == pytest.approx(sum(job["charged_usd"] for job in simulator.jobs()))
    results = batches.results("autumn")
    assert [(line["item_id"], line["status"]) for line in results] == [
        ("item-0", "done"),
        ("item-1", "failed"),
        ("item-2", "done"),
        ("bad", "failed"),
    ]
    assert results[0]["metadata"] == {"order": "7"}
    said = f"The prompt was refused by moderation: flagged for content_policy: flagged input: a {FORBIDDEN}"
    assert results[1]["error"]["provider_message"] == said
    video = results[0]["video"][0]
    assert boto3.client("s3").head_object(Bucket="clips", Key=video["key"])["ContentLength"] == video["bytes"]
    assert json.loads(batches.read("batches/autumn/summary.json")) == told
    [event] = [event for event in batches.stack.events() if "Batch" in event["detail-type"]]
    assert (event["detail-type"], event["detail"]) == ("Video Batch Completed", {"schema_version": "1"} | told)
    source = batches.stack.job(results[0]["job_id"])["source"]
    assert source == {"type": "batch", "batch_id": "autumn", "item_id": "item-0"}


def test_a_csv_with_pictures_in_its_folder(batches: BatchCloud, simulator: Simulator) -> None:
    for name in ("a.png", "b.png"):
        batches.put(f"shoot/pictures/{name}", png())
    table = "item_id,prompt,first_frame,metadata.sku\nA,slowly,pictures/a.png,7\nB,,./pictures/b.png,8\n"
    defaults = {"model": "google/veo-3.1-lite", "prompt": "by default", "duration": 4}
    told = summary(batches.run({"manifest": batches.put("shoot/rows.csv", table), "defaults": defaults}))
    assert counts(told) == (2, 0, 0)
    assert told["id"].startswith("bat_")
    assert sorted(job["request"]["prompt"] for job in simulator.jobs()) == ["by default", "slowly"]
    assert [line["metadata"] for line in batches.results(told["id"])] == [{"sku": "7"}, {"sku": "8"}]


def test_a_second_run_submits_only_what_has_failed(batches: BatchCloud, simulator: Simulator) -> None:
    given = rows(simulator, "one", "two", "three")
    simulator.settings(fail_with={"status": "failed", "error": "We do not animate this."})
    order = {"manifest": batches.manifest(given[:1]), "batch_id": "b"}
    assert counts(summary(batches.run(order))) == (0, 1, 0)
    simulator.settings(fail_with=None)
    order["manifest"] = batches.manifest(given)
    assert counts(summary(batches.run(order))) == (3, 0, 0)
    assert len(simulator.jobs()) == 4
    third = summary(batches.run(order))
    assert (counts(third), third["run"], third["cost_usd"]) == ((0, 0, 3), 3, 0)
    assert len(simulator.jobs()) == 4
    assert [line["attempt"] for line in batches.results("b")] == [2, 1, 1]
    assert all(line["video"] for line in batches.results("b"))


def test_what_timed_out_is_gone_on_with_and_not_paid_anew(batches: BatchCloud, simulator: Simulator) -> None:
    order = {"manifest": batches.manifest(rows(simulator, "one")), "batch_id": "b"}
    simulator.settings(polls_to_ready=3)
    first = summary(batches.run(order))
    assert first["failed_by_reason"] == {"PollingTimedOut": 1}
    assert counts(summary(batches.run(order))) == (1, 0, 0)
    assert len(simulator.jobs()) == 1
    assert batches.results("b")[0]["attempt"] == 1


def test_a_submit_whose_outcome_is_unknown_is_never_sent_again(batches: BatchCloud, simulator: Simulator) -> None:
    simulator.fault(on="submit", times=1, accept_then_lose=True)
    order = {"manifest": batches.manifest(rows(simulator, "one")), "batch_id": "b"}
    for _ in range(2):
        told = summary(batches.run(order))
        assert (counts(told), told["failed_by_reason"]) == ((0, 1, 0), {"SubmitOutcomeUnknown": 1})
    assert len(simulator.jobs()) == 1


def test_a_changed_row_is_not_answered_with_the_video_of_the_old_one(batches: BatchCloud, simulator: Simulator) -> None:
    order = {"manifest": batches.manifest(rows(simulator, "one")), "batch_id": "b"}
    batches.run(order)
    order["manifest"] = batches.manifest(rows(simulator, "another"))
    assert summary(batches.run(order))["failed_by_reason"] == {"IdempotencyConflict": 1}
    assert len(simulator.jobs()) == 1


def test_two_runs_at_the_same_moment_pay_an_attempt_once(batches: BatchCloud, simulator: Simulator) -> None:
    item = BatchItem("b", "item-0")

    def submit(number: int) -> Any:
        arn = f"arn:aws:states:eu-central-1:123456789012:execution:generate-video:run-{number}"
        data = {"batch": {"id": "b", "item_id": "item-0", "attempt": 1}, "request": request(simulator)}
        event = {"input": data, "execution_arn": arn, "interval": 30, "attempt": 1, "attempts": 10}
        try:
            return batches.stack.invoke("SubmitTaskFunction", event, Context())["id"]
        except Exception as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(submit, range(8)))
    assert len(simulator.jobs()) == 1
    assert set(answers) <= {item.job_id, "SubmitInProgress"}


def test_an_aborted_run_is_gone_on_with(batches: BatchCloud, simulator: Simulator) -> None:
    arn = "arn:aws:states:eu-central-1:123456789012:execution:generate-video:gone"
    data = {"batch": {"id": "b", "item_id": "item-0", "attempt": 1}, "request": request(simulator, prompt="one")}
    event = {"input": data, "execution_arn": arn, "interval": 30, "attempt": 1, "attempts": 10}
    batches.stack.invoke("SubmitTaskFunction", event)
    told = summary(batches.run({"manifest": batches.manifest(rows(simulator, "one")), "batch_id": "b"}))
    assert counts(told) == (1, 0, 0)
    assert len(simulator.jobs()) == 1


def test_a_batch_over_its_budget_is_refused_before_anything_is_paid(batches: BatchCloud, simulator: Simulator) -> None:
    order = {"manifest": batches.manifest(rows(simulator, "one", "two")), "batch_id": "b", "budget_usd": 0.2}
    ended = batches.run(order)
    assert (ended["status"], ended["error"]) == ("FAILED", "SpendLimitReached")
    assert "0.24 USD, 0.04 USD over the budget of 0.20 USD" in json.loads(ended["cause"])["message"]
    told = json.loads(batches.read("batches/b/summary.json"))
    assert (told["status"], told["error"]["code"]) == ("refused", "SpendLimitReached")
    assert [event["detail-type"] for event in batches.stack.events()] == ["Video Batch Failed"]
    assert simulator.jobs() == []
    assert counts(summary(batches.run(order | {"budget_usd": 0.24}))) == (2, 0, 0)


def test_a_repeated_item_id_refuses_the_batch(batches: BatchCloud, simulator: Simulator) -> None:
    given = rows(simulator, "one", "two") + rows(simulator, "three")
    ended = batches.run({"manifest": batches.manifest(given)})
    assert ended["error"] == "InvalidRequest"
    assert "'item-0'" in ended["cause"]
    assert simulator.jobs() == []


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"manifest": "s3://pictures/no/such.csv"}, "There is no manifest"),
        ({"manifest": "s3://pictures/empty.csv"}, "has no rows"),
        ({"manifest": "s3://pictures/empty.csv", "batch_id": "in"}, "#/batch_id"),
        ({"manifest": "s3://pictures/empty.csv", "max_concurrency": 0}, "#/max_concurrency"),
        ({}, "#/manifest"),
        ([], "not a JSON object"),
    ],
)
def test_an_order_that_cannot_run_is_refused_by_name(batches: BatchCloud, order: Any, told: str) -> None:
    batches.put("empty.csv", "model,prompt\n")
    ended = batches.run(order)
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest")
    assert told in ended["cause"]
    assert [event["detail-type"] for event in batches.stack.events()] == ["Video Batch Failed"]


def dropped(key: str, etag: str) -> dict[str, Any]:
    found = {"key": key, "size": 3, "etag": etag, "sequencer": "01"}
    detail = {"bucket": {"name": "pictures"}, "object": found}
    return {"id": "e", "detail-type": "Object Created", "source": "aws.s3", "detail": detail}


def drop(batches: BatchCloud, key: str, body: str) -> dict[str, Any]:
    etag = boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=body)["ETag"].strip('"')
    return dropped(key, etag)


def test_a_dropped_manifest_delivered_twice_is_one_batch(batches: BatchCloud, simulator: Simulator) -> None:
    event = drop(batches, "batches/in/rows.jsonl", json.dumps(rows(simulator, "one")[0]))
    first = summary(batches.run(event))
    again = summary(batches.run(event))
    assert counts(first) == (1, 0, 0)
    assert (again["outcome"], again["id"]) == ("duplicate", first["id"])
    assert len(simulator.jobs()) == 1


def test_a_dropped_manifest_that_is_refused_leaves_a_note(batches: BatchCloud) -> None:
    ended = batches.run(drop(batches, "batches/in/new/rows.csv", "colour\nred\n"))
    assert ended["status"] == "FAILED"
    note = boto3.client("s3").get_object(Bucket="pictures", Key="failed/batches/in/new/rows.csv.json")["Body"].read()
    assert json.loads(note)["code"] == "InvalidRequest"


@pytest.mark.parametrize("key", ["batches/in/a.png", "batches/autumn/items.jsonl", "uploads/rows.csv"])
def test_what_is_no_dropped_manifest_starts_nothing(batches: BatchCloud, key: str) -> None:
    assert summary(batches.run(dropped(key, "e")))["outcome"] == "ignored"


def test_a_manifest_that_was_replaced_is_not_taken_for_the_old_one(batches: BatchCloud, simulator: Simulator) -> None:
    event = drop(batches, "batches/in/rows.jsonl", json.dumps(rows(simulator, "one")[0]))
    drop(batches, "batches/in/rows.jsonl", json.dumps(rows(simulator, "two")[0]))
    ended = batches.run(event)
    assert ended["error"] == "InvalidRequest"
    assert "was replaced" in ended["cause"]
    assert simulator.jobs() == []


def test_a_batch_requested_on_the_bus_runs_once_whatever_the_deliveries(
    batches: BatchCloud, simulator: Simulator
) -> None:
    detail = {"manifest": batches.manifest(rows(simulator, "one")), "batch_id": "b"}
    event = {"id": "7b1d", "detail-type": "Video Batch Requested", "source": "shop", "detail": detail}
    assert counts(summary(batches.run(event))) == (1, 0, 0)
    assert summary(batches.run(event))["outcome"] == "duplicate"
    assert counts(summary(batches.run(event | {"id": "7b1e"}))) == (0, 0, 1)
    # Also where another event has ordered a run since: what had failed would be paid again.
    assert summary(batches.run(event))["outcome"] == "duplicate"
    assert summary(batches.run(event | {"id": "7b1e"}))["outcome"] == "duplicate"
    assert len(simulator.jobs()) == 1
