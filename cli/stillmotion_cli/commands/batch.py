"""`stillmotion batch`: a manifest of pictures, a clip of each."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer

from stillmotion_cli import downloads, options, pictures, uploads
from stillmotion_cli.app import CLIPS, Call, command
from stillmotion_cli.batch_results import failures, read_results, show_failures, store_clips
from stillmotion_cli.batch_table import BatchTable, show_batch
from stillmotion_cli.client import Document
from stillmotion_cli.errors import (
    BadInput,
    CommandError,
    GenerationFailed,
    JobError,
    NotStored,
    StillRunning,
    Unreachable,
)
from stillmotion_cli.manifests import read_manifest
from stillmotion_cli.progress import Progress
from stillmotion_cli.shown import one_line
from stillmotion_cli.units import money
from stillmotion_cli.wording import BATCH_OPTIONS, renamed

UPLOADS_AT_A_TIME = 8
POLL_SECONDS = 5.0
SHORTEST_POLL_SECONDS = 0.5
DAY = 86400.0
ENDED = ("completed", "stopped", "refused", "aborted")

ManifestFile = Annotated[
    str, typer.Argument(metavar="MANIFEST", help="A .csv, .jsonl or .json file, or the s3:// address of one.")
]
BatchId = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Default: made of the manifest and its pictures, so that a second run continues."),
]
Default = Annotated[
    list[str] | None,
    typer.Option("--default", metavar="FIELD=VALUE", help="For rows without this field; may be repeated."),
]
Concurrency = Annotated[int | None, typer.Option(metavar="NUMBER", min=1, max=1000, help="Items at a time.")]
Tolerate = Annotated[
    float | None,
    typer.Option(
        metavar="PERCENT", min=0, max=100, callback=options.finite, help="Stop when a larger share of the items fails."
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(metavar="USD", callback=options.finite, help="Start only if the estimate is not over this."),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the batch to its end.")]
Output = Annotated[
    str | None, typer.Option("-o", "--output", metavar="FOLDER", help="Store the clips there, named by their item_id.")
]
Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="How long to wait here. The batch keeps running afterwards.",
        min=1,
        callback=options.finite,
    ),
]


@command("batch", CLIPS)
def batch(
    call: Call,
    manifest: ManifestFile,
    batch_id: BatchId = None,
    default: Default = None,
    max_concurrency: Concurrency = None,
    tolerate: Tolerate = None,
    budget: Budget = None,
    wait: Wait = True,
    timeout: Timeout = DAY,
    output: Output = None,
    force: options.Force = False,
) -> None:
    """Make a clip of every row of MANIFEST.

    Local pictures that it names, relative to its own folder, are uploaded first. The same command again runs the batch
    again: finished rows are skipped, only failed ones are submitted again. Ctrl-C leaves the batch running.

    \b
    stillmotion batch autumn.csv --default model=google/veo-3.1-lite --default duration=4 --budget 50
    stillmotion batch autumn.csv -o clips
    stillmotion batch rows.jsonl --json | jq .counts
    """
    if output and not wait:
        raise BadInput(f"-o {output} has no use with --no-wait: leave one of them out.")
    folder = downloads.folder_of(output) if output else None
    call.terminal.names = BATCH_OPTIONS
    order: dict[str, Any] = {
        "defaults": _defaults(default or []) or None,
        "max_concurrency": max_concurrency,
        "tolerated_failure_percentage": tolerate,
        "budget_usd": budget,
    }
    call.terminal.on_interrupt = "Stopped; nothing was started."
    order["manifest"], order["batch_id"] = _bring(call, manifest, batch_id)
    call.terminal.on_interrupt = (
        "Stopped while the order was being sent. The same command again shows whether it was started."
    )
    started = call.client.start_batch({name: value for name, value in order.items() if value is not None})
    call.terminal.say(f"Batch {started['id']}, run {started['run']}")
    ended = _follow(call, started, timeout) if wait else started
    _report(call, ended, folder, force)


def _report(call: Call, ended: Document, folder: Path | None, force: bool) -> None:
    """Show the batch's result: its numbers, its cost, why rows failed; and store the clips where asked to."""
    terminal = call.terminal
    if ended["status"] not in ENDED:
        return terminal.document(ended) if terminal.as_json else show_batch(terminal, ended)
    failure: CommandError | None = _failure(ended)
    lines = _results(call, ended)
    failed = failures(lines)
    shown = ended | ({"failures": failed} if failed else {})
    if not terminal.as_json and ended["status"] != "refused":
        show_batch(terminal, ended)
    show_failures(terminal, failed, ended.get("results"))
    made = ended["counts"]["done"] + ended["counts"]["skipped"]
    if folder is not None and made and not lines:
        results = one_line(ended.get("results"))
        failure = failure or NotStored(f"{made:,} clips are finished, but none is stored here. {results} names them.")
    elif folder is not None:
        terminal.on_interrupt = "Stopped; the clips stay in the stack. The same command again stores the rest."
        try:
            with Progress(terminal) as progress:
                clips = store_clips(call.client, lines, folder, force, progress)
        except NotStored as error:
            error.hint = "They stay in the stack. The same command again stores them and pays for none of them again."
            error.job, failure = shown, failure or error
            if failure is not error:
                terminal.insist(str(error), "red")
        else:
            shown["files"] = [{"item_id": c.item_id, "path": str(c.path), "bytes": c.bytes} for c in clips]
            if not terminal.as_json:
                terminal.line(f"{len(clips):,} clips in {folder}")
    if failure is None:
        return terminal.document(shown) if terminal.as_json else None
    if isinstance(failure, JobError):
        failure.job = shown
    raise failure


