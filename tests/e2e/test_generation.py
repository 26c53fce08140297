"""From a picture to a stored clip, through the deployed stack."""

from pathlib import Path

import pytest
from PIL import Image

from local.cloud import LocalCloud
from local.paths import SAMPLE
from stillmotion_cli import generation, pictures
from tests.e2e.clips import psnr, read_clip
from tests.e2e.support import MIN_PSNR, Caller, SimulatorControl


def test_a_stored_picture_becomes_the_first_frame_of_a_stored_clip(caller: Caller, tmp_path: Path) -> None:
    job = caller.make(metadata={"shot": "7"})
    assert job["status"] == "completed", job
    size = generation.download(caller.stack, job, tmp_path / "clip.mp4")
    clip = read_clip(tmp_path / "clip.mp4")
    assert (clip.width, clip.height, clip.codec) == (1280, 720, "h264")
    assert clip.seconds == pytest.approx(4, abs=0.1)
    assert psnr(clip.first, Image.open(SAMPLE)) >= MIN_PSNR
    assert job["video"][0] | {"bucket": caller.stack.output_bucket, "bytes": size} == job["video"][0]
    assert job["metadata"] == {"shot": "7"}
    assert job["provider"]["status"] == "completed"
    assert job["completed_at"]


def test_two_pictures_become_both_ends_of_a_clip(caller: Caller, other_picture: Path, tmp_path: Path) -> None:
    job = caller.make(last_frame=pictures.upload(caller.stack, other_picture))
    generation.download(caller.stack, generation.require_completed(job), tmp_path / "clip.mp4")
    clip = read_clip(tmp_path / "clip.mp4")
    assert psnr(clip.first, Image.open(SAMPLE)) >= MIN_PSNR
    assert psnr(clip.last, Image.open(other_picture)) >= MIN_PSNR


def test_the_stored_object_says_what_it_is(caller: Caller) -> None:
    job = caller.make()
    video = job["video"][0]
    assert video["key"] == f"videos/{job['id']}.mp4"
    head = caller.stack.client("s3").head_object(Bucket=video["bucket"], Key=video["key"])
    assert head["ContentType"] == video["content_type"] == "video/mp4"
    assert head["ContentLength"] == video["bytes"]
    assert head["Metadata"]["job-id"] == job["id"]
    assert head["Metadata"]["model"] == job["request"]["model"]


def test_the_bus_tells_of_a_finished_clip(caller: Caller, cloud: LocalCloud) -> None:
    job = caller.make()
    event = cloud.events.wait_for("Video Generation Completed", job["id"])
    assert event["source"] == "stillmotion"
    assert event["detail"]["status"] == "completed"
    # Whoever asks for the job gets links to its videos besides; an event outlives them.
    [told], [shown] = event["detail"]["video"], job["video"]
    assert told == {name: value for name, value in shown.items() if name not in ("s3_uri", "url")}


def test_one_request_is_paid_once(caller: Caller, simulator: SimulatorControl) -> None:
    paid_before = len(simulator.jobs())
    job = caller.make()
    paid = simulator.jobs()[paid_before:]
    assert [entry["id"] for entry in paid] == [job["provider"]["job_id"]]
    assert job["usage"]["cost_usd"] == pytest.approx(paid[0]["charged_usd"])


def test_an_inline_picture_is_moved_into_the_bucket(caller: Caller, other_picture: Path, tmp_path: Path) -> None:
    job = caller.make(first_frame=pictures.data_url(other_picture))
    generation.download(caller.stack, generation.require_completed(job), tmp_path / "clip.mp4")
    assert psnr(read_clip(tmp_path / "clip.mp4").first, Image.open(other_picture)) >= MIN_PSNR
    kept_as = job["request"]["frame_images"][0]["image_url"]["url"]
    assert kept_as.startswith(f"s3://{caller.stack.input_bucket}/")
    assert "base64" not in caller.execution(job)["input"]


def test_a_poll_that_fails_does_not_fail_the_job(caller: Caller, simulator: SimulatorControl) -> None:
    with simulator.fault(on="poll", times=1, status=502):
        job = caller.make()
    assert job["status"] == "completed", job
