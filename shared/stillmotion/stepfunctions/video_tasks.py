"""Where the domain meets the state machine: starting executions, and errors that keep their facts on the way."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion.aws_errors import code_of
from stillmotion.errors import StillmotionError, StorageFailed, from_workflow
from stillmotion.generation.backoff import submit_again_after
from stillmotion.generation.record_failure import Failures, generation_error, polling_timed_out
from stillmotion.jobs.record import Job
from stillmotion.jobs.store import JobStore
from stillmotion.modelgates.job import Outcome, classify
from stillmotion.stepfunctions.execution_input import MachineInput
from stillmotion.telemetry import Handler, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_stepfunctions import SFNClient


def start(
    machine: SFNClient,
    machine_arn: str,
    job: Job,
    *,
    name: str | None = None,
    outcome: Outcome | None = None,
    wait_seconds: int = 0,
) -> str:
    """Start the job's execution, named by the job's id; one that runs already is the one that was wanted.

    Args:
        wait_seconds: before a job that is not submitted yet is submitted.

    Returns:
        The execution's ARN.

    Raises:
        StorageFailed: Step Functions did not take it.
    """
    name, outcome = name or job.id, outcome or job.last_said
    known = {"id": job.id, "submitted": job.provider.job_id is not None, "outcome": str(outcome)}
    handed_over = {"job": known | ({"wait_seconds": wait_seconds} if wait_seconds else {})}
    try:
        answer = machine.start_execution(stateMachineArn=machine_arn, name=name, input=json.dumps(handed_over))
        return answer["executionArn"]
    except (ClientError, BotoCoreError) as error:
        code = code_of(error)
        if code == "ExecutionAlreadyExists":
            return execution_arn(machine_arn, name)
        raise StorageFailed(f"Step Functions did not start job '{job.id}' ({code}).") from error


def stop(machine: SFNClient, job: Job) -> None:
    """End the job's execution; one that has ended, or was never started, is as wanted.

    Raises:
        StorageFailed: Step Functions did not take it.
    """
    if job.execution_arn is None:
        return
    try:
        machine.stop_execution(
            executionArn=job.execution_arn, error="GenerationCancelled", cause="cancelled by a caller"
        )
    except (ClientError, BotoCoreError) as error:
        code = code_of(error)
        if code not in ("ExecutionDoesNotExist", "ValidationException"):
            raise StorageFailed(f"Step Functions did not stop job '{job.id}' ({code}). Send the call again.") from error


def execution_arn(machine_arn: str, name: str) -> str:
    """The ARN of a standard execution by its machine's ARN and its name."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


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
    """What the Submit state answers when it may be sent again later, and in how many seconds."""
    return {"id": job_id, "outcome": "not_accepted", "wait_seconds": submit_again_after(error, attempt)}


@dataclass(frozen=True, slots=True)
class Ended:
    """The state of an execution that ends without a video, and the execution's ARN."""

    state: Mapping[str, Any]
    execution_arn: str

    @property
    def started(self) -> MachineInput:
        return MachineInput(self.state["input"], self.execution_arn)

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
    """End the execution's own job, or put a refused request on record; answers ``error`` and ``cause`` for Fail."""
    started = ended.started
    job = _own_job(ended, store)
    # Without a record the request never became a job: the model list could not be had, say, as often as it was asked.
    if job is None and "job" in ended.state and store.find(ended.state["job"]["id"]) is not None:
        return _taken_over(ended.state["job"]["id"], ended.error(None))
    if job is None:
        job = failures.refuse(started.refused(), ended.error(None))
    else:
        job = failures.record(job.id, ended.error(job))
    told = ended.error(job).as_record() if job.error is None else job.error.as_json()
    return {"error": told["code"], "cause": json.dumps({"id": job.id} | told, ensure_ascii=False)}


def _taken_over(job_id: str, error: StillmotionError) -> dict[str, Any]:
    """What an execution says of a job that another one has taken over meanwhile: how it ends is for that one to say."""
    return {"error": error.code, "cause": json.dumps({"id": job_id} | error.as_record(), ensure_ascii=False)}


def _own_job(ended: Ended, store: JobStore) -> Job | None:
    """The job that this execution works on; one of another execution with the same key is not touched."""
    try:
        job_id = ended.state["job"]["id"] if "job" in ended.state else ended.started.job_id()
    except StillmotionError:
        return None
    job = store.find(job_id)
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
