"""One generation from request to file: build, wait, store."""

import time
from collections.abc import Callable, Mapping
from http.client import TOO_MANY_REQUESTS
from pathlib import Path
from typing import Any

from stillmotion_cli import downloads
from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.errors import ApiProblem, CommandError, GenerationFailed, StillRunning, Unreachable
from stillmotion_cli.shown import one_line
from stillmotion_cli.stack import Stack
from stillmotion_cli.units import clock, money
from stillmotion_cli.wording import OPTIONS, renamed

RUNNING = frozenset({"queued", "submitting", "confirming", "in_progress", "delivering"})
DEFAULT_INTERVAL = 5.0
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.5, 60.0


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
    interval: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Job:
    """Poll the job until it is terminal: every `interval` seconds, or as the API's Retry-After asks.

    `on_change` is called after every poll. Raises StillRunning after `timeout` seconds; the job keeps running.
    """
    deadline = time.monotonic() + timeout
    on_change(job)
    pause = interval or SHORTEST_INTERVAL
    while job["status"] in RUNNING:
        left = deadline - time.monotonic()
        if left <= 0:
            raise StillRunning(
                f"{job['id']} is {job['status']} after {clock(timeout)} of waiting. It keeps running and may still "
                "finish.",
                job,
                f"Keep waiting with: stillmotion watch {job['id']}",
            )
        sleep(min(pause, left))
        job = _poll(client, job)
        on_change(job)
        asked = DEFAULT_INTERVAL if client.last.retry_after is None else client.last.retry_after
        pause = interval or min(max(asked, SHORTEST_INTERVAL), LONGEST_INTERVAL)
    return job


def _poll(client: ApiClient, job: Job) -> Job:
    try:
        return client.job(job["id"])
    except CommandError as error:
        if isinstance(error, ApiProblem) and error.status == TOO_MANY_REQUESTS:
            return job  # asked again later: the job runs and is paid, whatever the API can answer now
        if isinstance(error, Unreachable) or error.exit_code == Unreachable.exit_code:
            error.hint = f"The job keeps running. Come back to it with: stillmotion watch {job['id']}"
        raise


def require_completed(job: Job, names: Mapping[str, str] = OPTIONS) -> Job:
    """The job again, if it has a video; otherwise raises GenerationFailed (or StillRunning) with our message and
    ModelGates'. `names` are what the user calls the fields of the API.
    """
    if job["status"] == "completed":
        return job
    error = job.get("error") or {}
    message = f"{job['id']} ended as {one_line(job['status'])}"
    message += f" ({one_line(error['code'])})" if error.get("code") else ""
    message += f"\n  {renamed(one_line(error['message']), names)}" if error.get("message") else ""
    if said := error.get("provider_message"):
        message += f"\n  ModelGates said: {one_line(said)}"
    if (most := (job.get("usage") or {}).get("may_have_cost_usd")) is not None:
        message += f"\n  It may have cost up to {money(most)}."
    kind = StillRunning if job["status"] == "timed_out" else GenerationFailed
    raise kind(message, job, next_step(job))


def next_step(job: Job) -> str | None:
    """What may be done with a job as it is, as a command."""
    if job["status"] in RUNNING:
        return f"Wait for it: stillmotion watch {job['id']}"
    if job["status"] == "completed":
        return f"Get the clip: stillmotion download {job['id']} -o clip.mp4"
    if job.get("resumable"):
        return f"Continue without paying again: stillmotion resume {job['id']} --wait"
    if job["status"] == "submit_unknown":
        return (
            "Look for it in your ModelGates account. If it is there: "
            f"stillmotion settle {job['id']} --provider-job-id ID. If not: stillmotion settle {job['id']} --abandon "
            "--not-charged. Operators of the stack can do this."
        )
    return None


def download(stack: Stack, job: Job, target: Path) -> int:
    """Store the job's first video at `target`, which appears only once it is complete. Returns its bytes."""
    return downloads.fetch(ApiClient(stack), job, 0, target).bytes
