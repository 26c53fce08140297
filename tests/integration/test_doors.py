"""The doors without an HTTP client: dropped objects and events, as the rules hand them to the state machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from tests.support.inprocess import Cloud
from tests.support.requests import dropped, png, request, requested


def drop(stack: Cloud, key: str, body: bytes | None = None, **metadata: str) -> dict[str, Any]:
    """Put an object and run what its event starts; the execution's description."""
    boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=body or png(), Metadata=metadata)
    return stack.finish(stack.start(dropped(key)))


def objects(bucket: str, prefix: str) -> list[str]:
    """The keys in a bucket below a prefix."""
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [found["Key"] for found in listed.get("Contents", [])]


def note(bucket: str, key: str) -> dict[str, Any]:
    """A JSON object in S3."""
    read: dict[str, Any] = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    return read


@pytest.mark.parametrize("name", ["still.jpg", "my picture.PNG", "a+b.webp", "Käsekuchen 🍰.jpeg", "in/a/folder.jpg"])
def test_a_dropped_picture_becomes_a_video_with_a_note_beside_it(stack: Cloud, simulator: Simulator, name: str) -> None:
    ended = drop(stack, f"drop/{name}", prompt="a slow push in", **{"metadata-order": "7"})
    assert ended["status"] == "SUCCEEDED", ended
    job_id = json.loads(ended["output"])["id"]
    assert objects("clips", "videos/") == [f"videos/{job_id}.json", f"videos/{job_id}.mp4"]
    told = note("clips", f"videos/{job_id}.json")
    assert told["source"] == {
        "type": "drop",
        "bucket": "pictures",
        "key": f"drop/{name}",
        "version": f"{hashlib.md5(png()).hexdigest()}-01",
    }
    assert told["request"]["prompt"] == "a slow push in"
    assert told["metadata"] == {"order": "7"}
    assert told["video"][0]["checksum"].startswith("sha256:")
    assert [job["request"]["prompt"] for job in simulator.jobs()] == ["a slow push in"]


def test_a_picture_that_says_nothing_gets_the_stacks_defaults(stack: Cloud, simulator: Simulator) -> None:
    assert drop(stack, "drop/still.jpg")["status"] == "SUCCEEDED"
    [paid] = simulator.jobs()
    assert (paid["model"], paid["request"]["duration"]) == ("google/veo-3.1-lite", 4)


def test_what_the_picture_says_beats_the_file_beside_it_beats_the_defaults(stack: Cloud, simulator: Simulator) -> None:
    settings = {"prompt": "from the file", "duration": 8}
    boto3.client("s3").put_object(Bucket="pictures", Key="drop/still.json", Body=json.dumps(settings))
    drop(stack, "drop/still.jpg", prompt="from the picture", **{"aspect-ratio": "16:9", "seed": "5"})
    [paid] = simulator.jobs()
    wanted = {"prompt": "from the picture", "duration": 8, "resolution": "720p", "aspect_ratio": "16:9", "seed": 5}
    assert wanted.items() <= paid["request"].items()


def test_a_last_frame_companion_is_used_and_starts_no_job(stack: Cloud, simulator: Simulator) -> None:
    ended = drop(stack, "drop/still.last.png")
    assert (ended["status"], json.loads(ended["output"])["outcome"]) == ("SUCCEEDED", "ignored")
    drop(stack, "drop/still.jpg")
    [paid] = simulator.jobs()
    assert [frame["frame_type"] for frame in paid["request"]["frame_images"]] == ["first_frame", "last_frame"]


def test_addresses_in_a_dropped_json_are_relative_to_its_folder(stack: Cloud, simulator: Simulator) -> None:
    boto3.client("s3").put_object(Bucket="pictures", Key="drop/shop/assets/a.png", Body=png())
    asked = request(simulator)
    asked["frame_images"][0]["image_url"]["url"] = "assets/a.png"
    ended = drop(stack, "drop/shop/order.json", json.dumps(asked).encode())
    assert ended["status"] == "SUCCEEDED", ended
    job = stack.job(json.loads(ended["output"])["id"])
    assert job["request"]["frame_images"][0]["image_url"]["url"] == "s3://pictures/drop/shop/assets/a.png"


@pytest.mark.parametrize("key", ["drop/x/assets/a.png", "drop/settings.json", "drop/", "drop/.DS_Store", "drop/a/"])
def test_helpers_of_a_request_start_nothing(stack: Cloud, simulator: Simulator, key: str) -> None:
    ended = drop(stack, key, b'{"prompt": "only settings"}')
    assert (ended["status"], json.loads(ended["output"])["outcome"]) == ("SUCCEEDED", "ignored")
    assert simulator.jobs() == []


@pytest.mark.parametrize("key", ["videos/vid_1.mp4", "failed/x.json", "uploads/x.png", "batches/x.jsonl"])
def test_our_own_objects_start_nothing_even_if_a_rule_let_them_through(stack: Cloud, key: str) -> None:
    assert json.loads(drop(stack, key)["output"])["outcome"] == "ignored"


