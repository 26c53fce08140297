"""The one adapter of Step Functions: executions of both machines, by their ARNs, and the video machine's by their jobs.

An execution is named after its work (a job, a run), so that starting it twice starts it once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stillmotion.aws.errors import storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.jobs.record import Job
from stillmotion.modelgates.job import Outcome
from stillmotion.stepfunctions.execution_input import hand_over

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_GONE = frozenset({"ExecutionDoesNotExist", "InvalidArn"})
"""Step Functions keeps executions for 90 days after their end (*AWS Step Functions quotas*)."""

_NOT_WAITING = frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})
"""The token is of a wait that has ended: which of the three is answered depends on how long ago that was."""


class StepFunctions:
    """Executions by their ARNs: the :class:`~stillmotion.ports.BatchExecutions`."""

    def __init__(self, client: SFNClient) -> None:
        self._client = client

    def start(self, arn: str, given: Mapping[str, Any]) -> None:
        machine_arn, name = _machine_and_name(arn)
        try:
            with storage_errors(f"Step Functions did not start the execution '{name}'"):
                self._client.start_execution(stateMachineArn=machine_arn, name=name, input=json.dumps(given))
        except StorageFailed as error:
            if error.aws_code != "ExecutionAlreadyExists":
                raise

    def stop(self, arn: str, error: str, cause: str) -> None:
        """End an execution; one that has ended, or was never started, counts as stopped.

        Raises:
            StorageFailed: Step Functions did not stop it.
        """
        try:
            with storage_errors(f"Step Functions did not stop the execution '{_machine_and_name(arn)[1]}'"):
                self._client.stop_execution(executionArn=arn, error=error, cause=cause)
        except StorageFailed as failed:
            if failed.aws_code not in ("ExecutionDoesNotExist", "ValidationException"):
                raise

    def wake(self, task_token: str) -> None:
        """End the wait of a task; one that has ended counts as woken.

        Raises:
            StorageFailed: Step Functions did not take it.
        """
        try:
            with storage_errors("Step Functions did not end a wait"):
                self._client.send_task_success(taskToken=task_token, output="{}")
        except StorageFailed as error:
            if error.aws_code not in _NOT_WAITING:
                raise

    def running(self, arn: str) -> bool:
        try:
            with storage_errors("Step Functions did not describe an execution"):
                return self._client.describe_execution(executionArn=arn)["status"] == "RUNNING"
        except StorageFailed as error:
            if error.aws_code in _GONE:
                return False
            raise

    def item_counts(self, arn: str) -> dict[str, int]:
        try:
            with storage_errors("Step Functions did not count a batch's items"):
                runs = self._client.list_map_runs(executionArn=arn, maxResults=1)["mapRuns"]
                if not runs:
                    return {}
                counts = self._client.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]
        except StorageFailed as error:
            if error.aws_code in _GONE:
                return {}
            raise
        return {name: int(number) for name, number in counts.items() if isinstance(number, int)}


class VideoExecutions:
    """The executions of one generate machine: the :class:`~stillmotion.ports.Executions`."""

    def __init__(self, step_functions: StepFunctions, machine_arn: str) -> None:
        self._step_functions = step_functions
        self._machine_arn = machine_arn

    def arn(self, name: str) -> str:
        return execution_arn(self._machine_arn, name)

    def start(self, job: Job, name: str | None = None, outcome: Outcome | None = None, *, wait_seconds: int = 0) -> str:
        arn = self.arn(name or job.id)
        self._step_functions.start(arn, hand_over(job, outcome or job.last_said, wait_seconds))
        return arn

    def stop(self, job: Job) -> None:
        if job.execution_arn is not None:
            self._step_functions.stop(job.execution_arn, "GenerationCancelled", "cancelled by a caller")

    def running(self, arn: str) -> bool:
        return self._step_functions.running(arn)


def execution_arn(machine_arn: str, name: str) -> str:
    """The ARN of a standard execution by its machine's ARN and its name."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def _machine_and_name(arn: str) -> tuple[str, str]:
    """The ARN of an execution's machine, and the execution's name."""
    head, _, name = arn.rpartition(":")
    return head.replace(":execution:", ":stateMachine:"), name
