"""The log that a rule of the event bus writes to: one JSON event a line, in CloudWatch Logs."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion_cli.client import Document
from stillmotion_cli.discovery import aws_failure
from stillmotion_cli.errors import Unreachable
from stillmotion_cli.stack import Stack

FOLLOW_SECONDS = 2.0
# Lines may be sorted into the log some time after later ones.
OVERLAP_MS = 30_000


def read(
    stack: Stack, since: datetime, *, follow: bool, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Document]:
    """The events published since then, oldest first; with `follow` also those still to come, without an end."""
    if not stack.event_log_group:
        raise Unreachable(
            "This stack keeps no event log: it has no output EventLogGroupName. Its jobs: stillmotion list"
        )
    logs = stack.client("logs")
    start = _milliseconds(since)
    seen: dict[str, int] = {}
    while True:
        for line in _lines(logs, stack, start):
            if line["eventId"] not in seen:
                seen[line["eventId"]] = line["timestamp"]
                yield _event(line)
        if not follow:
            return
        start = max(start, max(seen.values(), default=0) - OVERLAP_MS)
        seen = {name: stamp for name, stamp in seen.items() if stamp >= start}
        sleep(FOLLOW_SECONDS)


def _lines(logs: Any, stack: Stack, start: int) -> Iterator[dict[str, Any]]:
    query: dict[str, Any] = {"logGroupName": stack.event_log_group, "startTime": start}
    try:
        while True:
            page = logs.filter_log_events(**query)
            yield from page.get("events") or []
            if not page.get("nextToken"):
                return
            query["nextToken"] = page["nextToken"]
    except ClientError as error:
        if error.response["Error"].get("Code") == "ResourceNotFoundException":
            raise Unreachable(
                f"The stack's event log {stack.event_log_group} does not exist any more. Deploy the stack again."
            ) from error
        raise aws_failure(error, stack.profile) from error
    except BotoCoreError as error:
        raise aws_failure(error, stack.profile) from error


def _event(line: dict[str, Any]) -> Document:
    """The event of a line; a line that is no JSON object is passed on unchanged."""
    try:
        event = json.loads(line["message"])
    except ValueError:
        event = None
    if isinstance(event, dict):
        return event
    moment = datetime.fromtimestamp(line["timestamp"] / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"time": moment, "message": line["message"]}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
