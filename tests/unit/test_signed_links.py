"""A link that a caller signed stays on record for as long as something needs it, and no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillmotion.generation.deliver import Delivery
from stillmotion.generation.publish import Publishing
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, JobError, ProviderState
from tests.support.fakes import Bench, a_job, a_request

ADDRESS, SECRET = "https://pictures.example.com/cat.png", "X-Amz-Signature=planted"
FRAME = {"type": "image_url", "image_url": {"url": f"{ADDRESS}?{SECRET}"}, "frame_type": "first_frame"}


def a_signed_job(status: Status, **changes: object) -> Job:
    return replace(a_job(status), request=a_request(frame_images=[FRAME]).as_given(), **changes)  # type: ignore[arg-type]


def published(job: Job) -> Job:
    bench = Bench()
    return Publishing(bench.store, bench.events).publish(bench.store.put(job))


@pytest.mark.parametrize(("inspected", "kept"), [(True, True), (False, False)])
def test_a_delivered_job_keeps_it_for_its_inspection(inspected: bool, kept: bool) -> None:
    bench = Bench()
    bench.store.put(a_signed_job(Status.IN_PROGRESS))
    delivery = Delivery(bench.store, bench.provider, bench.videos, bench.events, inspected=inspected)
    job = delivery.deliver("vid_1")
    assert (SECRET in str(job.request)) == kept
    assert ADDRESS in str(job.request)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.FAILED, "GenerationFailed"),
        (Status.FAILED, "ProviderRejected"),
        (Status.CANCELLED, "GenerationCancelled"),
        (Status.EXPIRED, "GenerationExpired"),
    ],
)
def test_a_job_that_ended_for_good_loses_it(status: Status, code: str) -> None:
    job = published(a_signed_job(status, error=JobError(code=code, message="m")))
    assert SECRET not in str(job.as_json())
    assert ADDRESS in str(job.request)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.TIMED_OUT, "PollingTimedOut"),
        (Status.FAILED, "DownloadFailed"),
        (Status.SUBMIT_UNKNOWN, "SubmitOutcomeUnknown"),
    ],
)
def test_a_job_whose_clip_may_still_come_keeps_it(status: Status, code: str) -> None:
    assert SECRET in str(published(a_signed_job(status, error=JobError(code=code, message="m"))).request)


def test_one_that_is_given_up_and_was_never_named_loses_it() -> None:
    error = JobError(code="SubmitOutcomeUnknown", message="m")
    job = a_signed_job(Status.FAILED, error=error, provider=ProviderState())
    assert SECRET not in str(published(job).request)


def test_its_request_is_still_the_same_request() -> None:
    """The hash is taken of what the caller sent, so the same key finds the job."""
    job = a_signed_job(Status.CANCELLED, request_hash="of what was sent")
    assert published(job).request_hash == "of what was sent"
