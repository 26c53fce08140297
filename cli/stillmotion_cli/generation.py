"""One generation from request to file: build, submit, wait, store."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.errors import GenerationFailed, StillRunning, Unreachable
from stillmotion_cli.stack import Stack

RUNNING = frozenset({"queued", "submitting", "in_progress", "delivering"})


def build_request(
    *,
    model: str,
    prompt: str | None,
    first_frame: str,
    last_frame: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The body of POST /videos. Frames are addresses; options that are None are left out."""
    frames = [("first_frame", first_frame)] + ([("last_frame", last_frame)] if last_frame else [])
    request = {"model": model, "prompt": prompt, **options}
    return {key: value for key, value in request.items() if value is not None} | {
        "frame_images": [
            {"type": "image_url", "image_url": {"url": url}, "frame_type": frame_type} for frame_type, url in frames
        ]
    }


def wait(
    client: ApiClient,
    job: Job,
    on_change: Callable[[Job], None],
    *,
    timeout: float,
    interval: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Job:
    """Look the job up every `interval` seconds until it is terminal; `on_change` hears of every look.

    Raises StillRunning after `timeout` seconds; the job itself goes on.
    """
    deadline = time.monotonic() + timeout
    on_change(job)
    while job["status"] in RUNNING:
        if time.monotonic() >= deadline:
            raise StillRunning(
                f"{job['id']} is {job['status']} after {timeout:.0f} s of waiting. It goes on and may still finish: "
                f"stillmotion watch {job['id']}"
            )
        sleep(interval)
        job = client.job(job["id"])
        on_change(job)
    return job


def require_completed(job: Job) -> Job:
    """The job again, if it has a video; otherwise GenerationFailed with our words and the provider's."""
    if job["status"] == "completed":
        return job
    error = job.get("error") or {}
    message = f"{job['id']} ended as {job['status']}: {error.get('code', 'no code')}: {error.get('message', '')}"
    if said := error.get("provider_message"):
        message += f"\nModelGates said: {said}"
    raise GenerationFailed(message)


def download(stack: Stack, job: Job, target: Path) -> int:
    """Store the job's first video at `target`, which appears only once it is complete. Returns its bytes."""
    if not job.get("video"):
        raise GenerationFailed(f"{job['id']} is {job['status']}, but its record names no stored video.")
    video = job["video"][0]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".stillmotion-") as folder:
        part = Path(folder) / "clip"
        try:
            stack.client("s3").download_file(video["bucket"], video["key"], str(part))
        except (BotoCoreError, ClientError) as error:
            raise Unreachable(f"s3://{video['bucket']}/{video['key']} cannot be read: {error}") from error
        size = part.stat().st_size
        if size != video["bytes"]:
            raise Unreachable(f"{size:,} of {video['bytes']:,} bytes arrived. Try again: stillmotion watch {job['id']}")
        part.replace(target)
    return size
