"""The commands that show jobs, stop them, and delete what they made: show, list, cancel, purge."""

from typing import Annotated, Any

import typer

from stillmotion_cli import completion, opening
from stillmotion_cli.app import JOBS, Call, command
from stillmotion_cli.client import ApiClient, Document, Job
from stillmotion_cli.errors import BadInput
from stillmotion_cli.options import JobId, Status
from stillmotion_cli.render import show_job, show_jobs, show_timeline
from stillmotion_cli.terminal import agreed
from stillmotion_cli.timeline import read_timeline
from stillmotion_cli.units import iso, moment

DEFAULT_LIMIT = 20
# The most jobs that the API gives in one page.
PAGE = 100


@command("show", JOBS)
def show(
    call: Call,
    job_id: JobId,
    open_it: Annotated[bool, typer.Option("--open", help="Open the clip in the browser.")] = False,
    poster: Annotated[bool, typer.Option("--poster", help="With --open: the picture of its first frame.")] = False,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Its life: record, execution, events and log in order, with durations.")
    ] = False,
) -> None:
    """Show one job: its status, its cost, its error.

    --timeline reads more than the API: states:GetExecutionHistory, logs:FilterLogEvents and
    cloudformation:DescribeStackResource, which the stack's OperatorPolicy has. What it may not read is named.

    --open opens the presigned link of the clip, which whoever has it can use for an hour (LinkSeconds).

    \b
    stillmotion show vid_01kaf3
    stillmotion show vid_01kaf3 --open
    stillmotion show vid_01kaf3 --timeline
    stillmotion show vid_01kaf3 --json | jq -r '.video[0].s3_uri'
    """
    if poster and not open_it:
        raise BadInput("--poster has no use without --open.")
    job = call.client.job(job_id)
    link = opening.link_of(job, "poster_url" if poster else "url", call.stack.api_url) if open_it else None
    if timeline:
        _show_life(call, job)
    elif call.terminal.as_json:
        call.terminal.document(job)
    else:
        show_job(call.terminal, job)
    if link is not None:
        opening.open_link(call.terminal, link)


def _show_life(call: Call, job: Job) -> None:
    life = read_timeline(call.stack, call.wanted.stack_name, job)
    if call.terminal.as_json:
        call.terminal.document(life.document(job))
    else:
        show_timeline(call.terminal, life)


@command("list", JOBS)
def list_jobs(
    call: Call,
    status: Annotated[Status | None, typer.Option(help="Only jobs in this state.", show_choices=True)] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only jobs of this model.", autocompletion=completion.model_names),
    ] = None,
    created_after: Annotated[
        str | None, typer.Option(metavar="TIME", help="Jobs created since: 90s, 15m, 2h, 3d, 1w, or an ISO-8601 time.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="The most jobs to show.")] = DEFAULT_LIMIT,
    everything: Annotated[bool, typer.Option("--all", help="All jobs, however many.")] = False,
) -> None:
    """List jobs, newest first.

    \b
    stillmotion list --status failed --created-after 2d
    stillmotion list --all --json | jq -r '.data[].usage.cost_usd'
    """
    after = iso(moment("--created-after", created_after)) if created_after else None
    filters = {"status": status and status.value, "model": model, "created_after": after}
    jobs, token = _pages(call.client, filters, None if everything else limit)
    if call.terminal.as_json:
        call.terminal.document({"data": jobs, "next_token": token})
        return
    if jobs:
        show_jobs(call.terminal, jobs)
    else:
        call.terminal.say("No jobs." if not any(filters.values()) else "No job matches.")
    if token:
        call.terminal.say("There are more: --all shows them, --limit some of them.", "dim")


def _pages(client: ApiClient, filters: dict[str, Any], limit: int | None) -> tuple[list[Document], str | None]:
    """The jobs of as many pages as it takes, and the token of the next one; a page may be short, even empty."""
    jobs: list[Document] = []
    token: str | None = None
    while True:
        wanted = PAGE if limit is None else min(limit - len(jobs), PAGE)
        page = client.jobs(**filters, limit=wanted, next_token=token)
        jobs += page.get("data") or []
        token = page.get("next_token")
        if token is None or (limit is not None and len(jobs) >= limit):
            return jobs, token


@command("cancel", JOBS)
def cancel(call: Call, job_id: JobId) -> None:
    """Stop a job.

    Stillmotion waits for it no longer. ModelGates has no way to stop a clip: it may finish and charge for it.

    \b
    stillmotion cancel vid_01kaf3
    """
    call.terminal.on_interrupt = f"Stopped; the job may be cancelled or not. Check: stillmotion show {job_id}"
    job = call.client.cancel(job_id)
    if call.terminal.as_json:
        call.terminal.document(job)
        return
    call.terminal.line(f"{job['id']} is {job['status']}.")
    if message := (job.get("error") or {}).get("message"):
        call.terminal.say(message)


@command("purge", JOBS)
def purge(
    call: Call,
    job_id: JobId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete the clip of a job that has ended, with everything that is this job's alone.

    Its pictures, its notes and its own uploads go too, and the prompt and the addresses from its record. What it cost
    stays on record, so that the same idempotency key never pays again. This cannot be undone.

    \b
    stillmotion purge vid_01kaf3
    stillmotion purge vid_01kaf3 --yes
    """
    if not yes:
        if not call.terminal.can_ask:
            raise BadInput(f"Purging {job_id} cannot be undone, and no one can be asked here. Say --yes.")
        if not agreed(f"Delete the clip of {job_id} for good, and all that is this job's alone?"):
            raise BadInput("Nothing was deleted.")
    call.terminal.on_interrupt = f"Stopped; it may be deleted in part. Finish it: stillmotion purge {job_id} --yes"
    job = call.client.purge(job_id)
    if call.terminal.as_json:
        return call.terminal.document(job)
    for left in job.get("warnings") or []:
        call.terminal.say(f"Left: {left}", "yellow")
    return call.terminal.line(f"{job['id']} is purged.")
