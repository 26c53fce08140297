"""The API in good order: models, submit, poll, content, storage."""

import concurrent.futures
import time

import pytest

from local.simulator import Simulator
from tests.unit.simulator.support import LITE, Client, frame

VIDEO_MODEL_FIELDS = {
    "id",
    "canonical_slug",
    "name",
    "created",
    "description",
    "hugging_face_id",
    "supported_resolutions",
    "supported_aspect_ratios",
    "supported_sizes",
    "supported_durations",
    "supported_frame_images",
    "generate_audio",
    "seed",
    "upscale_factor",
    "creativity",
    "pricing_skus",
    "allowed_passthrough_parameters",
}


def test_models_are_listed_without_a_key_and_with_every_field(sim: Simulator) -> None:
    answer = Client(sim, key=None).call("GET", "/api/v1/videos/models")
    models = {model["id"]: model for model in answer.json()["data"]}
    assert answer.status == 200
    assert all(set(model) == VIDEO_MODEL_FIELDS for model in models.values())
    lite = models[LITE]
    assert lite["supported_durations"] == [8, 4, 6]
    assert lite["supported_resolutions"] == ["720p", "1080p"]
    assert lite["supported_aspect_ratios"] == ["16:9", "9:16"]
    assert lite["supported_frame_images"] == ["first_frame", "last_frame"]
    assert models["google/veo-3.1"]["pricing_skus"]["duration_seconds_with_audio_4k"] == "0.60"
    assert models["google/veo-3.1"]["generate_audio"] is True
    assert models["simulator/text-only"]["supported_frame_images"] == []
    assert models["runway/aleph-2"]["supported_durations"] is None


def test_job_goes_from_pending_over_in_progress_to_completed(sim: Simulator, client: Client) -> None:
    sim.settings(seconds_pending=10, seconds_to_ready=40)
    job = client.accepted(duration=4)
    assert job["status"] == "pending"
    assert set(job) == {"id", "polling_url", "status"}
    assert client.poll(job)["status"] == "pending"
    sim.advance(11)
    running = client.poll(job)
    assert running["status"] == "in_progress"
    assert running["generation_id"]
    assert "unsigned_urls" not in running
    sim.advance(30)
    done = client.poll(job)
    assert done["status"] == "completed"
    assert done["usage"] == {"cost": 0.2, "is_byok": False}
    assert done["unsigned_urls"] == [f"{sim.url}/api/v1/videos/{job['id']}/content?index=0"]
    assert len(done["urls"]) == 1
    assert isinstance(done["expires_at"], int)
    assert "error" not in done


def test_job_completes_on_exactly_its_nth_poll(sim: Simulator, client: Client) -> None:
    sim.settings(polls_to_ready=60)
    job = client.accepted()
    statuses = [client.poll(job)["status"] for _ in range(60)]
    assert statuses[0] == "pending"
    assert set(statuses[1:59]) == {"in_progress"}
    assert statuses[59] == "completed"
    assert sim.jobs()[0]["polls"] == 60


def test_job_may_be_completed_in_the_answer_to_its_submit(sim: Simulator, client: Client) -> None:
    sim.settings(complete_on_submit=True, submit_status=200, seconds_to_ready=90)
    answer = client.submit()
    assert answer.status == 200
    assert answer.json()["status"] == "completed"
    assert client.clip(answer.json())


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_job_can_end_badly(sim: Simulator, client: Client, status: str) -> None:
    sim.settings(fail_with={"status": status, "error": "The content policy forbids this."})
    job = client.poll(client.accepted())
    assert job["status"] == status
    assert job["error"] == "The content policy forbids this."
    assert job["usage"] == {"cost": None, "is_byok": False}
    assert "unsigned_urls" not in job
    assert client.call("GET", f"/api/v1/videos/{job['id']}/content").status == 409


def test_cost_follows_model_seconds_and_resolution(sim: Simulator, client: Client) -> None:
    assert client.completed(model="google/veo-3.1", duration=8)["usage"]["cost"] == 3.2
    assert client.completed(duration=6, resolution="1080p", generate_audio=False)["usage"]["cost"] == 0.3
    assert client.completed(model="simulator/sizes-only", duration=4, size="1280x720")["usage"]["cost"] == 1.2
    assert sim.charged_usd() == 4.7
    ledger = client.call("GET", "/_simulator/jobs").json()
    assert (ledger["total"], ledger["charged_usd"]) == (3, 4.7)


