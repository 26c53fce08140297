"""What became of a batch's rows: why some failed, and the clips of the others onto this machine."""

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import urllib3

from stillmotion_cli import downloads
from stillmotion_cli.client import ApiClient, Document
from stillmotion_cli.errors import CommandError, NotStored, Unreachable
from stillmotion_cli.progress import Progress
from stillmotion_cli.shown import one_line
from stillmotion_cli.terminal import Terminal
from stillmotion_cli.transport import new_pool, repeat
from stillmotion_cli.trust import is_device, require_link
from stillmotion_cli.wording import BATCH_OPTIONS, renamed

MAX_SHOWN = 20
DOWNLOADS_AT_A_TIME = 4
MAX_NAME_CHARACTERS = 100
_TIMEOUT = urllib3.Timeout(connect=5, read=60)
_UNFIT = re.compile(r"[^\w.()+@=-]+")


@dataclass(frozen=True, slots=True)
class Clip:
    """A row's clip on this machine."""

    item_id: str
    job_id: str
    path: Path
    bytes: int


def read_results(client: ApiClient, batch: Document) -> list[Document]:
    """The lines of a batch's results, in the manifest's order; none where the stack gives no link to them.

    Raises:
        Unreachable: S3 does not give them.
    """
    url = batch.get("results_url")
    if not url:
        return []
    link = require_link(url, client.stack.api_url)

    def once() -> bytes:
        try:
            answer = new_pool(link).request("GET", link, timeout=_TIMEOUT, retries=False, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"The results of batch {batch['id']} cannot be read: {error}.") from error
        if answer.status != 200:
            raise Unreachable(f"The results of batch {batch['id']} cannot be read: S3 answered {answer.status}.")
        return bytes(answer.data)

    content = repeat(once, attempts=3, on_pause=lambda _reason, _seconds: None, sleep=client.sleep)
    return [json.loads(line) for line in content.split(b"\n") if line.strip()]


def failures(lines: Sequence[Document]) -> list[Document]:
    """The rows without a clip: `{"row", "item_id", "error"}`, and the `job_id` of those that became a job."""
    names = ("row", "item_id", "job_id", "cost_usd", "may_have_cost_usd", "error")
    return [{name: line[name] for name in names if name in line} for line in lines if line["status"] == "failed"]


def show_failures(terminal: Terminal, failed: Sequence[Document], results: str | None) -> None:
    """Say of each row why it has no clip; of very many, of the first ones."""
    for line in failed[:MAX_SHOWN]:
        error = line.get("error") or {}
        said = str(error.get("message") or "")
        place = f"Row {line['row']}"
        name = str(line["item_id"])
        shown = f"{place}, {name}" if not name.startswith("unusable-row-") else place
        words = error.get("provider_message")
        more = f" ModelGates said: {words}" if words and str(words) not in said else ""
        job = f" See: stillmotion show {line['job_id']}" if line.get("job_id") else ""
        said = re.sub(rf"^{place}( \(line [\d,]+\))?:? ?", r"\1 ", said).strip()
        terminal.say(one_line(renamed(f"{shown}: {error.get('code')}: {said}{more}{job}", BATCH_OPTIONS)), "red")
    if len(failed) > MAX_SHOWN:
        terminal.say(f"and {len(failed) - MAX_SHOWN:,} more rows: {one_line(results)}", "red")


def store_clips(
    client: ApiClient, lines: Sequence[Document], folder: Path, force: bool, progress: Progress
) -> list[Clip]:
    """Download the clips of all rows that have one; those that are there already stay.

    Raises:
        NotStored: some could not be stored; all others are.
    """
    wanted = list(_named(line for line in lines if line["status"] in ("done", "skipped")))

    def fetch(line: Document, name: str) -> list[Clip]:
        job = client.job(line["job_id"])
        stored = downloads.store(client, job, folder / f"{name}.mp4", force, lambda _done, _total: None)
        return [Clip(line["item_id"], line["job_id"], clip.path, clip.bytes) for clip in stored]

    clips: list[Clip] = []
    missed: list[str] = []
    with ThreadPoolExecutor(DOWNLOADS_AT_A_TIME) as pool:
        waiting = [(line, pool.submit(fetch, line, name)) for line, name in wanted]
        try:
            for number, (line, future) in enumerate(waiting, start=1):
                progress.doing(f"storing clips: {number:,} of {len(waiting):,}")
                try:
                    clips += future.result()
                except CommandError as error:
                    way = f"Get it with: stillmotion download {one_line(line['job_id'])}"
                    missed.append(f"{one_line(line['item_id'])}: {error} {way}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if missed:
        shown = "\n  ".join(missed[:MAX_SHOWN])
        more = f"\n  and {len(missed) - MAX_SHOWN:,} more" if len(missed) > MAX_SHOWN else ""
        raise NotStored(
            f"{len(missed):,} of {len(wanted):,} clips are finished, but are not stored here:\n  {shown}{more}"
        )
    return clips


def _named(lines: Iterator[Document]) -> Iterator[tuple[Document, str]]:
    """Each line with a file name made of its item_id: letters and digits of any script, and no path."""
    taken: set[str] = set()
    for line in lines:
        name = _UNFIT.sub("_", str(line["item_id"])).strip("._-")[:MAX_NAME_CHARACTERS] or f"row-{line['row']}"
        if is_device(name):
            name = f"{name}-row-{line['row']}"
        # Some file systems do not tell upper from lower case.
        if name.casefold() in taken:
            name = f"{name}-row-{line['row']}"
        taken.add(name.casefold())
        yield line, name
