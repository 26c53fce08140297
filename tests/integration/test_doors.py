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
        ("drop/still.jpg", None, {"duration": "5", "model": "google/veo-3.1-lite"}, "UnsupportedByModel"),
        ("drop/still.jpg", None, {"model": "no/such-model"}, "UnknownModel"),
        ("drop/still.jpg", b"<html>", {}, "ImageNotUsable"),
    ],
)
def test_a_refused_drop_leaves_a_note_that_says_why(
    stack: Cloud, simulator: Simulator, key: str, body: bytes | None, metadata: dict[str, str], error: str
) -> None:
    ended = drop(stack, key, body, **metadata)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    told = note("pictures", f"failed/{key.removeprefix('drop/')}.json")
    assert (told["code"], told["source"]["key"]) == (error, key)
    assert told["detail"]
    assert simulator.jobs() == []


def test_a_dropped_picture_whose_generation_fails_leaves_a_note_too(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(fail_with={"status": "failed", "error": "We do not animate this."})
    assert drop(stack, "drop/sub/still.jpg")["error"] == "GenerationFailed"
    assert note("pictures", "failed/sub/still.jpg.json")["provider_message"] == "We do not animate this."


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


def put(key: str, body: bytes | None = None, **metadata: str) -> None:
    boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=body or png(), Metadata=metadata)


def outcome(stack: Cloud, key: str, sequencer: str) -> dict[str, Any]:
    """What the event of one put becomes."""
    ended = stack.finish(stack.start(dropped(key, sequencer)))
    told: dict[str, Any] = json.loads(ended.get("output") or ended["cause"])
    return told


def test_the_same_put_again_is_the_same_job_and_paid_once(stack: Cloud, simulator: Simulator) -> None:
    ids = []
    for sequencer in ("01", "02", "01"):
        put("drop/still.jpg", prompt="push in")
        ids.append(outcome(stack, "drop/still.jpg", sequencer)["id"])
    assert len(set(ids)) == 1
    assert len(simulator.jobs()) == 1


def test_two_quick_puts_with_two_prompts_are_never_the_later_one_twice(stack: Cloud, simulator: Simulator) -> None:
    put("drop/late.jpg", prompt="A")
    put("drop/late.jpg", prompt="B")
    first, second = [outcome(stack, "drop/late.jpg", sequencer) for sequencer in ("01", "02")]
    assert first["id"] == second["id"]
    assert [job["request"]["prompt"] for job in simulator.jobs()] == ["B"]
    for prompt, sequencer in (("A", "01"), ("B", "02")):
        put("drop/prompt.jpg", prompt=prompt)
        outcome(stack, "drop/prompt.jpg", sequencer)
    outcome(stack, "drop/prompt.jpg", "01")
    assert [job["request"]["prompt"] for job in simulator.jobs()] == ["B", "A", "B"]


def test_a_put_after_one_that_failed_is_a_new_job(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(fail_with={"status": "failed", "error": "Not today."})
    put("drop/still.jpg")
    failed = outcome(stack, "drop/still.jpg", "01")
    simulator.settings(fail_with=None)
    assert outcome(stack, "drop/still.jpg", "01")["id"] == failed["id"]
    put("drop/still.jpg")
    assert outcome(stack, "drop/still.jpg", "02")["status"] == "completed"
    assert len(simulator.jobs()) == 2


def test_a_put_after_one_that_was_refused_is_a_new_job(stack: Cloud, simulator: Simulator) -> None:
    put("drop/still.jpg", model="no/such-model")
    assert outcome(stack, "drop/still.jpg", "01")["code"] == "UnknownModel"
    put("drop/still.jpg", model="no/such-model")
    assert outcome(stack, "drop/still.jpg", "02")["code"] == "UnknownModel"
    assert simulator.jobs() == []


@pytest.mark.parametrize(
    ("key", "companions"),
    [
        ("drop/UP.JPG", {"drop/up.last.PNG": png(), "drop/Up.JSON": b'{"prompt": "beside"}'}),
        (
            "drop/Gr\u00fc\u00dfe.jpg",
            {"drop/Gru\u0308\u00dfe.last.jpg": png(), "drop/GR\u00dcSSE.json": b'{"prompt": "beside"}'},
        ),
    ],
)
def test_companions_are_found_whatever_their_case(
    stack: Cloud, simulator: Simulator, key: str, companions: dict[str, bytes]
) -> None:
    for companion, body in companions.items():
        put(companion, body)
    put(key, **{"metadata-order_id": "7"})
    assert outcome(stack, key, "01")["status"] == "completed"
    [paid] = simulator.jobs()
    assert paid["request"]["prompt"] == "beside"
    assert [frame["frame_type"] for frame in paid["request"]["frame_images"]] == ["first_frame", "last_frame"]


@pytest.mark.parametrize("companion", ["drop/a.last.tif", "drop/a.last", "drop/A.LAST.json"])
def test_a_companion_that_cannot_be_used_refuses_the_drop(stack: Cloud, simulator: Simulator, companion: str) -> None:
    put(companion)
    put("drop/a.jpg")
    told = outcome(stack, "drop/a.jpg", "01")
    assert (told["code"], companion in told["message"]) == ("InvalidRequest", True)
    assert simulator.jobs() == []


def test_pictures_of_one_name_have_a_note_each(stack: Cloud) -> None:
    for name in ("a.gif", "a.jpg"):
        put(f"drop/{name}", duration="long")
        outcome(stack, f"drop/{name}", "01")
    assert objects("pictures", "failed/") == ["failed/a.gif.json", "failed/a.jpg.json"]


def test_the_longest_key_gets_its_event_and_a_note_of_its_own(stack: Cloud) -> None:
    keys = [f"drop/{'ü' * 507}{end}.txt" for end in ("a", "b")]
    for key in keys:
        assert 1018 < len(key.encode()) <= 1024
        put(key, b"hello")
        outcome(stack, key, "01")
    notes = objects("pictures", "failed/")
    assert len(notes) == 2
    assert {note("pictures", found)["source"]["key"] for found in notes} == set(keys)
    assert [event["detail-type"] for event in stack.events()] == ["Video Generation Failed"] * 2


@pytest.mark.parametrize("name", ["a #1?.jpg", "b+%20.gif", "no-ending", "photo.JFIF"])
def test_any_name_and_every_picture_that_uploads_take(stack: Cloud, simulator: Simulator, name: str) -> None:
    put(f"drop/{name}")
    told = outcome(stack, f"drop/{name}", "01")
    assert told["status"] == "completed"
    given = stack.job(told["id"])["request"]["frame_images"][0]["image_url"]["url"]
    assert given == f"s3://pictures/drop/{name}"


def test_what_is_said_of_a_drop_disables_the_defaults_it_rules_out(stack: Cloud, simulator: Simulator) -> None:
    put("drop/a.jpg", size="1280x720", duration="4.0", audio="yes")
    assert outcome(stack, "drop/a.jpg", "01")["status"] == "completed"
    [paid] = simulator.jobs()
    assert (paid["request"]["size"], paid["request"]["duration"]) == ("1280x720", 4)
    assert paid["request"]["generate_audio"] is True
    assert "resolution" not in paid["request"]
