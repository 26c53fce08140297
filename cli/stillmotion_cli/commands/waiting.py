"""The commands that end with a clip on this machine: watch, resume, settle, download."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from stillmotion_cli import downloads, generation, options
from stillmotion_cli.app import CLIPS, Call, command
from stillmotion_cli.client import Job
from stillmotion_cli.errors import BadInput
from stillmotion_cli.finish import come_back, finish, store
from stillmotion_cli.options import Force, JobId, Output, Timeout
from stillmotion_cli.render import show_job


@command("watch", CLIPS)
def watch(
    call: Call, job_id: JobId, timeout: Timeout = options.DEFAULT_WAIT, output: Output = None, force: Force = False
) -> None:
    """Wait for a job, then store its clip.

    \b
    stillmotion watch vid_01kaf3 -o clip.mp4
    """
    target = downloads.target_of(output, force)
    call.terminal.on_interrupt = come_back(job_id)
    finish(call, call.client.job(job_id), target, force, timeout)


@command("resume", CLIPS)
def resume(
    call: Call,
    job_id: JobId,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the clip and store it.")] = False,
    timeout: Timeout = options.DEFAULT_WAIT,
    output: Output = None,
    force: Force = False,
) -> None:
    """Resume a job that timed out, or whose clip could not be stored.

    Nothing is paid again.

    \b
    stillmotion resume vid_01kaf3 --wait -o clip.mp4
    """
    if output and not wait:
        raise BadInput(f"-o {output} has no use without --wait.")
    target = downloads.target_of(output, force) if wait else None
    _go_on(call, job_id, call.client.resume, target, force, timeout if wait else None)


@command("settle", CLIPS)
def settle(
    call: Call,
    job_id: JobId,
    provider_job_id: Annotated[
        str | None, typer.Option(metavar="ID", help="ModelGates has it under this id: adopt it, and continue.")
    ] = None,
    abandon: Annotated[bool, typer.Option("--abandon", help="Give it up; it stays counted as spent.")] = False,
    not_charged: Annotated[
        bool, typer.Option("--not-charged", help="With --abandon: ModelGates charged nothing; return the estimate.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the clip and store it.")] = False,
    timeout: Timeout = options.DEFAULT_WAIT,
    output: Output = None,
    force: Force = False,
) -> None:
    """Resolve a job whose submit outcome is unknown, as an operator.

    Such a job is submit_unknown, and may have been charged. Find it in your ModelGates account first.

    \b
    stillmotion list --status submit_unknown
    stillmotion settle vid_01kaf3 --provider-job-id gen-123 --wait -o clip.mp4
    stillmotion settle vid_01kaf3 --abandon --not-charged
    """
    if (provider_job_id is None) != abandon:
        raise BadInput("Give either --provider-job-id ID (ModelGates has the job) or --abandon (it does not).")
    if not_charged and not abandon:
        raise BadInput("--not-charged goes with --abandon only.")
    if abandon and (wait or output):
        raise BadInput("--abandon leaves no clip to wait for or to store.")
    if output and not wait:
        raise BadInput(f"-o {output} has no use without --wait.")
    target = downloads.target_of(output, force) if wait else None

    def resolve(job: str) -> Job:
        return call.client.settle(job, provider_job_id, charged=not not_charged)

    _go_on(call, job_id, resolve, target, force, timeout if wait else None)


def _go_on(
    call: Call, job_id: str, go: Callable[[str], Job], target: Path | None, force: bool, timeout: float | None
) -> None:
    """Continue a job; then wait for its clip, or without a `timeout` show its status."""
    call.terminal.on_interrupt = come_back(job_id)
    job = go(job_id)
    if timeout is not None:
        finish(call, job, target, force, timeout)
    elif call.terminal.as_json:
        call.terminal.document(job)
    else:
        show_job(call.terminal, job)


@command("download", CLIPS)
def download(call: Call, job_id: JobId, output: Output = None, force: Force = False) -> None:
    """Store the clip of a completed job.

    The download is checked against the size and the checksum of the job's record before it gets its name.

    \b
    stillmotion download vid_01kaf3 -o clip.mp4
    """
    call.terminal.on_interrupt = "Stopped; nothing was stored."
    target = downloads.target_of(output, force=True)  # The existing file may be this clip already.
    job = call.client.job(job_id)
    if job["status"] in generation.RUNNING:
        raise BadInput(f"{job_id} is {job['status']}: there is no clip yet. Wait for it: stillmotion watch {job_id}")
    store(call, generation.require_completed(job), target, force)
