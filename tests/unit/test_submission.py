"""Taking requests on, and paying at most once whatever happens."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from stillmotion.errors import (
    IdempotencyConflict,
    ImageNotUsable,
    ProviderOutOfCredits,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
    StillmotionError,
    StorageFailed,
    SubmitInProgress,
    SubmitOutcomeUnknown,
    UnknownModel,
    UnsupportedByModel,
)
from stillmotion.generation.adopt import Adoption
from stillmotion.generation.submit import LEASE_SECONDS, CalledBack, Origin, Submission, request_hash
from stillmotion.jobs.lifecycle import END, TERMINAL, Status, Transition
from stillmotion.jobs.record import Job, ProviderState
from stillmotion.modelgates.job import ProviderJob
from stillmotion.outbound.guarded_client import GuardedClient
from stillmotion.requests.media import Images
from stillmotion.requests.whose_pictures import InputBucket
from stillmotion.storage.object_store import S3ObjectStore
from tests.support.fakes import Bench, Died, MemoryCallbacks, MemoryJobStore, a_request
from tests.support.pictures import picture


def submit_again(bench: Bench) -> Job | StillmotionError:
    """One more try at the paid call, as any later run makes it."""
    try:
        return bench.submission.submit(bench.job)
    except StillmotionError as error:
        return error


def test_a_request_is_put_on_record_before_anything_is_paid() -> None:
    bench = Bench()
    origin = Origin({"type": "http"}, "arn:alice", "arn:execution")
    accepted = bench.submission.accept(a_request(metadata={"order": "7"}), "vid_1", origin)
    assert not accepted.replayed
    job = bench.job
    assert job == accepted.job
    assert (job.status, job.owner, job.execution_arn) == (Status.QUEUED, "arn:alice", "arn:execution")
    assert (job.metadata, job.source) == ({"order": "7"}, {"type": "http"})
    assert job.expires_at is not None
    assert bench.provider.sent == []
    assert bench.events.sent == []


def test_submitting_records_the_providers_id_and_tells_of_it() -> None:
    bench = Bench()
    bench.provider.submits = [ProviderJob("job-1", "pending", "gen-1", "/poll/1", cost_usd=0.2)]
    job = bench.submission.submit(bench.accept())
    assert job.status is Status.IN_PROGRESS
    assert job.provider == ProviderState(job_id="job-1", generation_id="gen-1", status="pending", polling_url="/poll/1")
    assert job.usage.cost_usd == 0.2
    assert [dict(body) for body in bench.provider.sent] == [a_request().body()]
    assert bench.events.names == ["Submitted"]
    assert bench.fuse.effects == [
        "create",
        "update:submitting",
        "paid call",
        "update:in_progress",
        "event:Video Generation Submitted",
    ]


# What ModelGates answers → what the caller hears, how the record stands, and whether it may be sent again.
OUTCOMES: list[tuple[Any, type[Exception] | None, Status, bool]] = [
    (ProviderJob("job-1", "pending"), None, Status.IN_PROGRESS, False),
    (ProviderJob("job-1", "completed"), None, Status.IN_PROGRESS, False),
    (ProviderThrottled("429"), ProviderThrottled, Status.QUEUED, True),
    (ProviderUnavailable("503"), ProviderUnavailable, Status.QUEUED, True),
    (ProviderRejected("400"), ProviderRejected, Status.SUBMITTING, False),
    (ProviderUnauthorized("401"), ProviderUnauthorized, Status.SUBMITTING, False),
    (ProviderOutOfCredits("402"), ProviderOutOfCredits, Status.SUBMITTING, False),
    (SubmitOutcomeUnknown("lost"), SubmitOutcomeUnknown, Status.SUBMITTING, False),
    (ValueError("a bug"), SubmitOutcomeUnknown, Status.SUBMITTING, False),
    (MemoryError(), SubmitOutcomeUnknown, Status.SUBMITTING, False),
    (Died("killed"), Died, Status.SUBMITTING, False),
]


@pytest.mark.parametrize(("answer", "heard", "status", "again"), OUTCOMES, ids=lambda value: type(value).__name__)
def test_a_job_is_sent_again_only_when_it_was_certainly_not_accepted(
    answer: Any, heard: type[Exception] | None, status: Status, again: bool
) -> None:
    bench = Bench()
    bench.provider.submits = [answer]
    job = bench.accept()
    if heard is None:
        bench.submission.submit(job)
    else:
        with pytest.raises(heard):
            bench.submission.submit(job)
    assert bench.job.status is status
    assert len(bench.provider.sent) == 1
    bench.provider.submits = [ProviderJob("job-2", "pending")]
    within = submit_again(bench)
    bench.store.age("vid_1")
    after = submit_again(bench)
    assert len(bench.provider.sent) == (2 if again else 1)
    if status is Status.SUBMITTING:
        assert isinstance(within, SubmitInProgress)
        assert isinstance(after, SubmitOutcomeUnknown)


@pytest.mark.parametrize("die_after", range(1, 6))
def test_wherever_the_process_dies_no_second_paid_call_is_made(die_after: int) -> None:
    bench = Bench(die_after)
    with pytest.raises(Died):
        bench.submission.submit(bench.accept())
    for seconds in (0, 10, LEASE_SECONDS - 1, LEASE_SECONDS + 1, 86400):
        bench.store.age("vid_1", seconds)
        submit_again(bench)
        bench.submission.accept(a_request(), "vid_1", Origin({"type": "test"}))
    assert len(bench.provider.sent) == (0 if die_after == 2 else 1)


@pytest.mark.parametrize(("die_after", "unknown"), [(1, False), (2, True), (3, True), (4, False)])
def test_what_a_crashed_process_left_is_taken_over_or_unknown(die_after: int, unknown: bool) -> None:
    bench = Bench(die_after)
    with pytest.raises(Died):
        bench.submission.submit(bench.accept())
    bench.store.age("vid_1")
    assert isinstance(submit_again(bench), SubmitOutcomeUnknown) == unknown
    assert (bench.job.status is Status.IN_PROGRESS) != unknown


@pytest.mark.parametrize("status", [status for status in Status if status not in (Status.QUEUED, Status.SUBMITTING)])
def test_a_job_that_was_submitted_before_is_answered_as_it_is(status: Status) -> None:
    bench = Bench()
    job = bench.store.put(replace(bench.accept(), status=status))
    assert bench.submission.submit(job) == job
    assert bench.provider.sent == []


@pytest.mark.parametrize("afterwards", [Status.SUBMITTING, Status.QUEUED])
def test_the_loser_of_two_claims_pays_nothing_and_comes_back(
    afterwards: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    seen = bench.accept()
    bench.store.put(replace(seen, status=Status.SUBMITTING))
    monkeypatch.setattr(bench.store, "find", lambda _: replace(seen, status=afterwards))
    with pytest.raises(SubmitInProgress):
        bench.submission.submit(seen)
    assert bench.provider.sent == []


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, *sorted(TERMINAL)])
def test_the_loser_of_two_claims_goes_on_with_what_the_winner_made_of_it(status: Status) -> None:
    bench = Bench()
    seen = bench.accept()
    bench.store.put(replace(seen, status=status))
    assert bench.submission.submit(seen).status is status
    assert bench.provider.sent == []


def test_an_accepted_job_that_cannot_be_recorded_is_unknown_with_id() -> None:
    bench = Bench()
    job = bench.accept()
    bench.store.down = {"update:in_progress"}
    with pytest.raises(SubmitOutcomeUnknown, match="job-1"):
        bench.submission.submit(job)
    bench.store.down = set()
    bench.store.age("vid_1")
    assert isinstance(submit_again(bench), SubmitOutcomeUnknown)
    assert len(bench.provider.sent) == 1


def test_an_accepted_job_that_ended_meanwhile_keeps_its_end_and_id() -> None:
    bench = Bench()
    job = bench.accept()

    def ended_meanwhile(job_id: str, changes: dict[str, Any]) -> None:
        if changes.get("status") is Status.IN_PROGRESS:
            bench.store.put(replace(bench.job, status=Status.SUBMIT_UNKNOWN))

    bench.store.before_update = ended_meanwhile
    with pytest.raises(SubmitOutcomeUnknown, match="job-1"):
        bench.submission.submit(job)
    assert bench.job.status is Status.SUBMIT_UNKNOWN


class Forgetful(MemoryJobStore):
    """A table that makes every write, loses its answer, and is asked again, as the SDK does."""

    def create(self, job: Job) -> bool:
        super().create(job)
        return super().create(job)

    def update(self, job_id: str, transition: Transition, **changes: Any) -> Job:  # type: ignore[override]
        super().update(job_id, transition, **changes)
        return super().update(job_id, transition, **changes)


def test_a_write_whose_answer_was_lost_is_known_again_as_our_own() -> None:
    bench = Bench(store=Forgetful())
    accepted = bench.submission.accept(a_request(), "vid_1", Origin({"type": "test"}))
    assert not accepted.replayed
    assert bench.submission.submit(accepted.job).provider.job_id == "job-1"
    assert len(bench.provider.sent) == 1
    claimed = bench.store.put(replace(bench.job, status=Status.SUBMITTING))
    assert bench.submission._record(claimed, ProviderJob("job-1", "pending")).provider.job_id == "job-1"
    bench.store.put(claimed)
    bench.provider.submits = [ProviderThrottled("429")]
    with pytest.raises(ProviderThrottled):
        bench.submission._pay(claimed, {})
    assert bench.job.status is Status.QUEUED


def test_a_job_ended_during_submit_keeps_its_provider_id() -> None:
    bench = Bench()
    bench.accept()

    def ended(job_id: str, changes: dict[str, Any]) -> None:
        if "provider" in changes:
            bench.store.before_update = None
            bench.store.update(job_id, END[Status.SUBMIT_UNKNOWN])

    bench.store.before_update = ended
    with pytest.raises(SubmitOutcomeUnknown, match="job-1"):
        bench.submission.submit(bench.job)
    assert (bench.job.status, bench.job.provider.job_id) == (Status.SUBMIT_UNKNOWN, "job-1")
    assert bench.job.resumable


def test_the_refusal_is_reported_even_if_the_claim_cannot_be_released() -> None:
    bench = Bench()
    bench.accept()
    bench.provider.submits = [ProviderThrottled("429", retry_after=3600)]
    bench.store.down = {"update:queued"}
    with pytest.raises(ProviderThrottled) as told:
        bench.submission.submit(bench.job)
    assert told.value.retry_after == 3600


def test_an_event_that_cannot_be_sent_fails_no_paid_job() -> None:
    bench = Bench()
    bench.events.down = True
    assert bench.submission.submit(bench.accept()).status is Status.IN_PROGRESS
    assert bench.job.status is Status.IN_PROGRESS


@pytest.mark.parametrize("error", [ImageNotUsable("gone"), StorageFailed("S3")])
def test_what_fails_before_the_claim_leaves_the_job_queued_and_unpaid(error: Exception) -> None:
    bench = Bench()
    job = bench.accept()
    bench.images.unsendable = error
    with pytest.raises(type(error)):
        bench.submission.submit(job)
    assert bench.job.status is Status.QUEUED
    assert bench.provider.sent == []


def test_the_same_id_with_the_same_request_gives_the_job_that_is_there() -> None:
    bench = Bench()
    first = bench.accept()
    bench.images.refuses = ImageNotUsable("the picture is gone by now")
    again = bench.submission.accept(a_request(), "vid_1", Origin({"type": "other"}))
    assert (again.job, again.replayed) == (first, True)


def test_the_same_id_with_another_request_is_a_conflict() -> None:
    bench = Bench()
    bench.accept()
    with pytest.raises(IdempotencyConflict, match="vid_1"):
        bench.accept(prompt="something else")
    assert len(bench.store.jobs) == 1


def test_equal_requests_have_equal_hashes_whatever_their_order() -> None:
    one = a_request(trace={"a": 1, "b": 2}, metadata={"x": "1", "y": "2"})
    same = a_request(metadata={"y": "2", "x": "1"}, trace={"b": 2, "a": 1})
    assert request_hash(one) == request_hash(same)
    assert request_hash(one) != request_hash(a_request(trace={"a": 1, "b": 2}, metadata={"x": "1"}))


@pytest.mark.parametrize(
    ("changes", "error"), [({"model": "nobody/none"}, UnknownModel), ({"duration": 5}, UnsupportedByModel)]
)
def test_what_the_model_does_not_offer_leaves_no_record(changes: dict[str, Any], error: type[Exception]) -> None:
    bench = Bench()
    with pytest.raises(error):
        bench.accept(**changes)
    bench.images.refuses = ImageNotUsable("404")
    with pytest.raises(ImageNotUsable):
        bench.accept()
    assert bench.fuse.effects == []


def test_an_inline_picture_is_uploaded_and_appears_nowhere_else() -> None:
    inline = "data:image/png;base64," + base64.b64encode(picture("PNG")).decode()
    good, broken = (
        a_request(frame_images=[{"image_url": {"url": url}, "frame_type": "first_frame"}])
        for url in (inline, inline + "!")
    )
    bench, origin = Bench(), Origin({"type": "test"})
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="pictures")
        images = Images(S3ObjectStore(s3), InputBucket("pictures", "shared/"), GuardedClient())
        door = Submission(bench.store, bench.provider, bench.catalogue, images, bench.events)
        job = door.submit(door.accept(good, "vid_1", origin).job)
        assert door.accept(good, "vid_1", origin).replayed
        key = job.request["frame_images"][0]["image_url"]["url"].removeprefix("s3://pictures/")
        assert s3.get_object(Bucket="pictures", Key=key)["ContentType"] == "image/png"
        with pytest.raises(ImageNotUsable) as refused:
            door.accept(broken, "vid_2", origin)
    told = json.dumps([job.as_json(), bench.events.sent, refused.value.as_record()])
    assert inline[60:100] not in told


class Addresses:
    def __init__(self, address: str | None) -> None:
        self._address = address

    def address(self, job_id: str) -> str | None:
        return None if self._address is None else f"{self._address}/{job_id}"


@pytest.mark.parametrize("base", ["https://call.example.com", None])
def test_modelgates_gets_the_callbacks_address_and_the_record_does_not(base: str | None) -> None:
    bench = Bench()
    adoption = Adoption(bench.store, MemoryCallbacks(), bench.provider, bench.events)
    answered = CalledBack(Addresses(base), adoption)
    submission = Submission(
        bench.store, bench.provider, bench.catalogue, bench.images, bench.events, called_back=answered
    )
    submission.submit(bench.accept())
    [sent] = bench.provider.sent
    assert sent.get("callback_url") == (None if base is None else f"{base}/vid_1")
    assert "call.example.com" not in json.dumps(bench.job.as_json()) + json.dumps(bench.events.sent)