def _results(call: Call, ended: Document) -> list[Document]:
    """The lines of the results, empty where they cannot be read: the batch's numbers are shown all the same."""
    try:
        return read_results(call.client, ended)
    except Unreachable as error:
        call.terminal.say(f"{error} They are at {ended.get('results')}", "yellow")
        return []


def _bring(call: Call, given: str, batch_id: str | None) -> tuple[str, str | None]:
    """The manifest's address, after its pictures and itself are uploaded, and the batch's id."""
    if pictures.is_address(given):
        return given, batch_id
    manifest = read_manifest(Path(given))
    kinds = {picture: pictures.content_type(picture) for picture in manifest.pictures()}
    batch_id = batch_id or f"cli-{manifest.digest()[:32]}"
    with Progress(call.terminal) as progress:
        addresses = _upload(call, kinds, batch_id, progress)
        progress.doing("uploading the manifest")
        content = manifest.bring(addresses)
        return uploads.store(call.client, manifest.path, content, manifest.content_type), batch_id


def _upload(call: Call, kinds: dict[Path, str], batch_id: str, progress: Progress) -> dict[Path, str]:
    """Upload pictures, some at a time. For the same batch a picture keeps its address for days."""
    addresses: dict[Path, str] = {}
    with ThreadPoolExecutor(UPLOADS_AT_A_TIME) as pool:
        waiting = [(path, pool.submit(uploads.upload, call.client, path, kinds[path], batch_id)) for path in kinds]
        try:
            for number, (path, upload) in enumerate(waiting, start=1):
                progress.doing(f"uploading pictures: {number:,} of {len(waiting):,}")
                addresses[path] = upload.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return addresses


def _follow(call: Call, started: Document, timeout: float) -> Document:
    """Poll the batch until it has ended."""
    again = f"The batch keeps running. See it with: stillmotion batch-status {started['id']}"
    call.terminal.on_interrupt = again
    deadline = time.monotonic() + timeout
    shown = started
    with BatchTable(call.terminal) as table:
        while True:
            table.update(shown)
            if shown["status"] in ENDED:
                return shown
            if time.monotonic() >= deadline:
                raise StillRunning(f"Batch {shown['id']} has not ended after {timeout:.0f} s.", shown, again)
            asked = call.client.last.retry_after
            call.client.sleep(POLL_SECONDS if asked is None else max(asked, SHORTEST_POLL_SECONDS))
            shown = call.client.batch(shown["id"])


def _failure(ended: Document) -> JobError | None:
    """What to fail with where not every row has its clip."""
    failed, left = ended["counts"]["failed"], ended["counts"]["not_run"]
    if ended["status"] == "refused":
        error = ended.get("error") or {}
        return Refused(renamed(f"{error.get('code')}: {error.get('message')}", BATCH_OPTIONS), ended)
    if ended["status"] == "completed" and not failed:
        return None
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in (ended.get("failed_by_reason") or {}).items())
    outcome = f"{failed:,} of {ended['items'] or 0:,} items failed{f': {reasons}' if reasons else ''}"
    rest = f", and {left:,} were not run" if left else ""
    cost = f" {money(ended['cost_usd'])} were spent." if ended.get("cost_usd") is not None else ""
    return GenerationFailed(
        f"Batch {ended['id']} is {ended['status']}; {outcome}{rest}.{cost}",
        ended,
        "The same command again submits only failed rows.",
    )


class Refused(JobError):
    """The batch was refused before anything was paid."""

    exit_code = 3


TEXTS = frozenset(
    ("model", "prompt", "resolution", "aspect_ratio", "size", "previous_job_id", "session_id", "user", "metadata")
)
"""Fields that are text, whatever they look like: a year in the metadata is no number."""


def _defaults(texts: Sequence[str]) -> dict[str, Any]:
    """Fields as the API takes them: numbers and truth values as such, everything else as text."""
    found: dict[str, Any] = {}
    for given in texts:
        name, separator, value = given.partition("=")
        if not separator or not name:
            raise BadInput(f"--default {given} is not FIELD=VALUE, for example --default duration=4")
        try:
            plain = json.loads(value)
        except ValueError:
            plain = value
        is_text = name.partition(".")[0] in TEXTS or not isinstance(plain, int | float | bool)
        found[name] = value if is_text else plain
    return found


@command("batch-status", CLIPS)
def batch_status(
    call: Call, batch_id: Annotated[str, typer.Argument(metavar="ID", help="The batch, as batch names it.")]
) -> None:
    """Show a batch's progress or its summary.

    \b
    stillmotion batch-status autumn
    stillmotion batch-status autumn --json | jq .failed_by_reason
    """
    found = call.client.batch(batch_id)
    if call.terminal.as_json:
        return call.terminal.document(found)
    show_batch(call.terminal, found)
    return show_failures(call.terminal, failures(_results(call, found)), found.get("results"))
