"""The commands of `stillmotion`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from stillmotion_cli import generation, pictures
from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.errors import CommandError
from stillmotion_cli.progress import Progress
from stillmotion_cli.stack import Stack, find_stack

DEFAULT_MODEL = "google/veo-3.1-lite"
# 60 polls of 30 s are what the workflow itself allows; submitting and storing come on top.
DEFAULT_WAIT = 45 * 60

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_console = Console(stderr=True)

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job, as `generate` named it (vid_…).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the job record as JSON on standard output.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Where the clip goes. Default: out/ID.mp4")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the clip. The job goes on afterwards.", min=1)]


@app.callback()
def stillmotion() -> None:
    """Turn still images into video clips."""


@app.command()
def generate(
    image: Annotated[str, typer.Argument(help="The first frame: a file, or an https://, s3:// or data: address.")],
    prompt: Annotated[str, typer.Option(help="What happens in the clip.")],
    last_image: Annotated[str | None, typer.Option(help="The last frame, given like the first.")] = None,
    model: Annotated[str, typer.Option(help="The model to use.")] = DEFAULT_MODEL,
    duration: Annotated[int | None, typer.Option(help="Seconds; one of those that the model offers.")] = None,
    resolution: Annotated[str | None, typer.Option(help="For example 720p.")] = None,
    aspect_ratio: Annotated[str | None, typer.Option(help="For example 16:9.")] = None,
    audio: Annotated[bool | None, typer.Option("--audio/--no-audio", help="Whether the clip gets sound.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed asks for the same clip.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the clip and store it.")] = True,
    timeout: Timeout = DEFAULT_WAIT,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Make a clip that begins with IMAGE."""
    stack = find_stack()
    client = ApiClient(stack)
    request = generation.build_request(
        model=model,
        prompt=prompt,
        first_frame=pictures.to_address(stack, image),
        last_frame=pictures.to_address(stack, last_image) if last_image else None,
        duration=duration,
        resolution=resolution,
        aspect_ratio=aspect_ratio,
        generate_audio=audio,
        seed=seed,
    )
    job = client.submit(request)
    if wait:
        _finish(stack, client, job, output, timeout, as_json)
    else:
        _show(job, as_json)


@app.command()
def show(job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job."""
    _show(ApiClient(find_stack()).job(job_id), as_json)


@app.command()
def watch(job_id: JobId, timeout: Timeout = DEFAULT_WAIT, output: Output = None, as_json: AsJson = False) -> None:
    """Wait for a job and store its clip."""
    stack = find_stack()
    client = ApiClient(stack)
    _finish(stack, client, client.job(job_id), output, timeout, as_json)


def _finish(stack: Stack, client: ApiClient, job: Job, output: Path | None, timeout: float, as_json: bool) -> None:
    try:
        with Progress(_console) as progress:
            job = generation.wait(client, job, progress.update, timeout=timeout, interval=1 if stack.is_local else 5)
    except KeyboardInterrupt:
        _console.print(f"The job goes on. Come back to it with: stillmotion watch {job['id']}", highlight=False)
        raise
    target = output or Path("out") / f"{job['id']}.mp4"
    size = generation.download(stack, generation.require_completed(job), target)
    if as_json:
        _show(job, as_json)
    else:
        typer.echo(f"{target}  ({size:,} bytes)")


def _show(job: Job, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(job))
        return
    for name in ("id", "status", "polls", "created_at", "updated_at", "completed_at"):
        if job.get(name) is not None:
            typer.echo(f"{name:<14}{job[name]}")
    for name, text in _details(job):
        typer.echo(f"{name:<14}{text}")


def _details(job: Job) -> list[tuple[str, Any]]:
    request, error, usage = job.get("request") or {}, job.get("error") or {}, job.get("usage") or {}
    lines: list[tuple[str, Any]] = [("model", request.get("model", ""))]
    lines += [("video", f"s3://{video['bucket']}/{video['key']}") for video in job.get("video") or []]
    lines += [("cost (USD)", usage["cost_usd"])] if usage.get("cost_usd") is not None else []
    lines += [("error", f"{error.get('code')}: {error.get('message')}")] if error else []
    lines += [("provider", error["provider_message"])] if error.get("provider_message") else []
    return lines


def run() -> None:
    """The entry point: failures become one message and the exit code of their kind."""
    try:
        app()
    except CommandError as error:
        _console.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
