"""Events on the bus: what they say, and that a refused one is not taken for sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.stub import ANY, Stubber
from moto import mock_aws

from stillmotion.errors import StorageFailed
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.public import http_view
from stillmotion.jobs.record import SCHEMA_VERSION, Job, JobError, StoredVideo
from stillmotion.storage.event_bus import COMPLETED, FAILED, SOURCE, SUBMITTED, EventBus

ARN = "arn:aws:states:eu-central-1:123456789012:execution:generate-video:vid_1"
SIGNED = "https://pictures.example/a.png?X-Amz-Signature=SECRET"


def job(**changes: Any) -> Job:
    frame = {"type": "image_url", "image_url": {"url": SIGNED}, "frame_type": "first_frame"}
    given: dict[str, Any] = {
        "id": "vid_1",
        "status": Status.COMPLETED,
        "request": {"model": "google/veo-3.1-lite", "prompt": "Wölkchen ☁", "frame_images": [frame]},
        "request_hash": "secret-hash",
        "source": {"type": "http"},
        "owner": "arn:aws:iam::123456789012:user/alice",
        "metadata": {"order": "7"},
        "video": [StoredVideo(bucket="clips", key="videos/vid_1.mp4", bytes=9, content_type="video/mp4", checksum="x")],
        "execution_arn": ARN,
        "created_at": "2025-01-01T00:00:00.000Z",
        "updated_at": "2025-01-01T00:00:00.000Z",
    }
    return Job(**given | changes)


@pytest.fixture
def heard() -> Iterator[Any]:
    """A bus, and what was heard on it so far."""
    with mock_aws():
        events, sqs = boto3.client("events", "eu-central-1"), boto3.client("sqs", "eu-central-1")
        events.create_event_bus(Name="bus")
        queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="all", EventBusName="bus", EventPattern=json.dumps({"source": [SOURCE]}))
        events.put_targets(Rule="all", EventBusName="bus", Targets=[{"Id": "queue", "Arn": arn}])

        def listen() -> list[dict[str, Any]]:
            found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(message["Body"]) for message in found]

        yield EventBus(events, "bus"), listen


def test_an_event_is_the_public_record_with_the_schema_version_first(heard: Any) -> None:
    bus, listen = heard
    bus.send(COMPLETED, job())
    [event] = listen()
    assert (event["source"], event["detail-type"], event["resources"]) == ("stillmotion", COMPLETED, [ARN])
    detail = event["detail"]
    assert next(iter(detail)) == "schema_version"
    assert detail == {"schema_version": SCHEMA_VERSION} | http_view(job())
    assert detail["metadata"] == {"order": "7"}
    assert detail["request"]["prompt"] == "Wölkchen ☁"


def test_an_event_carries_no_private_field(heard: Any) -> None:
    bus, listen = heard
    told = JobError(code="ImageNotUsable", message="no", faults=[{"pointer": "#", "detail": "no"}])
    for kind in (SUBMITTED, FAILED):
        bus.send(kind, job(error=told))
    spoken = json.dumps(listen())
    for secret in ("SECRET", "secret-hash", "alice"):
        assert secret not in spoken


def test_a_job_without_an_execution_names_no_resource(heard: Any) -> None:
    bus, listen = heard
    bus.send(SUBMITTED, job(execution_arn=None))
    assert listen()[0]["resources"] == []


def bus_answering(answer: dict[str, Any] | None) -> tuple[EventBus, Stubber]:
    client = boto3.client(
        "events",
        "eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    stubber = Stubber(client)
    if answer is None:
        stubber.add_client_error("put_events", "ThrottlingException", http_status_code=400)
    else:
        stubber.add_response("put_events", answer, {"Entries": ANY})
    stubber.activate()
    return EventBus(client, "bus"), stubber


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "x"}]},
            "InternalFailure",
        ),
        ({"FailedEntryCount": 1, "Entries": [{}]}, "unknown"),
        (None, "did not take"),
    ],
)
def test_a_rejected_entry_is_a_failure_although_the_call_succeeded(answer: dict[str, Any] | None, why: str) -> None:
    bus, stubber = bus_answering(answer)
    with pytest.raises(StorageFailed, match=why) as failed:
        bus.send(COMPLETED, job())
    assert failed.value.retryable
    stubber.assert_no_pending_responses()


def test_a_bus_that_cannot_be_reached_is_a_failure_that_may_be_tried_again() -> None:
    class Away:
        def put_events(self, **_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://events.example")

    away: Any = Away()
    with pytest.raises(StorageFailed, match="EndpointConnectionError"):
        EventBus(away, "bus").send(FAILED, job())


def test_the_largest_job_fits_into_an_event(heard: Any) -> None:
    bus, listen = heard
    frame = {"type": "image_url", "image_url": {"url": "https://a.example/" + "x" * 8000}, "frame_type": "first_frame"}
    references = [{"type": "image_url", "image_url": {"url": "https://a.example/" + "x" * 8000}}] * 16
    request = {
        "model": "m",
        "prompt": "☁" * 10_000,
        "frame_images": [frame, frame],
        "input_references": references,
        "trace": {"x": "☁" * 5_000},
        "provider": {"options": {"x": {"parameters": {"y": "☁" * 5_000}}}},
    }
    bus.send(COMPLETED, job(request=request, metadata={f"key{n}": "☁" * 512 for n in range(20)}))
    size = len(json.dumps(listen()[0]["detail"], ensure_ascii=False).encode())
    assert size < 256 * 1024  # Amazon EventBridge quotas: PutEvents entry size
