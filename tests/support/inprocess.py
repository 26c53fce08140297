"""Stillmotion in one process: moto's AWS running the real state machine, the real handlers, and the simulator.

Lambda invocations of the state machine are routed to the handlers with JSON in between, as Lambda does it. Waits and
retry pauses are recorded and skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs

import boto3
import jsonpath_ng.ext
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackEndpoint
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import json_path

from local.simulator import Simulator
from stillmotion import wiring
from tests.support.template import ROOT, definition, function_environment, resources

ACCOUNT, REGION = "123456789012", "eu-central-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/stillmotion"
CALLBACK_SECRET = "made-by-secrets-manager"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/alice"
OPERATOR = f"arn:aws:iam::{ACCOUNT}:user/olga"
VALUES = {
    "OperatorRoleArns": OPERATOR,
    "JobTable": "jobs",
    "SpendTable": "days",
    "EventBus": "events",
    "InputBucket": "pictures",
    "OutputBucket": "clips",
    "BatchTable": "batches",
    "ApiKeySecret": "modelgates-key",
    "CallbackSecret": "callback-secret",
    "CallbackFunctionUrl": "https://abc.lambda-url.eu-central-1.on.aws/",
    "GenerateVideoStateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:generate-video",
    "GenerateBatchStateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:generate-batch",
}
HANDLERS = {
    "SubmitApiFunction": ("submit", "api_handler"),
    "SubmitTaskFunction": ("submit", "task_handler"),
    "PollFunction": ("poll", "handler"),
    "DeliverFunction": ("deliver", "handler"),
    "RecordFailureFunction": ("record_failure", "handler"),
    "JobsFunction": ("jobs", "handler"),
    "ControlFunction": ("control", "handler"),
    "SpendingFunction": ("spending", "handler"),
    "ModelsFunction": ("models", "handler"),
    "UploadsFunction": ("uploads", "handler"),
    "DocsFunction": ("docs", "handler"),
    "CallbackFunction": ("callback", "handler"),
    "BatchesFunction": ("batches", "handler"),
    "PrepareBatchFunction": ("prepare_batch", "handler"),
    "RecordItemFunction": ("record_item", "handler"),
    "CollectBatchFunction": ("collect_batch", "handler"),
    "InspectFunction": ("inspect", "handler"),
    "ExecutionEndedFunction": ("execution_ended", "handler"),
    "SweepFunction": ("sweep", "handler"),
}
TERMINAL = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")

# Made once, because making it takes longer than the tests themselves: boto3's clients (which moto serves whatever stack
# they were made in), parsed definitions and paths, checked schemas.
_new_client: Callable[..., Any] = boto3.client
_resource = cache(boto3.resource)
_clients: dict[Any, Any] = {}
_path, _event_path = cache(json_path.parse), cache(jsonpath_ng.ext.parse)  # type: ignore[attr-defined]
_definition_tree = cache(AmazonStateLanguageParser.parse)


@dataclass
class Context:
    """A Lambda context with what the handlers and Powertools read of it."""

    function_name: str = "stillmotion"
    memory_limit_in_mb: int = 512
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    seconds: float = 28.0
    invoked_function_arn: str = field(default=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:stillmotion")

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Crash(BaseException):
    """The process crashes at this point: no handler of ours may catch it."""


class Cloud:
    """One stack in one process. ``waits`` are the seconds of the Wait states, ``pauses`` those of retries."""

    def __init__(
        self, simulator: Simulator, *, poll_interval: int, max_polls: int, parameters: Mapping[str, str]
    ) -> None:
        self.simulator = simulator
        self.waits: list[int] = []
        self.pauses: list[float] = []
        self.invocations: list[tuple[str, dict[str, Any]]] = []
        self.poll_interval, self.max_polls = poll_interval, max_polls
        self.values = VALUES | {
            "ModelGatesBaseUrl": simulator.url,
            "TrustedOrigins": simulator.url,
            "ImageTransport": "inline",
            "PollIntervalSeconds": str(poll_interval),
            **parameters,
        }
        self.closed = False
        self.machine_arn = VALUES["GenerateVideoStateMachine"]
        self.patience = 0.02
        """How long an execution that waits for a callback really waits, in seconds; may be changed while one does."""
        self.began_to_wait = 0
        """How often an execution has begun to wait for a callback."""
        self.lock = threading.Lock()
        """Held while a function runs: one warm Lambda serves one call at a time, as Powertools counts on."""
        self._modules: dict[tuple[str, int], ModuleType] = {}

    def set_up(self) -> None:
        """Make the stack's resources in moto."""
        parts = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        for name, table in resources("AWS::DynamoDB::Table").items():
            given = {part: table[part] for part in parts if part in table}
            boto3.client("dynamodb").create_table(TableName=VALUES[name], **given)
        for bucket in ("pictures", "clips"):
            here: Any = {"LocationConstraint": REGION}
            boto3.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=here)
        secrets = boto3.client("secretsmanager")
        secrets.create_secret(Name="modelgates-key", SecretString=self.simulator.api_key)
        secrets.create_secret(Name="callback-secret", SecretString=CALLBACK_SECRET)
        self._listen()
        arns = {f"{name}Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" for name in HANDLERS}
        numbers = {"PollIntervalSeconds": str(self.poll_interval), "MaxPollAttempts": str(self.max_polls)}
        callbacks = {"Callbacks": self.values.get("EnableCallback", "false"), "JobTableName": VALUES["JobTable"]}
        machine = definition(**arns, **numbers, **callbacks)
        boto3.client("stepfunctions").create_state_machine(
            name="generate-video", definition=json.dumps(machine), roleArn=ROLE
        )

    def _listen(self) -> None:
        events, sqs = boto3.client("events"), boto3.client("sqs")
        events.create_event_bus(Name="events")
        queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="all", EventBusName="events", EventPattern=json.dumps({"source": ["stillmotion"]}))
        events.put_targets(Rule="all", EventBusName="events", Targets=[{"Id": "queue", "Arn": arn}])
        self._queue = queue

    def events(self) -> list[dict[str, Any]]:
        """Every event on the bus since the last call, oldest first, each checked against its published schema."""
        sqs, heard = boto3.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                event = json.loads(message["Body"])
                event_validator(event["detail-type"]).validate(event["detail"])
                heard.append(event)
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return heard

    def invoke(self, function: str, event: Any, context: Context | None = None) -> Any:
        """Call a function's handler as Lambda does: JSON in, JSON out, errors raised."""
        folder, handler = HANDLERS[function]
        event = json.loads(json.dumps(event))
        self.invocations.append((function, event))
        context = context or Context(seconds=resources("AWS::Serverless::Function")[function]["Timeout"])
        answer = getattr(self._module(folder), handler)(event, context)
        return json.loads(json.dumps(answer))

    def _module(self, folder: str) -> ModuleType:
        """The function's module, one for each thread: a Lambda environment serves one call at a time."""
        place = (folder, threading.get_ident())
        if place not in self._modules:
            spec = importlib.util.spec_from_file_location(f"app_{folder}", ROOT / "functions" / folder / "app.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self._modules[place] = module
        return self._modules[place]

    def http(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, caller: str = CALLER
    ) -> tuple[int, dict[str, str], Any]:
        """One HTTP call, as API Gateway hands it to the function behind the route."""
        function, event = api_event(method, path, body, headers=headers, caller=caller)
        answer = self.invoke(function, event)
        found = {name: values[0] for name, values in answer.get("multiValueHeaders", {}).items()}
        return answer["statusCode"], found | answer.get("headers", {}), json.loads(answer["body"])

    def close(self, seconds: float = 30.0) -> None:
        """End what still runs, so that no execution goes on in the next test's stack: its functions no longer answer.

        Raises:
            AssertionError: an execution does not end.
        """
        self.closed = True
        client, deadline = boto3.client("stepfunctions"), time.monotonic() + seconds
        for machine in client.list_state_machines()["stateMachines"]:
            arn = machine["stateMachineArn"]
            while running := client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
                assert time.monotonic() < deadline, f"still running after {seconds} s: {running}"
                time.sleep(0.01)

    def start(self, request: Any, name: str | None = None) -> str:
        """Start an execution with a request as input; its ARN."""
        machine, name = VALUES["GenerateVideoStateMachine"], name or str(uuid.uuid4())
        client = boto3.client("stepfunctions")
        return client.start_execution(stateMachineArn=machine, input=json.dumps(request), name=name)["executionArn"]

    def finish(self, execution_arn: str, seconds: float = 60.0) -> dict[str, Any]:
        """The execution's description once it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = boto3.client("stepfunctions").describe_execution(executionArn=execution_arn)
            if found["status"] in TERMINAL:
                return dict(found)
            time.sleep(0.01)
        raise AssertionError(f"{execution_arn} is still running after {seconds} s")

    def job(self, job_id: str) -> dict[str, Any]:
        """The job's record as ``GET /videos/{id}`` shows it."""
        status, _, body = self.http("GET", f"/videos/{job_id}")
        assert status == 200, body
        found: dict[str, Any] = body
        return found

    def states(self, execution_arn: str) -> list[str]:
        """The names of the states that the execution entered, in order."""
        pages = boto3.client("stepfunctions").get_paginator("get_execution_history")
        history = [event for page in pages.paginate(executionArn=execution_arn) for event in page["events"]]
        return [event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event]


@cache
def event_validator(detail_type: str) -> Validator:
    """Checks events of this kind against the JSON Schema that docs/events publishes for them."""
    published = ROOT / "docs" / "events" / f"{detail_type.lower().replace(' ', '-')}.schema.json"
    schema = json.loads(published.read_text())
    kind = validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def api_event(
    method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, caller: str = CALLER
) -> tuple[str, dict[str, Any]]:
    """An API Gateway proxy event (REST API, Lambda proxy integration, IAM authorizer), and the function it goes to."""
    sent = {"Content-Type": "application/json", "Host": "api.example.com"} | (headers or {})
    path, _, query = path.partition("?")
    many = parse_qs(query, keep_blank_values=True)
    function, resource, parameters = route(method, path)
    return function, {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": {name: values[-1] for name, values in many.items()} or None,
        "multiValueQueryStringParameters": many or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "api",
            "domainName": f"api.execute-api.{REGION}.amazonaws.com",
            "httpMethod": method,
            "identity": {"accountId": ACCOUNT, "userArn": caller, "sourceIp": "203.0.113.7"},
            "path": f"/v1{path}",
            "requestId": "11111111-1111-1111-1111-111111111111",
            "resourcePath": resource,
            "stage": "v1",
        },
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def route(method: str, path: str) -> tuple[str, str, dict[str, str]]:
    """The function, the resource and the path parameters of a call, by the routes in the template."""
    for function, properties in resources("AWS::Serverless::Function").items():
        for event in properties.get("Events", {}).values():
            if event["Type"] != "Api" or event["Properties"]["Method"] != method:
                continue
            resource = event["Properties"]["Path"]
            found = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(resource)), path)
            if found is not None:
                return function, resource, found.groupdict()
    raise AssertionError(f"the template has no route {method} {path}")


