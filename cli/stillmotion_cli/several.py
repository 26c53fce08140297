"""Several clips in one call: all are checked and priced first, then made side by side, a bounded number at a time."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import typer

from stillmotion_cli import downloads, generation, order, pictures, standard
from stillmotion_cli.app import Call
from stillmotion_cli.choice import describe_price, most
from stillmotion_cli.client import ApiClient, Document, Job
from stillmotion_cli.errors import BadInput, CommandError, NotStored
from stillmotion_cli.order import Order
from stillmotion_cli.several_table import SeveralTable
from stillmotion_cli.shown import one_line
from stillmotion_cli.terminal import agreed
from stillmotion_cli.units import money, size

SHORTEST_REST = order.MAX_KEY_CHARACTERS - 20
LONGEST_STEM = 200
"""Bytes of the name that an address gives a clip; file systems take 255, with a number and an ending."""


@dataclass(frozen=True, slots=True)
class Way:
    """How several clips are made: the options that are about all of them. `max_cost` is in US dollars."""

    output: str | None
    force: bool
    timeout: float
    wait: bool
    dry_run: bool
    max_cost: float | None
    yes: bool
    concurrency: int


@dataclass(slots=True)
class Clip:
    """One of the clips, and how far it is. `key` is its own idempotency key."""

    name: str
    target: Path
    key: str
    order: Order
    request: Document = field(default_factory=dict)
    price: Document = field(default_factory=dict)
    job: Job | None = None
    bytes: int | None = None
    error: CommandError | None = None


class Stopped(CommandError):
    """The user stopped waiting."""

    exit_code = 130


def generate(call: Call, orders: list[Order], way: Way) -> None:
    """Make a clip of every order. Exits with the code of the first that failed; the others are made all the same."""
    clips = _clips(orders, way)
    call.terminal.on_interrupt = "Stopped; nothing was submitted."
    _price(call, clips, way.concurrency)
    order.within(way.max_cost, [clip.price for clip in clips])
    if way.dry_run:
        return _show_prices(call, clips)
    _confirm(call, clips, way)
    _make(call, clips, way)
    return _report(call, clips)


def _clips(orders: list[Order], way: Way) -> list[Clip]:
    """The clips with their places, none of which is used twice or taken already."""
    folder = downloads.folder_of(way.output) if way.output else Path("out")
    clips: list[Clip] = []
    taken: set[str] = set()
    for one in orders:
        picture = one.frames["first_frame"]
        stem, number = _stem(picture), 1
        while (name := stem if number == 1 else f"{stem}-{number}").lower() in taken:
            number += 1
        taken.add(name.lower())
        if len(one.key) > SHORTEST_REST:
            raise BadInput(f"--idempotency-key may have {SHORTEST_REST} characters where there are several pictures.")
        own = hashlib.sha256(f"{standard.typed(picture)}\0{number}".encode(errors="surrogateescape")).hexdigest()[:16]
        clips.append(Clip(name, folder / f"{name}.mp4", f"{one.key}-{own}", one))
    stored = way.wait and not way.dry_run
    if stored:
        downloads.check_writable(clips[0].target)
    there = [str(clip.target) for clip in clips if os.path.exists(clip.target)]
    if stored and there and not way.force:
        more = f" and {len(there) - 3} more" if len(there) > 3 else ""
        raise BadInput(f"{', '.join(there[:3])}{more} would be replaced. Give another -o, or --force to replace.")
    return clips


def _stem(picture: str) -> str:
    """A picture's name without its ending, as the name of its clip."""
    if not pictures.is_address(picture):
        return Path(picture).stem
    parts = urlsplit(picture)
    stem = "clip" if parts.scheme == "data" else PurePosixPath(unquote(parts.path)).stem
    # An address may have parts that no file can be called by.
    return stem.encode(errors="replace")[:LONGEST_STEM].decode(errors="ignore") or "clip"


def _price(call: Call, clips: list[Clip], concurrency: int) -> None:
    """Upload and check every picture, so that a refusal comes before anything is paid for."""
    chosen = order.choose_model(call, clips[0].order)
    client_of = _clients(call)
    with SeveralTable(call.terminal, [clip.name for clip in clips]) as table:

        def check(clip: Clip) -> None:
            table.update(clip.name, "checking")
            client = client_of()
            clip.request = order.build(client, call.terminal, clip.order, chosen)
            planned = client.dry_run(clip.request)
            clip.price = planned.get("price") or {}
            table.update(clip.name, "checked")
            for warning in planned.get("warnings") or []:
                call.terminal.warn(warning, clip.name)

        _side_by_side(clips, check, concurrency)
    refused = [clip for clip in clips if clip.error]
    if refused and (error := refused[0].error):
        error.hint = (
            f"{len(refused)} of {len(clips)} pictures cannot be used: {', '.join(clip.name for clip in refused)}. "
            "Nothing was submitted."
        )
        raise error


def _total(clips: Iterable[Clip]) -> str:
    amounts = [most(clip.price) for clip in clips]
    known = sum(amount for amount in amounts if amount is not None)
    missing = amounts.count(None)
    return f"{money(known)} at most" + (f", and {missing} whose price is not known" if missing else "")


