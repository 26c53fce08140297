"""What holds after every case, whatever was done to the stack: nothing paid for twice, nothing paid for lost."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3

from stillmotion.errors import ERRORS
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, timestamp
from tests.faults.table import count
from tests.faults.world import World
from tests.support.inprocess import OPERATOR
from tests.support.recovery import age

SECRETS = ("Bearer", "signature=", "X-Amz-Signature", "X-Amz-Credential")
MOTOS_OWN = "'dict' object has no attribute 'region'"
"""How moto ends an execution that is stopped in the middle of a task."""
OVER = frozenset({"GenerationFailed", "GenerationCancelled"})
"""Ends that ModelGates or the caller has chosen: there is no video to bring home any more."""


def assert_invariants(world: World, uploads_left: int = 0, *, needs_nobody: bool = False) -> None:
    """Hold the stack to what must be true, let it recover now that the fault is over, and hold it to that again.

    Args:
        uploads_left: how many unfinished uploads a process may leave that is dead before it can end them; the
            bucket's lifecycle rule takes them away.
        needs_nobody: every job that was paid for is completed before any operator does anything.
    """
    world.rest()
    count("faults tried")
    count("paid submits", len(world.simulator.jobs()))
    _nothing_is_paid_twice(world)
    _failed_executions_are_named(world)
    world.simulator.clear_faults()
    nothing_is_stuck(world)
    if needs_nobody:
        nothing_paid_waits_for_a_person(world)
    _nothing_paid_is_lost(world)
    _nothing_is_paid_twice(world)
    _what_is_counted_was_charged(world)
    _videos_records_and_events_agree(world)
    _no_id_is_on_two_records(world)
    _nothing_is_left_open(uploads_left)
    _nothing_secret_is_told(world)
    _failed_executions_are_named(world)


def paid_twice(world: World) -> dict[str, int]:
    """The prompts of jobs that were paid for more than once, and how often."""
    paid = Counter(job["request"]["prompt"] for job in world.simulator.jobs())
    return {prompt: number for prompt, number in paid.items() if number > 1}


def _nothing_is_paid_twice(world: World) -> None:
    twice = paid_twice(world)
    count("double payments", len(twice))
    assert not twice, f"paid more than once: {twice}"


def nothing_is_stuck(world: World) -> None:
    """A record that has not ended, or that nobody heard of, is found by the sweeper; it ends, and is told of."""
    for _ in range(3):
        waiting = [job for job in world.jobs() if not job.terminal or job.unpublished]
        for job in waiting:
            _age_an_hour(job)
        if not waiting:
            return
        swept = world.stack.invoke("SweepFunction", {})
        assert swept["checked"] >= len(waiting), swept
        world.rest()
    stuck = [(job.id, str(job.status)) for job in world.jobs() if not job.terminal or job.unpublished]
    count("stuck jobs", len(stuck))
    assert not stuck, f"neither ended nor found by the sweeper: {stuck}"


def _age_an_hour(job: Job) -> None:
    """An hour later, no job is still confirming: that is longer than all its polls take here."""
    hour = timedelta(hours=1)
    until = None if job.confirm_until is None else timestamp(datetime.fromisoformat(job.confirm_until) - hour)
    age(job.id, hour, **({} if until is None else {"confirm_until": until}))


def nothing_paid_waits_for_a_person(world: World) -> None:
    """Every job that was paid for is completed, if need be by the sweeps of the next hours."""
    for _ in range(3):
        paid = {job["request"]["prompt"] for job in world.simulator.jobs()}
        left = [job for job in world.jobs() if job.request.get("prompt") in paid and job.status is not Status.COMPLETED]
        if not left:
            return
        for job in left:
            _age_an_hour(job)
        world.stack.invoke("SweepFunction", {})
        world.rest()
    found = [(job.id, str(job.status), job.error and job.error.code) for job in left]
    raise AssertionError(f"paid for, and waiting for a person: {found}")


def _nothing_paid_is_lost(world: World) -> None:
    """Every job that was paid for ends with its video, where need be after an operator's settling and resuming."""
    paid = {job["request"]["prompt"]: job["id"] for job in world.simulator.jobs()}
    for _ in range(2):  # one that is settled may time out, and is resumed then
        records = {job.request.get("prompt"): job for job in world.jobs()}
        for prompt, provider_job_id in paid.items():
            job = records.get(prompt)
            assert job is not None, f"{provider_job_id} was paid for and is not on record"
            if job.status is not Status.COMPLETED and not _is_over(job):
                _bring_home(world, job, provider_job_id)
        world.rest()
    lost = [
        (job.id, str(job.status), job.error and job.error.code)
        for job in world.jobs()
        if job.request.get("prompt") in paid and job.status is not Status.COMPLETED and not _is_over(job)
    ]
    count("lost videos", len(lost))
    assert not lost, f"paid for and not brought home: {lost}"