@pytest.mark.slow
def test_job_can_have_several_outputs(sim: Simulator, client: Client) -> None:
    sim.settings(outputs=3)
    job = client.completed()
    clips = [client.clip(job, index) for index in range(3)]
    assert len(set(clips)) == 3
    for index in ("3", "-1", "first"):
        refusal = client.call("GET", f"/api/v1/videos/{job['id']}/content?index={index}")
        assert refusal.status == 400
        assert refusal.json()["error"]["metadata"]["parameter"] == "index"


def test_addresses_can_be_relative_or_missing(sim: Simulator, client: Client) -> None:
    sim.settings(relative_polling_url=True, unsigned_urls=False, signed_urls=False)
    job = client.completed()
    assert job["polling_url"] == f"/api/v1/videos/{job['id']}"
    assert "unsigned_urls" not in job
    assert "urls" not in job


def test_signed_addresses_work_without_a_key_until_they_expire(sim: Simulator, client: Client) -> None:
    sim.settings(output_ttl_seconds=100)
    job = client.completed()
    stranger = Client(sim, key=None)
    answer = stranger.call("GET", job["urls"][0])
    assert answer.status == 200
    assert answer.data == client.clip(job)
    assert stranger.call("HEAD", job["urls"][0]).status == 405
    assert stranger.call("GET", job["urls"][0][:-2] + "00").status == 403
    assert stranger.call("GET", job["urls"][0].replace("/0?", "/1?")).status == 403
    sim.advance(101)
    assert stranger.call("GET", job["urls"][0]).status == 403
    assert client.call("GET", job["unsigned_urls"][0]).status == 410


def test_content_may_redirect_to_storage(sim: Simulator, client: Client) -> None:
    sim.settings(content_redirect=True, storage_head=True)
    job = client.completed()
    answer = client.call("GET", job["unsigned_urls"][0])
    assert answer.status == 302
    storage = Client(sim, key=None)
    assert storage.call("HEAD", answer.headers["Location"]).status == 200
    assert storage.call("GET", answer.headers["Location"]).data[4:8] == b"ftyp"
    assert [seen["authorization"] for seen in sim.requests("storage")] == [False, False]


def test_content_is_served_in_ranges(sim: Simulator, client: Client) -> None:
    job = client.completed()
    address = job["unsigned_urls"][0]
    whole = client.call("GET", address)
    size, etag = len(whole.data), whole.headers["ETag"]
    assert whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["Accept-Ranges"] == "bytes"
    first = client.call("GET", address, Range="bytes=0-0")
    assert (first.status, first.data) == (206, whole.data[:1])
    assert first.headers["Content-Range"] == f"bytes 0-0/{size}"
    assert client.call("GET", address, Range="bytes=10-").data == whole.data[10:]
    assert client.call("GET", address, Range="bytes=-7").data == whole.data[-7:]
    assert client.call("GET", address, Range="bytes=5-2").status == 200
    beyond = client.call("GET", address, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert client.call("GET", address, Range="bytes=1-3", If_Range=etag).status == 206
    assert client.call("GET", address, Range="bytes=1-3", If_Range='"other"').status == 200
    sim.settings(ranges=False)
    assert client.call("GET", address, Range="bytes=0-0").status == 200


def test_large_outputs_are_padded_and_stay_videos(sim: Simulator, client: Client) -> None:
    sim.settings(pad_to_bytes=3_000_000)
    clip = client.clip(client.completed())
    assert len(clip) == 3_000_000
    assert clip[4:8] == b"ftyp"
    assert b"free" in clip


def test_previous_job_must_be_a_completed_one_of_the_same_model(sim: Simulator, client: Client) -> None:
    first = client.completed()
    assert client.completed(previous_job_id=first["id"])["id"] != first["id"]
    sim.settings(seconds_to_ready=100)
    unfinished = client.accepted()
    for refused in (
        client.submit(previous_job_id="vgen-none"),
        client.submit(previous_job_id=unfinished["id"]),
        client.submit(previous_job_id=first["id"], model="google/veo-3.1"),
    ):
        assert refused.status == 400
        assert refused.json()["error"]["metadata"]["parameter"] == "previous_job_id"


@pytest.mark.slow
def test_a_hundred_requests_at_once_are_answered(sim: Simulator, client: Client) -> None:
    picture = sim.image_url("first.jpg", 64, 36)

    def one(number: int) -> str:
        job = client.accepted(prompt=f"clip {number}", frame_images=[frame(picture)])
        deadline = time.monotonic() + 60
        while client.poll(job)["status"] != "completed":  # the one clip is rendered while others are asked about
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return str(job["id"])

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        ids = list(pool.map(one, range(100)))
    assert len(set(ids)) == 100
    assert len(sim.jobs()) == 100
    assert sim.renders() == 1
