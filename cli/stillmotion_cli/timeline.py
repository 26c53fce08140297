"""The life of one job, in order: its record, its execution's history, the events about it and the functions' log.

What cannot be read, for want of a permission or because it is gone, is named and left out: the rest is shown.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion_cli import job_logs
from stillmotion_cli.client import Document, Job
from stillmotion_cli.deployment import log_group
from stillmotion_cli.discovery import aws_failure
from stillmotion_cli.errors import Unreachable
from stillmotion_cli.stack import Stack
from stillmotion_cli.units import iso

POLLING = ("Wait", "WaitForCallback", "CountPoll", "Poll")
"""States that a job goes through again and again; a run of them is one entry."""
CALLBACK_WAIT = "WaitForCallback"
"""Its time-out is how an ordinary wait ends."""
_ENDS = {
    "ExecutionSucceeded": "execution succeeded",
    "ExecutionFailed": "execution failed",
    "ExecutionAborted": "execution stopped",
    "ExecutionTimedOut": "execution timed out",
}
_LOGGED = ("code", "provider_status", "provider_job_id", "polls", "bytes", "seconds_to_stored", "reason", "detail")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened; `seconds` is how long it took and None where it is a moment."""

    at: datetime
    source: str
    what: str
    seconds: float | None = None


@dataclass(slots=True)
class Timeline:
    """Entries in order of time, and what could not be read, each with its reason."""

    begun: datetime | None
    entries: list[Entry]
    unread: list[str] = field(default_factory=list)

    def document(self, job: Job) -> Document:
        """The timeline as JSON: times in UTC, lengths in seconds."""
        return {"id": job["id"], "status": job["status"], "timeline": list(self._lines()), "unread": self.unread}

    def _lines(self) -> Iterator[Document]:
        for entry in self.entries:
            yield {
                "at": iso(entry.at),
                "after_seconds": self.after(entry),
                "seconds": None if entry.seconds is None else round(entry.seconds, 3),
                "source": entry.source,
                "what": entry.what,
            }

    def after(self, entry: Entry) -> float | None:
        """Seconds from the record's creation to this; None where the record has no such time."""
        return None if self.begun is None else round((entry.at - self.begun).total_seconds(), 3)


def read_timeline(stack: Stack, stack_name: str | None, job: Job) -> Timeline:
    """Everything that is known of a job's life.

    Args:
        stack_name: of CloudFormation, where the log of the functions is looked up; None where it is not known.
        job: its record, as the API shows it.
    """
    begun = _moment(job.get("created_at"))
    timeline = Timeline(begun, list(_recorded(job)))
    about = _About(stack, str(job["id"]), begun or datetime.fromtimestamp(0, UTC))
    sources: list[tuple[str, Callable[[], list[Entry]]]] = []
    if arn := job.get("execution_arn"):
        sources.append(("the execution's history", lambda: _history(stack, str(arn))))
    if group := stack.event_log_group:
        sources.append(("the event log", lambda: about.published(group)))
    sources.append(("the functions' log", lambda: about.logged(log_group(stack, stack_name))))
    for source, read in sources:
        try:
            timeline.entries += read()
        except Unreachable as error:
            timeline.unread.append(f"{source}: {error}")
    timeline.entries.sort(key=lambda entry: entry.at)
    return timeline


@dataclass(frozen=True, slots=True)
class _About:
    """What two log groups say about a job since it began."""

    stack: Stack
    job_id: str
    since: datetime

    def published(self, group: str) -> list[Entry]:
        """The events about it."""
        return [
            Entry(at, "event", f"{line.get('detail-type') or 'event'}{_status(line['detail'])}")
            for at, line in self._lines(group)
            if isinstance(line.get("detail"), dict) and line["detail"].get("id") == self.job_id
        ]

    def logged(self, group: str) -> list[Entry]:
        """What the functions said of it."""
        return [
            Entry(at, "log", _said(line))
            for at, line in self._lines(group)
            if line.get("job_id") == self.job_id and line.get("message")
        ]

    def _lines(self, group: str) -> Iterator[tuple[datetime, Document]]:
        """The JSON objects among the lines, with their times; what else a log holds is passed over."""
        for found in job_logs.lines(self.stack, group, self.job_id, self.since):
            try:
                line = json.loads(found["message"])
            except ValueError:
                continue
            if isinstance(line, dict):
                yield datetime.fromtimestamp(found["timestamp"] / 1000, UTC), line