def _is_over(job: Job) -> bool:
    over = job.error is not None and job.error.code in OVER
    return over or (job.status is Status.EXPIRED and not job.resumable)


def _bring_home(world: World, job: Job, provider_job_id: str) -> None:
    if job.status is Status.SUBMIT_UNKNOWN:
        world.stack.http("POST", f"/videos/{job.id}/settle", {"provider_job_id": provider_job_id}, caller=OPERATOR)
    else:
        world.stack.http("POST", f"/videos/{job.id}/resume")


def _what_is_counted_was_charged(world: World) -> None:
    """The day's counter is what ModelGates charged, once an operator has given up what it never accepted."""
    for job in world.jobs():
        if job.status is Status.SUBMIT_UNKNOWN:
            world.stack.http("POST", f"/videos/{job.id}/settle", {"abandon": True, "charged": False}, caller=OPERATOR)
    charged = sum((Decimal(str(job["charged_usd"])) for job in world.simulator.jobs()), Decimal(0))
    assert world.counted() == charged


def _videos_records_and_events_agree(world: World) -> None:
    """Completed on record, whole in S3 and told on the bus are one and the same; every other end is told too."""
    told: dict[str, set[str]] = {}
    for event in world.stack.events():
        told.setdefault(event["detail"]["id"], set()).add(event["detail-type"].removeprefix("Video Generation "))
        _holds_no_secret(world, json.dumps(event))
    s3, kept = boto3.client("s3"), set()
    for job in world.jobs():
        completed, ends = job.status is Status.COMPLETED, told.get(job.id, set())
        assert completed == bool(job.video) == ("Completed" in ends), (job.id, job.status, ends)
        assert completed or "Failed" in ends, (job.id, job.status, ends)
        for video in job.video:
            data = s3.get_object(Bucket=video.bucket, Key=video.key)["Body"].read()
            assert (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}") == (video.bytes, video.checksum)
            assert data == _master(world, job), f"{video.key} is not what ModelGates made"
            kept.add(video.key)
    listed = {found["Key"] for found in s3.list_objects_v2(Bucket="clips", Prefix="videos/").get("Contents", ())}
    assert {key for key in listed if key.endswith(".mp4")} == kept


def _no_id_is_on_two_records(world: World) -> None:
    held = Counter(job.provider.job_id for job in world.jobs() if job.provider.job_id is not None)
    assert not [provider_id for provider_id, number in held.items() if number > 1], held


def _master(world: World, job: Job) -> bytes:
    """The clip as ModelGates holds it, fetched without any of our code."""
    address = f"{world.simulator.url}/api/v1/videos/{job.provider.job_id}/content?index=0"
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {world.simulator.api_key}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        data: bytes = answer.read()
    return data


def _nothing_is_left_open(allowed: int) -> None:
    for bucket in ("clips", "pictures"):
        left = boto3.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        assert len(left) <= allowed, f"left open in {bucket}: {[upload['Key'] for upload in left]}"


def _nothing_secret_is_told(world: World) -> None:
    _holds_no_secret(world, world.written())
    for headers in world.foreign.headers:
        assert "Authorization" not in headers, "the key was sent to somebody else"


def _holds_no_secret(world: World, text: str) -> None:
    for secret in (world.simulator.api_key, *SECRETS):
        assert secret not in text, f"{secret} was told: …{text[max(text.find(secret) - 200, 0) :][:400]}…"


def _failed_executions_are_named(world: World) -> None:
    for ended in world.ended():
        if MOTOS_OWN in ended.get("cause", ""):
            continue
        assert ended["status"] in ("SUCCEEDED", "FAILED", "ABORTED"), _brief(ended)  # aborted: by a caller's cancel
        assert ended["status"] != "FAILED" or ended.get("error") in ERRORS, _brief(ended)


def _brief(ended: dict[str, Any]) -> dict[str, Any]:
    return {name: ended.get(name) for name in ("name", "status", "error", "cause")}
