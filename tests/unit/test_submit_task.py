"""The Submit task over fakes: one way into a job for each variant of an execution's input."""

from __future__ import annotations

from typing import Any

import pytest

from stillmotion.drops.folder import DroppedRequest
from stillmotion.errors import InvalidRequest, JobNotFound, ProviderUnavailable
from stillmotion.jobs.lifecycle import Status
from stillmotion.stepfunctions.dropped_jobs import DroppedJobs
from stillmotion.stepfunctions.execution_input import read_input
from stillmotion.stepfunctions.submit_task import submit
from tests.support.fakes import MODEL, Bench, a_job, a_request

ARN = "arn:aws:states:eu-central-1:123456789012:execution:generate-video:one"
OTHER = ARN.replace(":one", ":other")
REQUEST = a_request().as_given()


class FixedDrops(DroppedJobs):
    """A drop folder in which every object makes this request, for the first time."""

    def __init__(self, bench: Bench, request: dict[str, Any] | None) -> None:
        self._store = bench.store
        self._made = request

    def read(self, started: Any) -> DroppedRequest | None:
        return None if self._made is None else DroppedRequest(self._made, True, "content", 0)

    def completed(self, asked: DroppedRequest) -> dict[str, Any]:
        return asked.asked

    def earlier(self, started: Any, asked: DroppedRequest) -> None:
        return None


def run(bench: Bench, data: Any, arn: str = ARN, attempt: int = 1, made: dict[str, Any] | None = None) -> Any:
    task = {"input": data, "execution_arn": arn, "interval": 30, "attempt": attempt, "attempts": 3}
    return submit(task, bench.submission, bench.store, FixedDrops(bench, made))


DROPPED = {
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "pictures"}, "object": {"key": "drop/a.png", "version-id": "v"}},
}
ROW = {"batch": {"id": "b", "item_id": "i", "owner": "alice"}, "request": REQUEST}
WAYS = {
    "direct": REQUEST | {"idempotency_key": "k"},
    "bus": {"detail-type": "Video Generation Requested", "source": "shop", "id": "e-1", "detail": REQUEST},
    "drop": DROPPED,
    "batch": ROW,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_request_becomes_one_job_with_its_source(way: str) -> None:
    bench, data = Bench(), WAYS[way]
    started = read_input(data, ARN)
    answer = run(bench, data, made=REQUEST)
    assert answer == {"id": started.job_id, "outcome": "waiting", "wait_seconds": 30}
    job = bench.job
    assert (job.id, job.source, job.owner) == (started.job_id, started.source, started.owner)
    assert (job.status, job.execution_arn, job.model) == (Status.IN_PROGRESS, ARN, MODEL)
    assert len(bench.provider.sent) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_repeated_task_pays_nothing_and_answers_the_same(way: str) -> None:
    bench = Bench()
    first = run(bench, WAYS[way], made=REQUEST)
    assert run(bench, WAYS[way], made=REQUEST) == first
    assert len(bench.provider.sent) == 1


@pytest.mark.parametrize("way", ["direct", "bus", "drop"])
def test_another_execution_of_the_same_request_is_a_duplicate(way: str) -> None:
    bench = Bench()
    first = run(bench, WAYS[way], made=REQUEST)
    answer = run(bench, WAYS[way], OTHER, made=REQUEST)
    assert answer == {"id": first["id"], "outcome": "duplicate", "wait_seconds": 0}
    assert bench.job.execution_arn == ARN


def test_a_later_run_of_a_batch_takes_over_an_item_that_is_open() -> None:
    bench = Bench()
    first = run(bench, ROW)
    assert run(bench, ROW, OTHER) == first
    assert bench.job.execution_arn == OTHER
    assert len(bench.provider.sent) == 1


def test_a_job_that_was_handed_over_is_gone_on_with() -> None:
    bench = Bench()
    bench.store.put(a_job(Status.QUEUED, id="vid_1", execution_arn=ARN))
    assert run(bench, {"job": {"id": "vid_1", "submitted": False}})["outcome"] == "waiting"
    assert len(bench.provider.sent) == 1
    with pytest.raises(JobNotFound):
        run(bench, {"job": {"id": "vid_2"}})


def test_an_object_that_starts_nothing_is_ignored() -> None:
    bench = Bench()
    assert run(bench, DROPPED)["outcome"] == "ignored"
    assert bench.store.jobs == {}


@pytest.mark.parametrize(
    "data", [REQUEST | {"idempotency_key": ""}, {"batch": {}, "request": REQUEST}, DROPPED | {"detail": {}}, [], 7]
)
def test_an_input_that_cannot_be_read_is_refused_and_pays_nothing(data: Any) -> None:
    bench = Bench()
    with pytest.raises(InvalidRequest):
        run(bench, data)
    assert (bench.store.jobs, bench.provider.sent) == ({}, [])


def test_a_submit_not_accepted_is_sent_again_until_the_last_attempt() -> None:
    bench = Bench()
    bench.provider.submits = [ProviderUnavailable("503")]
    assert run(bench, REQUEST)["outcome"] == "not_accepted"
    with pytest.raises(ProviderUnavailable):
        run(bench, REQUEST, attempt=3)
    assert bench.job.status is Status.QUEUED