def _status(detail: Document) -> str:
    return f": {detail['status']}" if detail.get("status") else ""


def _said(line: Document) -> str:
    facts = ", ".join(f"{name} {line[name]}" for name in _LOGGED if line.get(name) is not None)
    return f"{line['message']}{f' ({facts})' if facts else ''}"


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _recorded(job: Job) -> Iterator[Entry]:
    begun, ended = _moment(job.get("created_at")), _moment(job.get("completed_at"))
    if begun is not None:
        yield Entry(begun, "record", "created")
    if ended is not None:
        seconds = (ended - begun).total_seconds() if begun else None
        yield Entry(ended, "record", f"ended: {job['status']}", seconds)
    elif (changed := _moment(job.get("updated_at"))) is not None and changed != begun:
        yield Entry(changed, "record", f"last change: {job['status']}")


def _history(stack: Stack, execution_arn: str) -> list[Entry]:
    client = stack.client("stepfunctions")
    query: dict[str, Any] = {"executionArn": execution_arn, "includeExecutionData": False, "maxResults": 1000}
    events: list[dict[str, Any]] = []
    try:
        while True:
            page = client.get_execution_history(**query)
            events += page.get("events") or []
            if not page.get("nextToken"):
                return _polls_folded(list(_states(events)))
            query["nextToken"] = page["nextToken"]
    except (ClientError, BotoCoreError) as error:
        raise aws_failure(error, stack.profile) from error


def _states(events: list[dict[str, Any]]) -> Iterator[Entry]:
    """An entry for each state, with how long it took, and for the execution's beginning and end."""
    entered: dict[str, datetime] = {}
    for event in events:
        at, kind = event["timestamp"].astimezone(UTC), event["type"]
        if kind == "ExecutionStarted":
            yield Entry(at, "execution", "execution started")
        elif kind in _ENDS:
            details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}
            yield Entry(at, "execution", f"{_ENDS[kind]}{_because(details)}")
        elif kind.endswith("StateEntered"):
            entered[event["stateEnteredEventDetails"]["name"]] = at
        elif kind.endswith("StateExited"):
            name = event["stateExitedEventDetails"]["name"]
            since = entered.pop(name, at)
            yield Entry(since, "execution", name, (at - since).total_seconds())
        elif kind in ("TaskFailed", "LambdaFunctionFailed", "TaskTimedOut") and CALLBACK_WAIT not in entered:
            details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}
            yield Entry(at, "execution", f"attempt failed{_because(details)}")
    for name, since in entered.items():
        yield Entry(since, "execution", f"{name} (not left)")


def _because(details: dict[str, Any]) -> str:
    return f": {details['error']}" if details.get("error") else ""


def _polls_folded(entries: list[Entry]) -> list[Entry]:
    """The entries with each run of waits and polls as one, from its first state to the end of its last."""
    folded: list[Entry] = []
    run: list[Entry] = []
    for entry in [*entries, None]:
        if entry is not None and entry.what in POLLING:
            run.append(entry)
            continue
        if run:
            polls = sum(one.what == "Poll" for one in run)
            length = max((one.at.timestamp() + (one.seconds or 0)) for one in run) - run[0].at.timestamp()
            folded.append(
                Entry(run[0].at, "execution", f"wait and poll, {polls} poll{'s' if polls != 1 else ''}", length)
            )
            run = []
        if entry is not None:
            folded.append(entry)
    return folded
