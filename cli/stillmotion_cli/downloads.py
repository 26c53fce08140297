"""Downloading finished clips through the presigned links of the job's record."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.errors import BadInput, CommandError, GenerationFailed, Unreachable
from stillmotion_cli.shown import one_line
from stillmotion_cli.standard import STANDARD
from stillmotion_cli.transport import new_pool, repeat
from stillmotion_cli.trust import file_name, require_link
from stillmotion_cli.units import size

ATTEMPTS = 3
CHUNK = 256 * 1024
_TIMEOUT = urllib3.Timeout(connect=5, read=60)

type OnBytes = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Stored:
    """A clip on this machine."""

    path: Path
    bytes: int


def default_target(job_id: str) -> Path:
    """The default path of a clip."""
    return Path("out") / f"{file_name(job_id)}.mp4"


def target_of(text: str | None, force: bool) -> Path | None:
    """The place that -o names, None for the default one; one that cannot take the clip is refused here, before
    anything is spent.

    With a slash at its end it is a folder, which is made where it is missing.
    """
    if text is None:
        check_writable(default_target("vid_" + "0" * 26))
        return None
    if text == str(STANDARD):
        return STANDARD
    if not text:
        raise BadInput("-o '' names no file. Give the path of a file or a folder, or - for standard output.")
    output = _named(text)
    if text.endswith("/"):
        _make(output)
    if os.path.exists(output) and not os.path.isdir(output) and not force:
        raise _occupied(output)
    check_writable(output / default_target("vid_" + "0" * 26).name if os.path.isdir(output) else output)
    return output


def folder_of(text: str) -> Path:
    """The folder that -o names for several clips. Raises BadInput where it cannot take any."""
    folder = _named(text)
    if text in ("", "-") or (os.path.exists(folder) and not os.path.isdir(folder)):
        raise BadInput(f"-o '{text}' is no folder, and several clips need one. Give another -o.")
    check_writable(folder / "clip.mp4")
    return folder


def _named(text: str) -> Path:
    """The path that -o names. Raises BadInput where no file can have such a name."""
    path = Path(text)
    if any(len(os.fsencode(part)) > os.pathconf(".", "PC_NAME_MAX") for part in path.parts):
        raise BadInput(f"-o '{text[:80]}…' is too long for the name of a file. Give another -o.")
    return path


def check_writable(target: Path) -> None:
    """Make sure that a file could be made at this place by making one beside it, or in the nearest folder above.

    Raises BadInput where it cannot.
    """
    folder = target.parent
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".stillmotion-"):
            pass
    except OSError as error:
        no_folder = os.path.exists(folder) and not os.path.isdir(folder)
        why = "is no folder" if no_folder else f"cannot be written to: {error.strerror}"
        raise BadInput(f"{target} cannot be stored: {folder} {why}. Give another -o.") from error


def store(client: ApiClient, job: Job, output: Path | None, force: bool, on_bytes: OnBytes) -> list[Stored]:
    """Store all videos of a job; further ones get -1, -2, … behind the name. Existing files stay."""
    videos = _videos(job)
    target = output or default_target(job["id"])
    if os.path.isdir(target):
        target /= f"{file_name(job['id'])}.mp4"
    stored = []
    for number, video in enumerate(videos):
        path = target.with_stem(f"{target.stem}-{number}") if number else target
        if os.path.exists(path) and not force:
            if not _is_this(path, video):
                raise _occupied(path, job)
            stored.append(Stored(path, int(video["bytes"])))
        else:
            stored.append(fetch(client, job, number, path, on_bytes))
    return stored


def fetch(
    client: ApiClient, job: Job, number: int, target: Path, on_bytes: OnBytes = lambda _done, _total: None
) -> Stored:
    """Download one video beside `target`, check it against the record, then move it into place.

    A link that has expired, and a transfer that broke off, are tried again with a fresh link.
    """
    links: Job | None = job
    try:
        _make(target.parent)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".stillmotion-") as folder:
            part = Path(folder) / "clip"

            def once() -> None:
                nonlocal links
                if links is None or not _videos(links)[number].get("url"):
                    links = client.job(job["id"])
                video, links = _videos(links)[number], None
                _download(client, job["id"], video, part, on_bytes)

            repeat(once, attempts=ATTEMPTS, on_pause=lambda _reason, _seconds: None, sleep=client.sleep)
            count = part.stat().st_size
            part.replace(target)
    except OSError as error:
        raise BadInput(f"{target} cannot be stored: {error.strerror}. Give another place with -o.") from error
    return Stored(target, count)


class Damaged(CommandError):
    """What arrived is not what the record describes."""

    exit_code = 6


def _download(client: ApiClient, job_id: str, video: dict[str, Any], part: Path, on_bytes: OnBytes) -> None:
    url, total = video.get("url"), int(video["bytes"])
    again = f"Try again: stillmotion download {job_id}"
    if not url:
        reason = one_line(video.get("url_reason") or again)
        raise Damaged(f"The record of {job_id} has no link to its video at {_place(video)}. {reason}")
    url = require_link(url, client.stack.api_url)
    digest, count = hashlib.sha256(), 0
    try:
        with new_pool(url).request(
            "GET", url, timeout=_TIMEOUT, retries=False, redirect=False, preload_content=False
        ) as answer:
            if answer.status != 200:
                raise Unreachable(f"{_place(video)} cannot be read: S3 answered {answer.status}. {again}")
            with part.open("wb") as file:
                for chunk in answer.stream(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    count += len(chunk)
                    on_bytes(count, total)
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(f"{_place(video)}: the transfer broke off after {size(count)}: {error}. {again}") from error
    if count != total:
        raise Unreachable(f"{_place(video)}: {count:,} of {total:,} bytes arrived. {again}")
    checksum = f"sha256:{digest.hexdigest()}"
    if video.get("checksum") and checksum != video["checksum"]:
        raise Damaged(
            f"What arrived from {_place(video)} is not the clip that was stored: its checksum is {checksum}, the "
            f"record says {one_line(video['checksum'])}. Nothing was kept. {again}"
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be made: {error.strerror}. Give another -o.") from error


def _videos(job: Job) -> list[dict[str, Any]]:
    if not job.get("video"):
        raise GenerationFailed(f"{job['id']} is {one_line(job['status'])}, but its record names no stored video.", job)
    videos: list[dict[str, Any]] = job["video"]
    return videos


def _place(video: dict[str, Any]) -> str:
    return one_line(video.get("s3_uri") or f"s3://{video.get('bucket')}/{video.get('key')}")


def _is_this(path: Path, video: dict[str, Any]) -> bool:
    """Whether a file holds exactly this video."""
    if not os.path.isfile(path) or path.stat().st_size != video["bytes"]:
        return False
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == video.get("checksum")


def _occupied(path: Path, job: Job | None = None) -> BadInput:
    error = BadInput(f"{path} exists and is kept. Give another -o, or --force to replace it.")
    error.hint = f"The clip is finished: stillmotion download {job['id']} -o OTHER.mp4" if job else None
    return error
