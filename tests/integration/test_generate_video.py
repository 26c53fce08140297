"""The real definition, run by moto's interpreter, with its tasks in the real handlers."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.requests.owned_names import upload_prefix
from tests.support.inprocess import CALLER, Cloud, cloud
from tests.support.requests import png, request


def test_a_request_over_http_becomes_a_stored_video(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=3)
    status, headers, job = stack.http("POST", "/videos", request(simulator, metadata={"order": "7"}))
    assert status == 202, job
    assert job["status"] == "in_progress"
    assert headers["Location"] == f"/videos/{job['id']}"

    ended = stack.finish(job["execution_arn"])
    assert ended["status"] == "SUCCEEDED", ended
    done = stack.job(job["id"])
    assert done["status"] == "completed"
    assert done["polls"] == 3
    assert stack.waits == [30, 30, 30]
    [video] = done["video"]
    assert video.pop("s3_uri") == f"s3://clips/videos/{job['id']}.mp4"
    assert "Signature" in video.pop("url")
    stored = boto3.client("s3").get_object(Bucket="clips", Key=f"videos/{job['id']}.mp4")
    data = stored["Body"].read()
    assert stored["ContentType"] == "video/mp4"
    assert stored["Metadata"] == {"job-id": job["id"], "model": "google/veo-3.1-lite"}
    assert video == {
        "bucket": "clips",
        "key": f"videos/{job['id']}.mp4",
        "bytes": len(data),
        "content_type": "video/mp4",
        "checksum": f"sha256:{hashlib.sha256(data).hexdigest()}",
    }
    [paid] = simulator.jobs()
    assert done["usage"] == {"cost_usd": pytest.approx(paid["charged_usd"])}
    assert json.loads(ended["output"]) == {
        "id": job["id"],
        "status": "completed",
        "model": "google/veo-3.1-lite",
        "video": [video],
        "usage": done["usage"],
        "metadata": {"order": "7"},
        "completed_at": done["completed_at"],
    }
    told = [(event["detail-type"], event["detail"]["id"], event["detail"]["status"]) for event in stack.events()]
    assert told == [
        ("Video Generation Submitted", job["id"], "in_progress"),
        ("Video Generation Completed", job["id"], "completed"),
    ]


def test_a_last_frame_travels_to_the_model_too(stack: Cloud, simulator: Simulator) -> None:
    frames = [
        {"type": "image_url", "image_url": {"url": simulator.image_url(name)}, "frame_type": frame_type}
        for name, frame_type in (("photo.jpg", "first_frame"), ("last.png", "last_frame"))
    ]
    _, _, job = stack.http("POST", "/videos", request(simulator, frame_images=frames))
    assert stack.finish(job["execution_arn"])["status"] == "SUCCEEDED"
    assert [frame["frame_type"] for frame in simulator.jobs()[0]["request"]["frame_images"]] == [
        "first_frame",
        "last_frame",
    ]


def test_a_job_that_is_completed_when_submitted_is_not_waited_for(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(complete_on_submit=True)
    _, _, job = stack.http("POST", "/videos", request(simulator))
    assert stack.finish(job["execution_arn"])["status"] == "SUCCEEDED"
    assert stack.waits == []
    assert stack.states(job["execution_arn"]) == [
        "Prepare",
        "AlreadySubmitted?",
        "TakeOver",
        "Status?",
        "Deliver",
        "Delivered",
    ]


def test_the_workflow_takes_a_request_as_its_input(stack: Cloud, simulator: Simulator) -> None:
    arn = stack.start(request(simulator))
    ended = stack.finish(arn)
    assert ended["status"] == "SUCCEEDED", ended
    result = json.loads(ended["output"])
    assert result["status"] == "completed"
    assert stack.job(result["id"])["source"] == {"type": "workflow", "execution_arn": arn}
    assert len(simulator.jobs()) == 1


def test_every_output_is_stored(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(outputs=3)
    _, _, job = stack.http("POST", "/videos", request(simulator))
    stack.finish(job["execution_arn"])
    keys = [video["key"] for video in stack.job(job["id"])["video"]]
    assert keys == [f"videos/{job['id']}{suffix}.mp4" for suffix in ("", "-1", "-2")]
    listed = boto3.client("s3").list_objects_v2(Bucket="clips")["Contents"]
    assert sorted(found["Key"] for found in listed) == sorted([*keys, f"videos/{job['id']}.json"])


def test_a_private_s3_picture_reaches_the_model(stack: Cloud, simulator: Simulator) -> None:
    key = "shared/drop here/ä +1.png"
    boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=png(), ContentType="image/png")
    frame = {
        "type": "image_url",
        "image_url": {"url": f"s3://pictures/{key}"},
        "frame_type": "first_frame",
    }
    status, _, job = stack.http("POST", "/videos", request(simulator, frame_images=[frame]))
    assert status == 202, job
    assert stack.finish(job["execution_arn"])["status"] == "SUCCEEDED"


@pytest.mark.parametrize("source", ["http", "workflow"])
def test_a_data_picture_is_moved_into_the_input_bucket(stack: Cloud, simulator: Simulator, source: str) -> None:
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    frame = {"type": "image_url", "image_url": {"url": url}, "frame_type": "first_frame"}
    asked = request(simulator, frame_images=[frame])
    arn = stack.http("POST", "/videos", asked)[2]["execution_arn"] if source == "http" else stack.start(asked)
    ended = stack.finish(arn)
    assert ended["status"] == "SUCCEEDED", ended
    job = stack.job(json.loads(ended["output"])["id"])
    key = f"{upload_prefix(CALLER if source == 'http' else None)}{job['id']}/frame_images-0.png"
    address = f"s3://pictures/{key}"
    assert job["request"]["frame_images"][0]["image_url"]["url"] == address
    stored = boto3.client("s3").get_object(Bucket="pictures", Key=key)
    assert stored["Body"].read() == png()


@pytest.mark.parametrize(
    ("ending", "error", "status"),
    [
        ("failed", "GenerationFailed", "failed"),
        ("cancelled", "GenerationCancelled", "cancelled"),
        ("expired", "GenerationExpired", "expired"),
    ],
)
@pytest.mark.parametrize("source", ["http", "workflow"])
def test_a_generation_without_a_video_ends_as_what_it_was(
    stack: Cloud, simulator: Simulator, ending: str, error: str, status: str, source: str
) -> None:
    simulator.settings(fail_with={"status": ending, "error": "The image shows something we do not animate."})
    asked = request(simulator)
    arn = stack.http("POST", "/videos", asked)[2]["execution_arn"] if source == "http" else stack.start(asked)
    ended = stack.finish(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    cause = json.loads(ended["cause"])
    job = stack.job(cause["id"])
    assert job["status"] == status
    assert job["error"]["code"] == error
    assert job["error"]["provider_message"] == "The image shows something we do not animate."
    assert cause == {"id": job["id"]} | job["error"]
    last = stack.events()[-1]
    assert (last["detail-type"], last["detail"]["error"]) == ("Video Generation Failed", job["error"])
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="clips")


def test_success_on_exactly_the_60th_poll_counts(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=60)
    _, _, job = stack.http("POST", "/videos", request(simulator))
    assert stack.finish(job["execution_arn"])["status"] == "SUCCEEDED"
    assert stack.waits == [30] * 60
    assert stack.job(job["id"])["polls"] == 60


def test_after_60_polls_the_job_is_timed_out_and_still_worth_something(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=61)
    _, _, job = stack.http("POST", "/videos", request(simulator))
    ended = stack.finish(job["execution_arn"])
    assert (ended["status"], ended["error"]) == ("FAILED", "PollingTimedOut")
    assert stack.waits == [30] * 60
    done = stack.job(job["id"])
    assert (done["status"], done["polls"], done["error"]["retryable"]) == ("timed_out", 60, True)
    assert "may still finish" in done["error"]["message"]
    assert stack.events()[-1]["detail-type"] == "Video Generation Failed"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 404},
        {"status": 401},
        {"status": 429, "headers": {"Retry-After": "70"}},
        {"reset": True},
        {"html": True},
        {"truncate": 20},
        {"empty": True},
        {"job": {"status": "dreaming"}},
    ],
    ids=lambda fault: next(iter(fault)) + str(next(iter(fault.values()))),
)
def test_a_poll_that_goes_wrong_never_fails_a_paid_job(
    stack: Cloud, simulator: Simulator, fault: dict[str, Any]
) -> None:
    simulator.fault("poll", times=20, **fault)
    _, _, job = stack.http("POST", "/videos", request(simulator))
    ended = stack.finish(job["execution_arn"])
    assert ended["status"] == "SUCCEEDED", ended
    assert len(simulator.jobs()) == 1
    if fault.get("status") == 429:
        assert stack.waits[1] == 70
        assert stack.pauses == []


def test_a_poll_that_fails_60_times_ends_as_timed_out(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("poll", times=None, status=502)
    _, _, job = stack.http("POST", "/videos", request(simulator))
    ended = stack.finish(job["execution_arn"])
    assert (ended["status"], ended["error"]) == ("FAILED", "PollingTimedOut")
    assert stack.waits == [30] * 60


def test_a_throttled_submit_is_queued_and_sent_when_modelgates_asks_for_it(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("submit", times=3, status=429, headers={"Retry-After": "120"})
    status, _, job = stack.http("POST", "/videos", request(simulator))
    assert (status, job["status"]) == (202, "queued")
    assert stack.finish(job["execution_arn"])["status"] == "SUCCEEDED"
    assert stack.waits[:2] == [120, 120]
    assert len(simulator.jobs()) == 1


def test_a_lost_answer_is_never_sent_again(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("submit", times=1, accept_then_lose="reset")
    ended = stack.finish(stack.start(request(simulator)))
    assert (ended["status"], ended["error"]) == ("FAILED", "SubmitOutcomeUnknown")
    assert len(simulator.jobs()) == 1
    job = stack.job(json.loads(ended["cause"])["id"])
    assert job["status"] == "submit_unknown"


def test_a_lost_answer_over_http_is_reported_and_recorded(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("submit", times=1, accept_then_lose=502)
    status, _, problem = stack.http("POST", "/videos", request(simulator))
    assert (status, problem["code"]) == (502, "SubmitOutcomeUnknown")
    job = stack.job(problem["instance"].removeprefix("/videos/"))
    assert job["status"] == "submit_unknown"
    assert [event["detail-type"] for event in stack.events()] == ["Video Generation Failed"]


def test_a_download_that_breaks_off_is_done_again(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("content", times=2, truncate=500)
    _, _, job = stack.http("POST", "/videos", request(simulator))
    assert stack.finish(job["execution_arn"])["status"] == "SUCCEEDED"
    assert len(simulator.requests("content")) == 3
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket="clips")


def test_json_in_place_of_a_video_is_not_stored(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("content", times=None, wrong_type=True)
    _, _, job = stack.http("POST", "/videos", request(simulator))
    ended = stack.finish(job["execution_arn"])
    assert (ended["status"], ended["error"]) == ("FAILED", "NotAVideo")
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="clips")


def test_two_executions_with_one_key_make_one_job(stack: Cloud, simulator: Simulator) -> None:
    asked = request(simulator) | {"idempotency_key": "order-7"}
    first, second = stack.finish(stack.start(asked)), stack.finish(stack.start(asked))
    assert (first["status"], second["status"]) == ("SUCCEEDED", "SUCCEEDED")
    assert len(simulator.jobs()) == 1
    assert json.loads(second["output"]) == {
        "id": json.loads(first["output"])["id"],
        "outcome": "duplicate",
    }


def test_one_key_with_two_requests_is_a_conflict(stack: Cloud, simulator: Simulator) -> None:
    first = stack.finish(stack.start(request(simulator) | {"idempotency_key": "order-7"}))
    ended = stack.finish(stack.start(request(simulator, prompt="another") | {"idempotency_key": "order-7"}))
    assert (ended["status"], ended["error"]) == ("FAILED", "IdempotencyConflict")
    assert stack.job(json.loads(first["output"])["id"])["status"] == "completed"
    assert len(simulator.jobs()) == 1


def test_a_refused_request_in_a_workflow_fails_by_name_and_is_on_record(stack: Cloud, simulator: Simulator) -> None:
    ended = stack.finish(stack.start(request(simulator, duration=5)))
    assert (ended["status"], ended["error"]) == ("FAILED", "UnsupportedByModel")
    cause = json.loads(ended["cause"])
    assert cause["faults"] == [
        {
            "pointer": "#/duration",
            "detail": "is 5, but the model takes 4, 6, 8",
            "given": 5,
            "allowed": [4, 6, 8],
        }
    ]
    assert stack.job(cause["id"])["status"] == "failed"
    assert [event["detail-type"] for event in stack.events()] == ["Video Generation Failed"]
    assert simulator.jobs() == []


def test_an_input_that_is_no_request_at_all_fails_by_name(stack: Cloud, simulator: Simulator) -> None:
    for nonsense in ([1, 2], "text", {"job": 7}, {"idempotency_key": 5}, {}):
        ended = stack.finish(stack.start(nonsense))
        assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest"), nonsense
    assert simulator.jobs() == []


def test_no_secret_is_in_any_history_record_or_event(
    stack: Cloud, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = stack.start(request(simulator))
    assert stack.finish(arn)["status"] == "SUCCEEDED"
    history = boto3.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)
    written = json.dumps([history, stack.events()], default=str)
    written += json.dumps(boto3.resource("dynamodb").Table("jobs").scan()["Items"], default=str)
    written += capsys.readouterr().out
    for secret in (simulator.api_key, "signature=", "X-Amz-Signature", "Bearer"):
        assert secret not in written


def test_the_number_of_polls_is_a_parameter(simulator: Simulator) -> None:
    with cloud(simulator, poll_interval=5, max_polls=2) as stack:
        simulator.settings(polls_to_ready=3)
        _, _, job = stack.http("POST", "/videos", request(simulator))
        assert stack.finish(job["execution_arn"])["error"] == "PollingTimedOut"
        assert stack.waits == [5, 5]
