"""What happens to jobs outside of their executions: time, a bus that refuses, an execution that ended by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import boto3
from botocore.client import BaseClient

from stillmotion.jobs.record import timestamp
from stillmotion.jobs.store import DynamoJobStore
from tests.support.aws_calls import every_call


def store() -> DynamoJobStore:
    """The job store of the stack under test."""
    return DynamoJobStore(boto3.resource("dynamodb").Table("jobs"))


def age(job_id: str, by: timedelta, **fields: Any) -> None:
    """Make a record older than it is, and change some of its fields."""
    table = boto3.resource("dynamodb").Table("jobs")
    item: dict[str, Any] = table.get_item(Key={"id": job_id})["Item"]
    for name in ("created_at", "updated_at", "completed_at"):
        if name in item:
            item[name] = timestamp(datetime.fromisoformat(item[name]) - by)
    item |= {"position": f"{item['created_at']}#{job_id}"} | fields
    if "status" in fields:
        item["status_shard"] = f"{fields['status']}#{item['status_shard'].split('#')[1]}"
    table.put_item(Item=item)


@contextmanager
def silent_bus(*detail_types: str) -> Iterator[None]:
    """The bus answers 200 and refuses events of these types, as it does when it is throttled."""
    made = every_call()

    def call(client: Any, name: str, given: Any) -> Any:
        if name == "PutEvents" and given["Entries"][0]["DetailType"].removeprefix("Video Generation ") in detail_types:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}
        return made(client, name, given)

    with patch.object(BaseClient, "_make_api_call", call):
        yield


def ended(arn: str, given: Any, status: str = "ABORTED") -> dict[str, Any]:
    """The event that Step Functions sends when an execution ended."""
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": arn, "status": status, "input": json.dumps(given)},
    }
