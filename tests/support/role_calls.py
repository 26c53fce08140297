"""Every AWS call that a function makes, as the IAM actions and resources that it needs.

Calls are seen where botocore takes their parameters, on the clients that ``wiring`` makes; so are links and forms that
a function signs, because whoever follows one acts with the function's permissions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch

from stillmotion import wiring
from stillmotion.aws import clients
from tests.support.inprocess import ACCOUNT, REGION, Cloud, Context

_FUNCTION: ContextVar[str | None] = ContextVar("function", default=None)
"""The function that runs in this thread, and in those that it has started."""


class Need(NamedTuple):
    """An action on a resource that a function needs, and the item or prefix that a condition may be about."""

    function: str
    action: str
    resource: str
    key: str = ""


@contextmanager
def recording() -> Iterator[set[Need]]:
    """What functions need while the block lasts."""
    needs: set[Need] = set()
    make, invoke, start = clients.new_client, Cloud.invoke, threading.Thread.start

    def note(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        function = _FUNCTION.get()
        if function is not None:  # else the call is a test's own
            needs.update(Need(function, *need) for need in _READERS[f"{service}:{operation}"](parameters))

    def invoke_watched(stack: Cloud, function: str, event: Any, context: Context | None = None) -> Any:
        before = _FUNCTION.set(function)
        try:
            return invoke(stack, function, event, context)
        finally:
            _FUNCTION.reset(before)

    def start_watched(thread: threading.Thread) -> None:
        thread.run = partial(copy_context().run, thread.run)  # type: ignore[method-assign]
        start(thread)

    with (
        patch.object(wiring, "new_client", lambda *given: _watched(make(*given), note)),
        patch.object(Cloud, "invoke", invoke_watched),
        patch.object(threading.Thread, "start", start_watched),
    ):
        yield needs


def _watched(client: Any, note: Callable[[str, str, Mapping[str, Any]], None]) -> Any:
    """The client, which tells of every call."""
    service = client.meta.service_model.service_name

    def see(params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["seen"] = dict(params)
        note(service, model.name, params)

    def see_absent(http_response: Any, context: Mapping[str, Any], **_: Any) -> None:
        # S3 says that an object is not there only to those who may list its bucket.
        if service == "s3" and http_response.status_code == 404 and "Key" in context.get("seen", {}):
            note("s3", "ListObjectsV2", {"Bucket": context["seen"]["Bucket"]})

    client.meta.events.register("provide-client-params.*.*", see)
    client.meta.events.register("after-call.*.*", see_absent)
    if service == "s3":
        sign = client.generate_presigned_post

        def sign_watched(bucket: str, key: str, **options: Any) -> Any:
            note("s3", "PutObject", {"Bucket": bucket, "Key": key})
            return sign(bucket, key, **options)

        client.generate_presigned_post = sign_watched
    return client


type _Needed = Iterator[tuple[str, str, str]]


def _table(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _leading_key(item: Mapping[str, Any]) -> str:
    """The partition key of an item, which conditions of our tables are about."""
    found = item.get("id") or item.get("day") or ""
    return str(found["S"] if isinstance(found, dict) else found)


def _item(operation: str, key: str) -> Callable[[Mapping[str, Any]], _Needed]:
    def read(given: Mapping[str, Any]) -> _Needed:
        yield f"dynamodb:{operation}", _table(given["TableName"]), _leading_key(given[key])

    return read


def _query(given: Mapping[str, Any]) -> _Needed:
    index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
    yield "dynamodb:Query", _table(given["TableName"]) + index, ""


def _items(operation: str) -> Callable[[Mapping[str, Any]], _Needed]:
    def read(given: Mapping[str, Any]) -> _Needed:
        for table in given["RequestItems"]:
            yield f"dynamodb:{operation}", _table(table), ""

    return read


def _transaction(given: Mapping[str, Any]) -> _Needed:
    for part in given["TransactItems"]:
        [(kind, change)] = part.items()
        action = "dynamodb:ConditionCheckItem" if kind == "ConditionCheck" else f"dynamodb:{kind}Item"
        yield action, _table(change["TableName"]), _leading_key(change.get("Key") or change["Item"])


def _object(action: str) -> Callable[[Mapping[str, Any]], _Needed]:
    def read(given: Mapping[str, Any]) -> _Needed:
        yield action, f"arn:aws:s3:::{given['Bucket']}/{given['Key']}", ""

    return read


def _listing(action: str) -> Callable[[Mapping[str, Any]], _Needed]:
    def read(given: Mapping[str, Any]) -> _Needed:
        yield action, f"arn:aws:s3:::{given['Bucket']}", given.get("Prefix", "")

    return read


def _deletion(given: Mapping[str, Any]) -> _Needed:
    # Both, also where every version is named (*DeleteObjects*).
    for one in given["Delete"]["Objects"]:
        for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
            yield action, f"arn:aws:s3:::{given['Bucket']}/{one['Key']}", ""


def _put_events(given: Mapping[str, Any]) -> _Needed:
    for entry in given["Entries"]:
        yield "events:PutEvents", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{entry['EventBusName']}", ""


def _named(action: str, name: str) -> Callable[[Mapping[str, Any]], _Needed]:
    def read(given: Mapping[str, Any]) -> _Needed:
        # The sample events' stack calls its machine by the stack's name.
        yield action, str(given[name]).replace("stillmotion-batches", "generate-batch"), ""

    return read


def _nothing(given: Mapping[str, Any]) -> _Needed:
    yield from ()


def _wake(given: Mapping[str, Any]) -> _Needed:
    yield "states:SendTaskSuccess", "*", ""


_READERS: Mapping[str, Callable[[Mapping[str, Any]], _Needed]] = {
    "dynamodb:GetItem": _item("GetItem", "Key"),
    "dynamodb:PutItem": _item("PutItem", "Item"),
    "dynamodb:UpdateItem": _item("UpdateItem", "Key"),
    "dynamodb:DeleteItem": _item("DeleteItem", "Key"),
    "dynamodb:Query": _query,
    "dynamodb:BatchGetItem": _items("BatchGetItem"),
    "dynamodb:BatchWriteItem": _items("BatchWriteItem"),
    "dynamodb:TransactWriteItems": _transaction,
    "s3:GetObject": _object("s3:GetObject"),
    "s3:HeadObject": _object("s3:GetObject"),
    "s3:PutObject": _object("s3:PutObject"),
    "s3:CreateMultipartUpload": _object("s3:PutObject"),
    "s3:UploadPart": _object("s3:PutObject"),
    "s3:CompleteMultipartUpload": _object("s3:PutObject"),
    "s3:AbortMultipartUpload": _object("s3:AbortMultipartUpload"),
    "s3:CreateBucket": _nothing,  # never called: botocore reads how, to sign a form
    "s3:ListObjectsV2": _listing("s3:ListBucket"),
    "s3:ListObjectVersions": _listing("s3:ListBucketVersions"),
    "s3:DeleteObjects": _deletion,
    "events:PutEvents": _put_events,
    "secretsmanager:GetSecretValue": _named("secretsmanager:GetSecretValue", "SecretId"),
    "stepfunctions:StartExecution": _named("states:StartExecution", "stateMachineArn"),
    "stepfunctions:StopExecution": _named("states:StopExecution", "executionArn"),
    "stepfunctions:DescribeExecution": _named("states:DescribeExecution", "executionArn"),
    "stepfunctions:ListMapRuns": _named("states:ListMapRuns", "executionArn"),
    "stepfunctions:DescribeMapRun": _named("states:DescribeMapRun", "mapRunArn"),
    "stepfunctions:SendTaskSuccess": _wake,
}
"""What each call needs (*Actions, resources, and condition keys*); a call that is not here fails its test."""
