"""The tasks of the video machine: what they are given, what they answer, and errors that keep their facts."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stillmotion.errors import StillmotionError, from_workflow
from stillmotion.generation.backoff import submit_again_after
from stillmotion.generation.record_failure import Failures, generation_error, polling_timed_out
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.public import http_view
from stillmotion.jobs.record import Job
from stillmotion.modelgates.job import Outcome, classify
from stillmotion.outbound.redaction import redact_all
from stillmotion.ports import JobStore
from stillmotion.stepfunctions.execution_input import ExecutionInput, Unreadable, read_input
from stillmotion.telemetry import Handler, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def for_machine(job: Job, interval: int) -> dict[str, Any]:
    """What the Submit state hands on: ids and the outcome so far, never a body. ``interval`` is in seconds."""
    return {"id": job.id, "outcome": str(job.last_said), "wait_seconds": interval}


def duplicate(first: Job) -> dict[str, Any]:
    """What the Submit state answers when another execution has this job: the first job's id."""
    return {"id": first.id, "outcome": "duplicate", "wait_seconds": 0}


def ignored(job_id: str) -> dict[str, Any]:
    """What the Submit state answers for an object that starts nothing."""
    return {"id": job_id, "outcome": "ignored", "wait_seconds": 0}


def not_accepted(job_id: str, error: StillmotionError, attempt: int) -> dict[str, Any]:
    """What the Submit state answers when the submit may be repeated later, and in how many seconds."""
    return {"id": job_id, "outcome": "not_accepted", "wait_seconds": submit_again_after(error, attempt)}


@dataclass(frozen=True, slots=True)
class Ended:
    """The state of an execution that ends without a video, and the execution's ARN."""

    state: Mapping[str, Any]
    execution_arn: str

    @property
    def started(self) -> ExecutionInput:
        return read_input(self.state["input"], self.execution_arn)

    def error(self, job: Job | None) -> StillmotionError:
        """Why: a caught error, the provider's terminal status, or no polls left."""
        caught = self.state.get("error")
        if caught is not None:
            return from_workflow(str(caught.get("Error", "")), str(caught.get("Cause", "")))
        outcome = classify(self.state["job"]["outcome"])
        if outcome is Outcome.WAITING:
            return polling_timed_out(self.state["polls"]["count"])
        return generation_error(outcome, None if job is None else job.provider.error)


def record_failure(ended: Ended, store: JobStore, failures: Failures) -> dict[str, Any]:
    """End the execution's own job, or put a refused request on record.

    Answers ``error`` and ``cause`` for Fail, the job's ``id``, and the ``outcome``: ``ended``, or ``confirming`` for a
    job that is not ended, because its submit outcome is unknown. Then the execution keeps waiting for a callback.
    """
    started = ended.started
    job = _own_job(ended, store)
    # Without a record the request never became a job: for example because the model list was not available at any
    # attempt.
    if job is None and "job" in ended.state and store.find(ended.state["job"]["id"]) is not None:
        return _taken_over(ended.state["job"]["id"], ended.error(None))
    if job is None:
        job = failures.refuse(started.refused(), ended.error(None))
    else:
        job = failures.record(job.id, ended.error(job))
    return failure_output(job, ended.error(job))


def failure_output(job: Job, error: StillmotionError) -> dict[str, Any]:
    """The ``error`` and ``cause`` of a failed execution: the public part of the job's error, or else this one."""
    shown = http_view(job).get("error") or error.as_record()
    return _output(job.id, shown, "confirming" if job.status is Status.CONFIRMING else "ended")


def _output(job_id: str, shown: dict[str, Any], outcome: str) -> dict[str, Any]:
    cause = json.dumps({"id": job_id} | redact_all(shown), ensure_ascii=False)
    return {"error": shown["code"], "cause": cause, "id": job_id, "outcome": outcome}


def _taken_over(job_id: str, error: StillmotionError) -> dict[str, Any]:
    """The output of an execution whose job another one has taken over: the other one reports how the job ends."""
    return _output(job_id, error.as_record(), "ended")


def _own_job(ended: Ended, store: JobStore) -> Job | None:
    """The job that this execution works on; one of another execution with the same key is not touched."""
    started = ended.started
    if "job" not in ended.state and isinstance(started, Unreadable):
        return None
    job = store.find(ended.state["job"]["id"] if "job" in ended.state else started.job_id)
    return job if job is not None and job.execution_arn == ended.execution_arn else None


def task(handler: Handler) -> Handler:
    """A workflow task's handler: its errors go to the state machine as JSON, and their causes only to the log."""

    @functools.wraps(handler)
    def wrapped(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        try:
            return handler(event, context)
        except StillmotionError as error:
            logger.warning("task failed", extra={"code": error.code, "detail": error.detail})
            raise error.for_workflow() from None

    return wrapped
