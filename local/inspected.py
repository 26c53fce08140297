"""What the stack itself found out about a job's clips, for `make run` to show."""

import time
from collections.abc import Iterator
from typing import Any

from stillmotion_cli.client import ApiClient, Job

PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.5


def wait_for_inspection(client: ApiClient, job: Job) -> Job:
    """The job with its `inspection`; without one where there is none after two minutes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "inspection" not in job and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        job = client.job(job["id"])
    return job


def findings(job: Job, given: dict[str, str]) -> Iterator[str]:
    """Lines about each clip and its ends; `given` are the pictures' names by `first_frame` and `last_frame`."""
    if "inspection" not in job:
        yield f"{job['id']} was not inspected within {PATIENCE_SECONDS} s."
        return
    for video, found in zip(job["video"], job["inspection"]["videos"], strict=True):
        if "problem" in found:
            yield f"{video['key']} could not be inspected: {found['problem']}"
            continue
        yield f"{video['key']}: {_facts(found['facts'])}"
        yield from (_likeness(one, given) for one in found["likeness"])


def warnings(job: Job) -> list[str]:
    """Everything that the inspection warns of, and why clips could not be inspected."""
    videos = job.get("inspection", {}).get("videos", ())
    problems = [found["problem"] for found in videos if "problem" in found]
    return problems + [warning for found in videos for warning in found["warnings"]]


def _facts(facts: dict[str, Any]) -> str:
    parts = [f"{facts['width']}x{facts['height']}"]
    if "duration_seconds" in facts:
        parts.append(f"{facts['duration_seconds']:.1f} s")
    if "frames" in facts:
        parts.append(f"{facts['frames']} frames")
    parts.append(f"{facts['codec']} {facts['pixel_format']} in {facts['container']}")
    parts.append(f"sound {facts.get('sound_codec', '')}".strip() if facts["sound"] else "no sound")
    if facts.get("faststart"):
        parts.append("index in front")
    parts.append(
        {True: "decodes to its end", False: "damaged", None: "too long to decode"}[facts.get("decodes_to_end")]
    )
    return ", ".join(parts)


def _likeness(found: dict[str, Any], given: dict[str, str]) -> str:
    beginning = f"The {found['frame'].replace('_', ' ')} against {given.get(found['frame'], 'its picture')}:"
    if "problem" in found:
        return f"{beginning} {found['problem']}"
    framing = f", {found['lost_share']:.0%} of the picture cropped" if found["lost_share"] else ""
    return f"{beginning} PSNR {found['psnr_db']:.1f} dB, SSIM {found['ssim']:.3f}{framing}"
