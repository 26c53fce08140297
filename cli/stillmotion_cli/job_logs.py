"""The lines that the stack's functions wrote about one job, from CloudWatch Logs."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion_cli.client import Document
from stillmotion_cli.deployment import log_group
from stillmotion_cli.discovery import aws_failure
from stillmotion_cli.errors import Unreachable
from stillmotion_cli.stack import Stack

# Clocks of functions and of the API differ a little.
EARLIER_MS = 60_000


def read(stack: Stack, name: str | None, job_id: str, since: datetime) -> Iterator[Document]:
    """The lines about a job since then, oldest first: each its own JSON object with `time`, or `message` alone.

    `name` is the stack's name in CloudFormation, None where it is not known. Raises Unreachable where the log cannot
    be read.
    """
    return (_entry(line) for line in lines(stack, log_group(stack, name), job_id, since))


def lines(stack: Stack, group: str, job_id: str, since: datetime) -> Iterator[dict[str, Any]]:
    """The lines of a log group that name a job, each once, as CloudWatch Logs answers them: `timestamp` in ms.

    Raises Unreachable where the group is not there or cannot be read.
    """
    query: dict[str, Any] = {
        "logGroupName": group,
        "startTime": int(since.timestamp() * 1000) - EARLIER_MS,
        "filterPattern": f'"{job_id}"',
    }
    logs, seen = stack.client("logs"), set()
    try:
        while True:
            page = logs.filter_log_events(**query)
            for line in page.get("events") or []:
                # A local cloud may know neither patterns nor ids of lines.
                known_by = line.get("eventId") or (line["timestamp"], line["message"])
                if known_by not in seen and job_id in line["message"]:
                    seen.add(known_by)
                    yield line
            if not page.get("nextToken"):
                return
            query["nextToken"] = page["nextToken"]
    except ClientError as error:
        if error.response["Error"].get("Code") == "ResourceNotFoundException":
            raise Unreachable(f"The log group {group} of the stack does not exist.") from error
        raise aws_failure(error, stack.profile) from error
    except BotoCoreError as error:
        raise aws_failure(error, stack.profile) from error


def sentence(entry: Document) -> str:
    """A line for people: when, how bad, which function, what, and the other fields as NAME=VALUE."""
    known = ("time", "level", "function_name", "message", "job_id")
    # What Lambda and the logger add to every line says nothing about this job.
    noise = ("timestamp", "service", "location", "cold_start", "xray_trace_id", "function_arn", "function_memory_size")
    rest = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in entry.items()
        if name not in known and name not in noise and not name.startswith("function_")
    ]
    words = [entry.get("time"), entry.get("level"), entry.get("function_name"), entry.get("message"), *rest]
    return "  ".join(" ".join(str(word).split()) for word in words if word)


def _entry(line: dict[str, Any]) -> Document:
    moment = datetime.fromtimestamp(line["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
    time = {"time": moment.replace("+00:00", "Z")}
    with suppress(ValueError):
        fields = json.loads(line["message"])
        if isinstance(fields, dict):
            return time | fields
    return time | {"message": line["message"].rstrip()}
