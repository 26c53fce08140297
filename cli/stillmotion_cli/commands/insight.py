"""The command that says what happened: logs."""

from datetime import datetime
from typing import Annotated

import typer

from stillmotion_cli import job_logs
from stillmotion_cli.app import JOBS, Call, command
from stillmotion_cli.options import JobId
from stillmotion_cli.units import moment


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
