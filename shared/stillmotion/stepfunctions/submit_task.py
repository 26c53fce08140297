"""The Submit task of the video machine: from whatever started the execution to a submitted job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillmotion.batches.item import AttemptState, attempt_state
from stillmotion.generation.submit import NOT_ACCEPTED, Origin, Submission
from stillmotion.jobs.record import Job
from stillmotion.jobs.store import get_job
from stillmotion.operations.resume import take_over
from stillmotion.ports import JobStore
from stillmotion.requests.video_request import parse_request
from stillmotion.stepfunctions.dropped_jobs import DroppedJobs
from stillmotion.stepfunctions.execution_input import (
    BatchRow,
    DroppedObject,
    ExecutionInput,
    HandedOver,
    Unreadable,
    read_input,
)
from stillmotion.stepfunctions.video_tasks import duplicate, for_machine, ignored, not_accepted


def submit(task: Mapping[str, Any], submission: Submission, store: JobStore, drops: DroppedJobs) -> dict[str, Any]:
    """Submit what an execution was started with.

    Args:
        task: ``{"input", "execution_arn", "interval", "attempt", "attempts"}``; the interval in seconds.

    Raises:
        ProviderThrottled, ProviderUnavailable: not accepted in the last attempt.
        StillmotionError: as :meth:`Submission.accept` and :meth:`Submission.submit` say.
    """
    started = read_input(task["input"], task["execution_arn"])
    try:
        job = _job_of(started, submission, store, drops)
        if job is None:
            return ignored(started.job_id)
        if job.execution_arn != started.execution_arn:
            return duplicate(job)
        return for_machine(submission.submit(job), task["interval"])
    except NOT_ACCEPTED as error:
        if task["attempt"] >= task["attempts"]:
            raise
        return not_accepted(started.job_id, error, task["attempt"])


def _job_of(started: ExecutionInput, submission: Submission, store: JobStore, drops: DroppedJobs) -> Job | None:
    """The job of an execution, on record; ``None`` for an object that starts nothing."""
    match started:
        case Unreadable():
            raise started.error
        case HandedOver():
            return get_job(store, started.job_id)
        case DroppedObject():
            return drops.find(started) or _accepted_drop(started, submission, drops)
        case BatchRow():
            job = _accepted(started, started.request, submission)
            return take_over(store, job, started.execution_arn) if attempt_state(job) is AttemptState.RESUMABLE else job
        case _:
            return _accepted(started, started.request, submission)


def _accepted_drop(started: DroppedObject, submission: Submission, drops: DroppedJobs) -> Job | None:
    asked = drops.read(started)
    if asked is None:
        return None
    request = parse_request(drops.completed(asked))
    return drops.earlier(started, asked) or _accepted(started, request.as_given(), submission)


def _accepted(started: ExecutionInput, request: Any, submission: Submission) -> Job:
    origin = Origin(started.source, started.owner, started.execution_arn)
    return submission.accept(parse_request(request), started.job_id, origin).job