def _confirm(call: Call, clips: list[Clip], way: Way) -> None:
    question = f"{len(clips)} clips, {_total(clips)}"
    if way.yes or way.max_cost is not None:
        return call.terminal.say(f"{question}.")
    if not call.terminal.can_ask:
        raise BadInput(f"{question}: nothing was submitted. Say --yes, or what it may cost: --max-cost USD")
    if not agreed(f"{question}. Make them?"):
        raise BadInput("Nothing was submitted.")
    return None


def _make(call: Call, clips: list[Clip], way: Way) -> None:
    """Submit, wait for and store every clip."""
    stopped = threading.Event()
    client_of = _clients(call)
    call.terminal.on_interrupt = "Stopped. Jobs that were submitted keep running: stillmotion list"

    def pause(seconds: float) -> None:
        if stopped.wait(seconds):
            raise Stopped("Stopped waiting.")

    with SeveralTable(call.terminal, [clip.name for clip in clips]) as table:

        def make(clip: Clip) -> None:
            try:
                pause(0)
                client = client_of()
                table.update(clip.name, "submitting")
                job = clip.job = _submit(client, clip)
                if not way.wait:
                    return table.update(clip.name, f"submitted, {job['id']}")
                show: Callable[[Job], None] = lambda at: table.update(clip.name, f"{at['status']}, {job['id']}")  # noqa: E731
                job = clip.job = generation.wait(client, job, show, timeout=way.timeout, sleep=pause)
                _store(client, clip, generation.require_completed(job, call.terminal.names), way.force)
                table.update(clip.name, f"stored, {clip.target}")
            except CommandError:
                table.update(clip.name, "failed")
                raise

        _side_by_side(clips, make, way.concurrency, stopped)


def _submit(client: ApiClient, clip: Clip) -> Job:
    try:
        return client.submit(clip.request, clip.key)
    except CommandError as error:
        if error.exit_code == 6:
            error.hint = (
                f"The same command with --idempotency-key {clip.order.key} shows whether the job was accepted, without "
                "paying twice."
            )
        raise


def _store(client: ApiClient, clip: Clip, job: Job, force: bool) -> None:
    try:
        stored = downloads.store(client, job, clip.target, force, lambda _done, _all: None)
    except (CommandError, OSError) as error:
        hint = f"It is not paid again. Get it with: stillmotion download {job['id']} -o {clip.target}"
        raise NotStored(f"The clip is finished, but is not stored here. {error}", job, hint) from error
    clip.bytes = stored[0].bytes


def _side_by_side(
    clips: list[Clip], work: Callable[[Clip], None], concurrency: int, stopped: threading.Event | None = None
) -> None:
    """Do the work for all clips, so many at a time; a failure is kept with its clip and stops no other."""

    def guarded(clip: Clip) -> None:
        try:
            work(clip)
        except CommandError as error:
            clip.error = error

    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="clip")
    try:
        for _ in pool.map(guarded, clips):
            pass
    except BaseException:
        if stopped:
            stopped.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _clients(call: Call) -> Callable[[], ApiClient]:
    """Makes clients that share one session: each remembers its last answer, so threads cannot share one."""
    session = call.stack.session()
    return lambda: ApiClient(call.stack, session)


def _show_prices(call: Call, clips: list[Clip]) -> None:
    if call.terminal.as_json:
        listed = [{"image": clip.order.frames["first_frame"], "price": clip.price} for clip in clips]
        return call.terminal.document({"dry_run": True, "clips": listed})
    for clip in clips:
        call.terminal.line(f"{clip.order.frames['first_frame']}: {describe_price(clip.price)}")
    return call.terminal.line(f"{len(clips)} clips, {_total(clips)}. Nothing was submitted.")


def _report(call: Call, clips: list[Clip]) -> None:
    terminal = call.terminal
    if terminal.as_json:
        terminal.document({"clips": [_document(clip) for clip in clips]})
    for clip in clips:
        job = clip.job or {}
        if clip.error:
            terminal.insist(f"{one_line(clip.order.frames['first_frame'])}: {clip.error.text(terminal.names)}", "red")
            if clip.error.hint:
                terminal.insist(clip.error.hint)
        elif not terminal.as_json:
            cost = (job.get("usage") or {}).get("cost_usd")
            paid = f", {money(cost)}" if cost is not None else ""
            terminal.line(f"{clip.target}  ({size(clip.bytes)}{paid})" if clip.bytes is not None else str(job["id"]))
    failed = [clip.error for clip in clips if clip.error]
    if failed:
        terminal.insist(f"{len(failed)} of {len(clips)} clips failed.", "red")
        raise typer.Exit(failed[0].exit_code)


def _document(clip: Clip) -> dict[str, Any]:
    job, error = clip.job or {}, clip.error
    return {
        "image": clip.order.frames["first_frame"],
        "id": job.get("id"),
        "status": job.get("status"),
        "output_path": str(clip.target) if clip.bytes is not None else None,
        "bytes": clip.bytes,
        "cost_usd": (job.get("usage") or {}).get("cost_usd"),
        "error": None if error is None else error.document().get("error") or {"message": str(error)},
    }
