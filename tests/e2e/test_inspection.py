"""Delivered clips are inspected by the deployed stack: on record, beside the clip, and on the bus."""

import io
import json
from pathlib import Path
from typing import Any

import urllib3
from PIL import Image

from local.cloud import LocalCloud
from stillmotion_cli import pictures
from tests.e2e.support import MIN_PSNR, Caller, inspected


def opened(url: str) -> Image.Image:
    answer = urllib3.request("GET", url, timeout=10, retries=False)
    assert answer.status == 200
    return Image.open(io.BytesIO(answer.data))


def test_a_delivered_clip_is_inspected(caller: Caller, other_picture: Path, cloud: LocalCloud) -> None:
    last = pictures.upload(caller.stack, other_picture)
    job = inspected(caller, caller.make(last_frame=last, generate_audio=True))
    (found,), (video,) = job["inspection"]["videos"], job["video"]
    facts: dict[str, Any] = found["facts"]
    assert (facts["codec"], facts["width"], facts["height"], facts["frames"]) == ("h264", 1280, 720, 96)
    assert (facts["duration_seconds"], facts["sound"], facts["faststart"]) == (4.0, True, True)
    assert facts["bytes"] == video["bytes"]
    assert facts["decodes_to_end"] is True
    assert [one["frame"] for one in found["likeness"]] == ["first_frame", "last_frame"]
    assert all(one["psnr_db"] >= MIN_PSNR and one["ssim"] > 0.9 for one in found["likeness"])
    assert found["warnings"] == []
    assert opened(video["poster_url"]).size == opened(video["last_frame_url"]).size == (1280, 720)
    preview = opened(video["preview_url"])
    assert (preview.format, preview.n_frames) == ("WEBP", 32)  # type: ignore[attr-defined]
    published = cloud.events.wait_for("Video Inspected", job["id"])
    assert published["detail"]["inspection"] == job["inspection"]
    note = caller.stack.client("s3").get_object(Bucket=video["bucket"], Key=f"videos/{job['id']}.json")["Body"].read()
    assert json.loads(note)["inspection"] == job["inspection"]
