"""The commands that say what happened and what it cost: logs, usage."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from stillmotion_cli import job_logs
from stillmotion_cli.app import JOBS, STACK, Call, command
from stillmotion_cli.client import Document
from stillmotion_cli.errors import ApiProblem, Unreachable
from stillmotion_cli.options import JobId
from stillmotion_cli.render import show_usage
from stillmotion_cli.units import iso, moment


class By(StrEnum):
    """What usage is summed up by."""

    DAY = "day"
    MODEL = "model"
    TAG = "tag"
    CALLER = "caller"


@command("logs", JOBS)
def logs(
    call: Call,
    job_id: JobId,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Since when: 15m, 2h, 3d, or an ISO-8601 time. Default: the whole job."),
    ] = None,
) -> None:
    """Show what the stack's functions logged about a job.

    Needs logs:FilterLogEvents and cloudformation:DescribeStackResource, which the stack's OperatorPolicy has. With
    --json every line is one JSON object.

    \b
    stillmotion logs vid_01kaf3
    stillmotion logs vid_01kaf3 --json | jq 'select(.level != "INFO")'
    """
    call.terminal.on_interrupt = "Stopped reading."
    begin = moment("--since", since) if since else datetime.fromisoformat(call.client.job(job_id)["created_at"])
    nothing = True
    for entry in job_logs.read(call.stack, call.wanted.stack_name, job_id, begin):
        nothing = False
        if call.terminal.as_json:
            call.terminal.json_line(entry)
        else:
            call.terminal.line(job_logs.sentence(entry))
    if nothing:
        call.terminal.say(
            f"The log says nothing about {job_id} since {begin.isoformat(timespec='seconds')}. New lines need a few "
            "seconds, and old ones are deleted after the stack's LogRetentionDays."
        )


@command("usage", STACK)
def usage(
    call: Call,
    by: Annotated[By, typer.Option(help="What to sum up by.", show_choices=True)] = By.DAY,
    since: Annotated[str, typer.Option(metavar="TIME", help="Since when: 2h, 3d, 4w, or an ISO-8601 time.")] = "30d",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Until when. Default: now.")] = None,
) -> None:
    """Show what was spent.

    Callers see their own spending, operators all of it.

    \b
    stillmotion usage --since 7d
    stillmotion usage --by model --since 2026-11-01 --until 2026-12-01 --json
    """
    query = {"from": iso(moment("--since", since)), "to": iso(moment("--until", until)) if until else None}
    answer = _usage(call, query | {"by": by.value})
    if call.terminal.as_json:
        return call.terminal.document(answer)
    return show_usage(call.terminal, answer, by.value)


def _usage(call: Call, query: dict[str, str | None]) -> Document:
    """The answer of GET /usage. Raises Unreachable for a stack that has no such route."""
    try:
        return call.client.usage(**query)
    except ApiProblem as error:
        # API Gateway's own answer for a route that is not there.
        if error.status in (403, 404) and "Missing Authentication Token" in error.detail:
            raise Unreachable(
                "This stack has no GET /usage: it is older than this command. Deploy it again; until then the cost of "
                "each job: stillmotion list --all"
            ) from error
        raise
