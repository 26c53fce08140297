"""Every sample event, given to its function."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import urllib3

from local.simulator import Simulator
from stillmotion import wiring
from stillmotion.errors import DownloadFailed, InvalidRequest, SubmitOutcomeUnknown
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import JobError, now
from stillmotion.settings import DeliverSettings, load
from tests.integration.batch_samples import BATCH_CASES
from tests.integration.house import ID, Check, House
from tests.support.events import EVENTS, sample, sample_function, sample_names, sampled_functions
from tests.support.inprocess import Cloud


@pytest.fixture
def house(stack: Cloud, simulator: Simulator) -> House:
    picture = urllib3.request("GET", simulator.image_url("cat.png")).data
    for key in ("shared/cat.png", "drop/my cat.png"):
        boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=picture)
    return House(stack, simulator)


def unsubmitted(house: House) -> None:
    house.record(submit=False)


def killed(house: House) -> None:
    house.record(submit=False)
    house.change(status=Status.SUBMITTING)


def submitted(house: House) -> None:
    house.record()


def waiting(house: House) -> None:
    house.simulator.settings(polls_to_ready=5)
    house.record()


def failing(house: House) -> None:
    house.simulator.settings(fail_with={"status": "failed", "error": "The image shows a person."})
    house.record()


def delivered(house: House) -> None:
    house.record()
    wiring.delivery(load(DeliverSettings, os.environ)).deliver(ID)


def delivered_in_full(house: House) -> None:
    house.simulator.settings(clip="full")
    delivered(house)


def failed_delivery(house: House) -> None:
    house.record()
    error = JobError.of(DownloadFailed("broke off"))
    house.change(status=Status.FAILED, error=error, published_at=now())


def unknown(house: House) -> None:
    house.record(submit=False)
    error = JobError.of(SubmitOutcomeUnknown("the answer was lost"))
    house.change(status=Status.SUBMIT_UNKNOWN, error=error, published_at=now())


def nothing(house: House) -> None:
    """The function needs no record."""


def http(wanted: int, /, **expected: Any) -> Callable[[House, Any], None]:
    """A check of an HTTP answer: its status, and fields of its body."""

    def check(house: House, answer: Any) -> None:
        body = json.loads(answer["body"])
        assert answer["statusCode"] == wanted, body
        assert {name: body.get(name) for name in expected} == expected
        kind = answer["multiValueHeaders"]["Content-Type"][0]
        assert kind == ("application/json" if wanted < 400 else "application/problem+json")

    return check


def refused(code: str, status: int, pointer: str) -> Callable[[House, Any], None]:
    def check(house: House, answer: Any) -> None:
        http(status, code=code)(house, answer)
        assert pointer in [fault["pointer"] for fault in json.loads(answer["body"])["errors"]]
        assert house.simulator.jobs() == []

    return check


def made(house: House, answer: Any) -> None:
    """The request became a job, was paid once, and its workflow stores a video."""
    http(202, status="in_progress")(house, answer)
    job = json.loads(answer["body"])
    assert answer["multiValueHeaders"]["Location"] == [f"/videos/{job['id']}"]
    assert house.stack.finish(job["execution_arn"])["status"] == "SUCCEEDED"
    assert len(house.simulator.jobs()) == 1
    assert "base64" not in json.dumps(house.stack.job(job["id"]))


def listed(house: House, answer: Any) -> None:
    http(200)(house, answer)
    assert [job["id"] for job in json.loads(answer["body"])["data"]] == [ID]


def models(house: House, answer: Any) -> None:
    http(200)(house, answer)
    assert "google/veo-3.1-lite" in [model["id"] for model in json.loads(answer["body"])["data"]]


def offered(house: House, answer: Any) -> None:
    http(201)(house, answer)
    assert json.loads(answer["body"])["s3_uri"].startswith("s3://pictures/uploads/")


def document(house: House, answer: Any) -> None:
    http(200)(house, answer)
    assert "/videos" in json.loads(answer["body"])["paths"]


def page(house: House, answer: Any) -> None:
    assert answer["statusCode"] == 200
    assert "<html" in answer["body"].lower()


def state(outcome: str, **expected: Any) -> Callable[[House, Any], None]:
    """A check of a task's answer to the state machine, and of the job's record after it."""

    def check(house: House, answer: Any) -> None:
        assert (answer["outcome"], answer["wait_seconds"]) == (outcome, 30)
        if answer["id"] == ID:
            assert expected.items() <= house.found().items()
        assert len(house.simulator.jobs()) == 1

    return check


def stored(house: House, answer: Any) -> None:
    assert (answer["id"], answer["status"]) == (ID, "completed")
    assert boto3.client("s3").head_object(Bucket="clips", Key=f"videos/{ID}.mp4")["ContentType"] == "video/mp4"
    assert house.found()["status"] == "completed"
    assert [event["detail-type"].rsplit(" ", 1)[1] for event in house.stack.events()] == ["Submitted", "Completed"]


def ended(code: str, status: str) -> Callable[[House, Any], None]:
    def check(house: House, answer: Any) -> None:
        cause = json.loads(answer["cause"])
        assert (answer["error"], cause["code"]) == (code, code)
        job = house.stack.job(cause["id"])
        assert (job["status"], job["error"]["code"]) == (status, code)
        assert house.stack.events()[-1]["detail-type"] == "Video Generation Failed"

    return check


def settled(house: House, answer: Any) -> None:
    assert answer == {"id": ID}
    assert house.found()["status"] == "timed_out"


def inspected(house: House, answer: Any) -> None:
    assert answer == {"id": ID}
    (video,), (found,) = house.found()["video"], house.found()["inspection"]["videos"]
    assert found["facts"]["decodes_to_end"] is True
    assert [one["frame"] for one in found["likeness"]] == ["first_frame"]
    assert found["likeness"][0]["psnr_db"] > 30
    assert found["warnings"] == []
    for name, key in found["pictures"].items():
        assert urllib3.util.parse_url(video[f"{name}_url"]).path.endswith(f"/{key}")
        assert boto3.client("s3").head_object(Bucket="clips", Key=key)["ContentLength"] > 1000
    note = json.loads(boto3.client("s3").get_object(Bucket="clips", Key=f"videos/{ID}.json")["Body"].read())
    assert note["inspection"] == house.found()["inspection"]
    assert [event["detail-type"] for event in house.stack.events()][-1] == "Video Inspected"


def swept(house: House, answer: Any) -> None:
    assert answer == {"checked": 0, "resumed": 0, "settled": 0, "published": 0, "failed": 0, "inspections": 0}


def called_back(house: House, answer: Any) -> None:
    assert answer == {"statusCode": 204}
    item = boto3.resource("dynamodb").Table("jobs").get_item(Key={"id": f"callback#{ID}"})["Item"]
    assert (item["wakes"], item["provider_id"]) == (1, "video-gen-8t3kq2")


def forged(house: House, answer: Any) -> None:
    assert answer == {"statusCode": 404}
    assert boto3.resource("dynamodb").Table("jobs").scan()["Items"] == []


type Arrange = Callable[[House], None]
CASES: dict[str, tuple[Arrange, Check]] = {
    "submit_api-first_frame": (nothing, made),
    "submit_api-first_and_last_frame": (nothing, made),
    "submit_api-data_url": (nothing, made),
    "submit_api-s3_image": (nothing, made),
    "submit_api-idempotency_key": (nothing, made),
    "submit_api-dry_run": (nothing, http(200, dry_run=True, model="google/veo-3.1-lite")),
    "submit_api-unknown_field": (nothing, refused("InvalidRequest", 400, "#/colour")),
    "submit_api-callback_url": (nothing, refused("InvalidRequest", 400, "#/callback_url")),
    "submit_api-unsupported_duration": (nothing, refused("UnsupportedByModel", 422, "#/duration")),
    "submit_api-not_an_image": (nothing, refused("ImageNotUsable", 422, "#/frame_images/0/image_url/url")),
    "submit_api-not_json": (nothing, refused("InvalidRequest", 400, "#")),
    "submit_task-request": (nothing, state("waiting")),
    "submit_task-idempotency_key": (nothing, state("waiting")),
    "submit_task-dropped_picture": (nothing, state("waiting")),
    "submit_task-video_requested": (nothing, state("waiting")),
    "submit_task-handed_over": (unsubmitted, state("waiting", status="in_progress")),
    "poll-waiting": (waiting, state("waiting", polls=1)),
    "poll-completed": (submitted, state("completed", polls=1)),
    "poll-failed": (failing, state("failed", polls=1)),
    "deliver-completed": (submitted, stored),
    "deliver-already_delivered": (delivered, stored),
    "record_failure-generation_failed": (submitted, ended("GenerationFailed", "failed")),
    "record_failure-timed_out": (submitted, ended("PollingTimedOut", "timed_out")),
    "record_failure-caught_error": (submitted, ended("StorageFailed", "failed")),
    "record_failure-killed_while_submitting": (killed, ended("SubmitOutcomeUnknown", "submit_unknown")),
    "record_failure-refused_request": (nothing, ended("InvalidRequest", "failed")),
    "jobs-show": (submitted, http(200, id=ID, status="in_progress")),
    "jobs-list": (submitted, listed),
    "jobs-not_found": (nothing, http(404, code="JobNotFound")),
    "control-cancel": (submitted, http(200, id=ID, status="cancelled")),
    "control-resume": (failed_delivery, http(202, id=ID, status="in_progress")),
    "control-settle": (unknown, http(200, id=ID, status="failed")),
    "execution_ended-aborted": (submitted, settled),
    "inspect-completed": (delivered_in_full, inspected),
    "inspect-requested": (delivered_in_full, inspected),
    "sweep-schedule": (nothing, swept),
    "callback-completed": (nothing, called_back),
    "callback-forged": (nothing, forged),
    "models-first_and_last_frame": (nothing, models),
    "spending-limits": (nothing, http(200, stopped=False, stack=None)),
    "spending-usage": (nothing, http(200, first_day="2026-11-01", last_day="2026-11-30", by="model", data=[])),
    "spending-stop": (nothing, http(200, principal="*", daily_usd="0.00", set_by="operator")),
    "spending-operators_only": (nothing, http(403, code="OperatorsOnly")),
    "uploads-jpeg": (nothing, offered),
    "docs-openapi": (nothing, document),
    "docs-page": (nothing, page),
    **BATCH_CASES,
}
DROPPED_ETAG = "0c1b8f5a1d2e3f405162738495a6b7c8"
REFUSED_TASKS = {"submit_task-unknown_field": "#/colour"}


def invoke(house: House, name: str) -> Any:
    """Give a sample to its function, its public pictures replaced by the simulator's."""
    pictures = {f"https://httpbin.org/image/{kind}": house.simulator.image_url() for kind in ("jpeg", "png")}
    page = {"https://httpbin.org/html": f"{house.simulator.url}/api/v1/videos/models"}
    etag = {DROPPED_ETAG: boto3.client("s3").head_object(Bucket="pictures", Key="drop/my cat.png")["ETag"].strip('"')}
    return house.stack.invoke(sample_function(name), sample(name, pictures | page | etag))


@pytest.mark.parametrize("name", CASES)
def test_a_sample_event_is_answered(house: House, name: str) -> None:
    arrange, check = CASES[name]
    arrange(house)
    check(house, invoke(house, name))


@pytest.mark.parametrize("name", REFUSED_TASKS)
def test_a_sample_that_a_task_refuses_fails_with_its_faults(house: House, name: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        invoke(house, name)
    assert [fault["pointer"] for fault in json.loads(str(error.value))["faults"]] == [REFUSED_TASKS[name]]
    assert house.simulator.jobs() == []


def test_every_function_has_a_sample_and_every_sample_a_test() -> None:
    assert {name.partition("-")[0] for name in sample_names()} == set(sampled_functions())
    assert {sample_function(name) for name in sample_names()} == set(sampled_functions().values())
    assert set(sample_names()) == {*CASES, *REFUSED_TASKS}
    assert all(path.suffix == ".json" and "-" in path.stem for path in EVENTS.iterdir())
