"""The end of every command that downloads a clip: wait, store, report."""

from pathlib import Path
from tempfile import TemporaryDirectory

from stillmotion_cli import downloads, generation, standard
from stillmotion_cli.app import Call
from stillmotion_cli.client import Job
from stillmotion_cli.downloads import Stored
from stillmotion_cli.errors import CommandError, NotStored
from stillmotion_cli.progress import Progress
from stillmotion_cli.units import money, size


def finish(call: Call, job: Job, output: Path | None, force: bool, timeout: float) -> None:
    """Wait for the job and store its clip; the record, with the paths of the stored files, is the result."""
    call.terminal.on_interrupt = come_back(job["id"])
    with Progress(call.terminal) as progress:
        job = generation.wait(call.client, job, progress.update, timeout=timeout)
    job = generation.require_completed(job)
    try:
        stored = _bring(call, job, output, force)
    except (CommandError, OSError) as error:
        if isinstance(error, NotStored):
            raise
        raise NotStored(f"The clip is finished, but is not stored here. {error}", job, way_back(job["id"])) from error
    _show(call, job, stored)


def store(call: Call, job: Job, output: Path | None, force: bool) -> None:
    """Download the clips of a completed job and print their paths."""
    _show(call, job, _bring(call, job, output, force))


def _bring(call: Call, job: Job, output: Path | None, force: bool) -> list[Stored]:
    """The clips as files; none where the clip went to standard output."""
    again = way_back(job["id"])
    call.terminal.on_interrupt = again
    if output == standard.STANDARD:
        _write(call, job)
        return []
    try:
        with Progress(call.terminal) as progress:
            return downloads.store(call.client, job, output, force, progress.bytes)
    except CommandError as error:
        error.hint = error.hint or again
        raise


def _show(call: Call, job: Job, stored: list[Stored]) -> None:
    """Print the paths, or with --json the record with them."""
    if call.terminal.as_json:
        files = [{"path": str(clip.path), "bytes": clip.bytes} for clip in stored]
        call.terminal.document(job | {"output_path": files[0]["path"], "files": files})
        return
    cost = (job.get("usage") or {}).get("cost_usd")
    paid = f", {money(cost)}" if cost is not None else ""
    for number, clip in enumerate(stored):
        call.terminal.line(f"{clip.path}  ({size(clip.bytes)}, {clip.bytes:,} bytes{'' if number else paid})")


def _write(call: Call, job: Job) -> None:
    """Write the first clip of a job to standard output, once it is here as a whole and checked."""
    with TemporaryDirectory(prefix="stillmotion-") as folder:
        with Progress(call.terminal) as progress:
            clip = downloads.fetch(call.client, job, 0, Path(folder) / "clip.mp4", progress.bytes)
        standard.write(clip.path)
    if more := len(job["video"]) - 1:
        call.terminal.say(f"The job has {more} more. Get all of them: {way_back(job['id'])}", "yellow")


def way_back(job_id: str) -> str:
    """The hint for a clip that is made and not stored here."""
    return f"It stays in the stack and is not paid again. Get it with: stillmotion download {job_id} -o CLIP.mp4"


def come_back(job_id: str) -> str:
    """The hint for a user who stops waiting for a running job."""
    return f"The job keeps running. Come back to it with: stillmotion watch {job_id}"
