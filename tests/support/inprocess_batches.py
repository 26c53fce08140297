"""Batches in one process: moto's interpreter runs the batch machine too, with the features that it lacks added here."""

from __future__ import annotations

import enum
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader import item_reader_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval.resource_output_transformer import (
    transformer,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.reader_config import (
    input_type as input_types,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from local.simulator import Simulator
from tests.support.inprocess import ACCOUNT, HANDLERS, REGION, ROLE, VALUES, Cloud, cloud
from tests.support.template import ROOT

BATCH_DEFINITION = ROOT / "workflows" / "generate_batch.asl.json"


class _InputTypes(enum.Enum):
    """The input types of moto, and JSON Lines."""

    CSV = "CSV"
    JSON = "JSON"
    JSONL = "JSONL"


class _JsonLines(transformer.ResourceOutputTransformer):
    def _eval_body(self, env: Any) -> None:
        _config, text = env.stack.pop(), env.stack.pop()
        env.stack.append([json.loads(line) for line in text.splitlines() if line.strip()])


def _start_nested(self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, **_: Any) -> None:
    """StartExecution of a nested machine; moto passes parameters on under Amazon States Language names."""
    given = {name[0].lower() + name[1:]: value for name, value in normalised_parameters.items()}
    started = boto3.client("stepfunctions").start_execution(**given)
    env.stack.append({"ExecutionArn": started["executionArn"]})


def _wait_for_nested(self: Any, env: Any, **_: Any) -> Callable[[], dict[str, Any] | None]:
    """The end of a nested execution as AWS reports it: States.TaskFailed with its description as the cause."""
    arn = env.stack.pop()["ExecutionArn"]

    def look() -> dict[str, Any] | None:
        found = boto3.client("stepfunctions").describe_execution(executionArn=arn)
        if found["status"] == "RUNNING":
            return None
        told = {name[0].upper() + name[1:]: value for name, value in found.items() if isinstance(value, str)}
        if found["status"] == "SUCCEEDED":
            return told | {"Output": json.loads(found["output"])}
        failed = TaskFailedEventDetails(
            error="States.TaskFailed", cause=json.dumps(told), resource="startExecution.sync:2", resourceType="states"
        )
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed),
                event_type=HistoryEventType.TaskFailed,
                event_details=EventDetails(taskFailedEventDetails=failed),  # type: ignore[typeddict-item]
            )
        )

    return look


class BatchCloud:
    """A stack that runs batches."""

    def __init__(self, stack: Cloud) -> None:
        self.stack = stack

    def set_up(self) -> None:
        """Make the batch machine."""
        boto3.client("stepfunctions").create_state_machine(
            name="generate-batch", definition=json.dumps(batch_definition()), roleArn=ROLE
        )

    def put(self, key: str, body: bytes | str, bucket: str = "pictures") -> str:
        """Store an object; its address."""
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def manifest(self, rows: list[dict[str, Any]], key: str = "shared/rows.jsonl") -> str:
        """Store rows as JSON Lines; their address."""
        return self.put(key, "".join(json.dumps(row) + "\n" for row in rows))

    def run(self, given: Any, name: str | None = None, seconds: float = 240) -> dict[str, Any]:
        """Run the batch machine on an input; the execution's description."""
        machine = boto3.client("stepfunctions")
        arn = machine.start_execution(
            stateMachineArn=VALUES["GenerateBatchStateMachine"],
            input=json.dumps(given),
            name=name or str(uuid.uuid4()),
        )["executionArn"]
        return self.stack.finish(arn, seconds)

    def read(self, key: str) -> str:
        """An object of the output bucket."""
        return boto3.client("s3").get_object(Bucket="clips", Key=key)["Body"].read().decode()

    def results(self, batch_id: str) -> list[dict[str, Any]]:
        """The batch's results."""
        return [json.loads(line) for line in self.read(f"batches/{batch_id}/results.jsonl").splitlines()]


def batch_definition() -> dict[str, Any]:
    """The batch machine's definition with its placeholders filled in."""
    arns = {f"{name}Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" for name in HANDLERS}
    arns |= {"GenerateVideoStateMachineArn": VALUES["GenerateVideoStateMachine"], "OutputBucketName": "clips"}
    arns["Partition"] = "aws"
    filled: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)\}", lambda m: arns[m[1]], BATCH_DEFINITION.read_text()))
    return filled


@contextmanager
def batch_cloud(simulator: Simulator, **options: Any) -> Iterator[BatchCloud]:
    """A stack for the length of the block."""
    known = item_reader_decl.resource_output_transformer_for  # type: ignore[attr-defined]

    def transformer_for(input_type: Any) -> Any:
        return _JsonLines() if input_type.input_type_value is _InputTypes.JSONL else known(input_type)

    with (
        patch.object(input_types, "InputTypeValue", _InputTypes),
        patch.object(item_reader_decl, "resource_output_transformer_for", transformer_for),
        patch.object(StateTaskServiceSfn, "_eval_service_task", _start_nested),
        patch.object(StateTaskServiceSfn, "_build_sync2_resolver", _wait_for_nested),
        patch.object(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.01),
        cloud(simulator, **options) as stack,
    ):
        made = BatchCloud(stack)
        made.set_up()
        yield made