@contextmanager
def cloud(
    simulator: Simulator, *, poll_interval: int = 30, max_polls: int = 60, pace: float = 0.0, **parameters: str
) -> Iterator[Cloud]:
    """A stack for the length of the block, with new resources and empty caches.

    Args:
        pace: how long a second of a retry's pause takes, in seconds.
        parameters: further ones of the template, by name.
    """
    stack = Cloud(simulator, poll_interval=poll_interval, max_polls=max_polls, parameters=parameters)
    environment = {"AWS_DEFAULT_REGION": REGION, "POWERTOOLS_TRACE_DISABLED": "true", "POWERTOOLS_DEV": "false"}
    for function in HANDLERS:
        environment |= function_environment(function, stack.values) | {"POWERTOOLS_TRACE_DISABLED": "true"}

    def invoke(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
        function = parameters["FunctionName"].rsplit(":", 1)[1]
        with stack.lock:
            try:
                if stack.closed:
                    raise Crash("the stack is gone")
                payload = stack.invoke(function, json.loads(parameters["Payload"]))
                return {"StatusCode": 200, "Payload": payload, "ExecutedVersion": "$LATEST"}
            except Crash as crash:
                return _failed("Runtime.ExitError", str(crash))
            except Exception as error:
                return _failed(type(error).__name__, str(error), traceback.format_tb(error.__traceback__))

    def wait(self: WaitFunction, env: Any, wait_seconds: int) -> None:
        stack.waits.append(wait_seconds)

    wait_as_ever = StateTaskServiceCallback._wait_for_task_token_timeout

    def wait_for_callback(self: Any, timeout_seconds: int, callback_endpoint: CallbackEndpoint) -> Any:
        if self.resource.condition is not ResourceCondition.WaitForTaskToken:
            # While a nested execution runs, moto also waits for a task token, whose time-out would end the wait.
            return wait_as_ever(self, timeout_seconds, callback_endpoint)
        stack.began_to_wait += 1
        began, outcome = time.monotonic(), None
        while outcome is None and not stack.closed and time.monotonic() - began < stack.patience:
            outcome = callback_endpoint.wait(timeout=min(stack.patience, 0.05))
        if outcome is None:
            stack.waits.append(timeout_seconds)
        return outcome

    mocked = mock_aws(
        config={"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}},
    )
    with (
        patch.dict(os.environ, environment),
        mocked,
        patch.object(lambda_eval_utils, "_invoke_lambda_function", invoke),
        patch.object(WaitFunction, "_wait_interval", wait),
        patch.object(StateTaskServiceCallback, "_wait_for_task_token_timeout", wait_for_callback),
        patch.object(boto3, "client", _client),
        patch.object(boto3, "resource", _resource),
        patch.object(json_path, "parse", _path),
        patch.object(jsonpath_ng.ext, "parse", _event_path),
        # They write down a whole definition for every variable that is not there.
        patch.object(EvalComponent, "_log_exception", _say_nothing),
        patch.object(EvalComponent, "_log_failure_event_exception", _say_nothing),
        patch.object(AmazonStateLanguageParser, "parse", _parsed),
        patch.object(DynamoHandler, "call_action", _one_at_a_time(DynamoHandler.call_action)),
        patch.object(retrier_decl, "time", _Pauses(stack.pauses, pace)),
    ):
        forget()
        stack.set_up()
        try:
            yield stack
        finally:
            stack.close()
            forget()


def forget() -> None:
    """Empty the caches that a warm Lambda keeps."""
    for made in vars(wiring).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()


def _client(*names: Any, config: Any = None, **settings: Any) -> Any:
    """A client that is made once; moto's interpreter brings a new configuration, always the same, for every call."""
    key = (names, config is not None, *sorted(settings.items()))
    if key not in _clients:
        _clients[key] = _new_client(*names, config=config, **settings)
    return _clients[key]


def _failed(kind: str, message: str, stack_trace: list[str] | None = None) -> dict[str, Any]:
    payload = {"errorMessage": message, "errorType": kind, "stackTrace": stack_trace or []}
    return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": payload}


def _say_nothing(*_: Any, **__: Any) -> None:
    """In place of a method that logs."""


def _parsed(definition: str) -> tuple[Any, Any]:
    """A definition as new components, which an execution may change, from a parsed tree that all executions share."""
    _, tree = _definition_tree(definition)
    return Preprocessor().visit(tree), tree


def _one_at_a_time[T](call: Callable[[Any], T]) -> Callable[[Any], T]:
    """DynamoDB's calls are atomic. Moto is not: a transaction that fails puts back whole tables."""
    lock = threading.RLock()

    def locked(self: Any) -> T:
        with lock:
            return call(self)

    return locked


class _Pauses:
    """Replaces :mod:`time` where only ``sleep`` is used, and records the seconds asked for."""

    def __init__(self, pauses: list[float], pace: float) -> None:
        self._pauses, self._pace = pauses, pace

    def sleep(self, seconds: float) -> None:
        self._pauses.append(seconds)
        time.sleep(seconds * self._pace)
