"""The real definition, run by moto's interpreter, with its tasks in the real handlers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from tests.inprocess import Cloud

pytestmark = pytest.mark.integration


def request(simulator: Simulator, **changes: Any) -> dict[str, Any]:
    """A request that works, with some fields changed."""
    frame = {"type": "image_url", "image_url": {"url": simulator.image_url()}, "frame_type": "first_frame"}
    given = {
        "model": "google/veo-3.1-lite",
        "prompt": "a slow push in",
        "duration": 4,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "frame_images": [frame],
    }
    return given | changes


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
