"""The executions of the generate machine, over Step Functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion.aws_errors import code_of
from stillmotion.errors import StorageFailed
from stillmotion.jobs.record import Job
from stillmotion.modelgates.job import Outcome
from stillmotion.stepfunctions import video_tasks

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class StateMachineExecutions:
    """Executions of one state machine, each named so that starting it twice is starting it once."""

    def __init__(self, machine: SFNClient, machine_arn: str) -> None:
        self._machine = machine
        self._machine_arn = machine_arn

    def arn(self, name: str) -> str:
        return video_tasks.execution_arn(self._machine_arn, name)

    def start(self, job: Job, name: str, outcome: Outcome) -> str:
        return video_tasks.start(self._machine, self._machine_arn, job, name=name, outcome=outcome)

    def stop(self, job: Job) -> None:
        video_tasks.stop(self._machine, job)

    def running(self, arn: str) -> bool:
        try:
            return self._machine.describe_execution(executionArn=arn)["status"] == "RUNNING"
        except (ClientError, BotoCoreError) as error:
            code = code_of(error)
            if code in ("ExecutionDoesNotExist", "InvalidArn"):
                return False
            raise StorageFailed(
                f"Step Functions did not tell of an execution ({code}). It is looked at again."
            ) from error