@pytest.mark.parametrize(
    ("key", "body", "metadata", "error"),
    [
        ("drop/notes.txt", b"hello", {}, "InvalidRequest"),
        ("drop/broken.json", b"{nonsense", {}, "InvalidRequest"),
        ("drop/still.jpg", None, {"duration": "long"}, "InvalidRequest"),
        ("drop/still.jpg", None, {"duration": "5"}, "UnsupportedByModel"),
        ("drop/still.jpg", None, {"model": "no/such-model"}, "UnknownModel"),
        ("drop/still.jpg", b"<html>", {}, "ImageNotUsable"),
    ],
)
def test_a_refused_drop_leaves_a_note_that_says_why(
    stack: Cloud, simulator: Simulator, key: str, body: bytes | None, metadata: dict[str, str], error: str
) -> None:
    ended = drop(stack, key, body, **metadata)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    stem = key.removeprefix("drop/").rsplit(".", 1)[0]
    told = note("pictures", f"failed/{stem}.json")
    assert (told["code"], told["source"]["key"]) == (error, key)
    assert told["detail"]
    assert simulator.jobs() == []


def test_a_dropped_picture_whose_generation_fails_leaves_a_note_too(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(fail_with={"status": "failed", "error": "We do not animate this."})
    assert drop(stack, "drop/sub/still.jpg")["error"] == "GenerationFailed"
    assert note("pictures", "failed/sub/still.json")["provider_message"] == "We do not animate this."


def test_a_request_on_the_bus_becomes_a_video(stack: Cloud, simulator: Simulator) -> None:
    ended = stack.finish(stack.start(requested(request(simulator))))
    assert ended["status"] == "SUCCEEDED", ended
    job = stack.job(json.loads(ended["output"])["id"])
    assert job["source"] == {"type": "event", "event_id": "7b1d", "event_source": "shop.orders"}


def test_an_event_with_a_key_is_one_job_whatever_the_deliveries(stack: Cloud, simulator: Simulator) -> None:
    detail = request(simulator) | {"idempotency_key": "order-7"}
    ended = [stack.finish(stack.start(requested(detail, event_id))) for event_id in ("a", "b")]
    assert len({json.loads(one["output"])["id"] for one in ended}) == 1
    assert len(simulator.jobs()) == 1


@pytest.mark.parametrize("door", ["drop", "event"])
def test_a_storm_of_duplicates_pays_once_for_each(stack: Cloud, simulator: Simulator, door: str) -> None:
    events = []
    for number in range(40):
        key = f"drop/{number}.png"
        boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=png())
        asked = request(simulator, seed=number)
        events.append(dropped(key) if door == "drop" else requested(asked, f"event-{number}"))
    executions = [stack.start(event) for event in events for _ in range(5)]
    ended = [stack.finish(execution, seconds=120) for execution in executions]
    assert {one["status"] for one in ended} == {"SUCCEEDED"}
    assert len({json.loads(one["output"])["id"] for one in ended}) == 40
    assert len(simulator.jobs()) == 40


def test_new_bytes_under_the_same_name_are_a_new_job(stack: Cloud, simulator: Simulator) -> None:
    first = drop(stack, "drop/still.jpg")
    second = drop(stack, "drop/still.jpg", png() + b"more")
    assert json.loads(first["output"])["id"] != json.loads(second["output"])["id"]
    assert len(simulator.jobs()) == 2


@pytest.mark.parametrize("name", ["still.jpg", "still.json"])
def test_an_object_replaced_before_its_event_is_paid_once(stack: Cloud, simulator: Simulator, name: str) -> None:
    bodies = [png(), png() + b"more"]
    if name.endswith(".json"):
        bodies = [json.dumps(request(simulator, seed=seed)).encode() for seed in (1, 2)]
    events = []
    for number, body in enumerate(bodies):
        boto3.client("s3").put_object(Bucket="pictures", Key=f"drop/{name}", Body=body)
        events.append(dropped(f"drop/{name}", f"0{number}"))
    first, second = [json.loads(stack.finish(stack.start(event))["output"]) for event in events]
    assert first == {"id": first["id"], "outcome": "ignored"}
    assert second["status"] == "completed"
    assert len(simulator.jobs()) == 1


def test_a_refused_drop_delivered_twice_is_one_record_and_event(stack: Cloud) -> None:
    boto3.client("s3").put_object(Bucket="pictures", Key="drop/notes.txt", Body=b"hello")
    ended = [stack.finish(stack.start(dropped("drop/notes.txt"))) for _ in range(2)]
    assert len({json.loads(one["cause"])["id"] for one in ended}) == 1
    assert [event["detail-type"] for event in stack.events()] == ["Video Generation Failed"]
