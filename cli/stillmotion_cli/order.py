"""What a user asks for with `generate`: from pictures and options to a submitted job."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stillmotion_cli import generation, pictures, uploads
from stillmotion_cli.app import Call
from stillmotion_cli.choice import Choice, choose, most
from stillmotion_cli.client import ApiClient, Document, Job
from stillmotion_cli.errors import ApiProblem, BadInput, NoCredentials, TooExpensive, Unreachable
from stillmotion_cli.progress import Progress
from stillmotion_cli.terminal import Terminal
from stillmotion_cli.units import money

MAX_KEY_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Order:
    """What a user asks for, checked as far as this machine can.

    `frames` are the pictures by frame type, `kinds` the content types of those that are files here; `wish` is what
    the model must be able to do, `extra` goes into the request unchanged.
    """

    frames: dict[str, str]
    kinds: dict[str, str | None]
    flatten: str | None
    prompt: str | None
    model: str | None
    wish: dict[str, Any]
    extra: dict[str, Any]
    key: str


def choose_model(call: Call, order: Order) -> Choice:
    """The model and the length for an order, said to the user."""
    wish = {"frame": list(order.frames), **order.wish, **pictures.shape(order.frames["first_frame"])}
    with Progress(call.terminal) as progress:
        progress.doing("looking up models and prices")
        chosen = choose(call.client, wish, model=order.model, seed=order.extra["seed"])
    call.terminal.say(chosen.sentence())
    return chosen


def build(client: ApiClient, terminal: Terminal, order: Order, chosen: Choice) -> Document:
    """The body of POST /videos, with the pictures uploaded."""
    at = {frame: bring(client, terminal, picture, order) for frame, picture in order.frames.items()}
    return generation.build_request(
        model=chosen.model,
        prompt=order.prompt,
        first_frame=at["first_frame"],
        last_frame=at.get("last_frame"),
        duration=chosen.duration,
        resolution=order.wish["resolution"],
        aspect_ratio=order.wish["aspect_ratio"],
        generate_audio=order.wish["audio"],
        **order.extra,
    )


def bring(client: ApiClient, terminal: Terminal, picture: str, order: Order) -> str:
    """The picture's address: as given, or in the input bucket."""
    kind = order.kinds[picture]
    if kind is None:
        if order.flatten:
            raise BadInput(f"--flatten works on files of this machine, and {picture} is none. Flatten it yourself.")
        return picture
    path = Path(picture)
    with TemporaryDirectory() as folder:
        if pictures.has_transparency(path):
            if order.flatten:
                path, kind = pictures.flatten(path, order.flatten, Path(folder)), "image/png"
            else:
                note = f"{path} has transparency, which most models make black. --flatten white lays it over white."
                terminal.say(note, "yellow")
        return uploads.upload(client, path, kind, order.key)


def within(max_cost: float | None, prices: Sequence[Document | None]) -> None:
    """Make sure that clips of these prices cost no more than `max_cost` US dollars together.

    Raises TooExpensive where they may, or where a price is not known.
    """
    if max_cost is None:
        return
    amounts = [most(price or {}) for price in prices]
    if None in amounts:
        raise TooExpensive(
            f"--max-cost {max_cost:g}: what {'it costs' if len(prices) == 1 else 'one of them costs'} is not known, so "
            "nothing was submitted. Choose a model with a price (stillmotion models --sort price), or leave it out."
        )
    total = sum(amount for amount in amounts if amount is not None)
    # Sums of cents are not exact in binary.
    if total > max_cost + 1e-9:
        raise TooExpensive(
            f"--max-cost {max_cost:g}: {'it may cost' if len(prices) == 1 else f'the {len(prices)} clips may cost'} "
            f"{money(total)}, so nothing was submitted. Choose a shorter clip, a cheaper model, or a higher --max-cost."
        )


def checked_key(given: str | None) -> str:
    """The user's idempotency key, or a new one, so that a lost answer can always be repeated."""
    if given is None:
        return f"cli-{uuid.uuid4()}"
    if not (0 < len(given) <= MAX_KEY_CHARACTERS and given.isascii() and given.isprintable()):
        raise BadInput(
            f"--idempotency-key has {len(given)} characters; it takes 1 to {MAX_KEY_CHARACTERS} printable ASCII ones."
        )
    return given


def pairs_of(texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise BadInput(f"--metadata {text} is not KEY=VALUE, for example --metadata shot=7")
        if name in pairs:
            raise BadInput(f"--metadata {name} is given twice: {pairs[name]} and {value}. Give each key once.")
        pairs[name] = value
    return pairs


def kind_of(picture: str) -> str | None:
    """The content type of a local picture, None for one that is elsewhere."""
    return None if pictures.is_address(picture) else pictures.content_type(Path(picture))


def preview(call: Call, request: Document, needed: bool) -> Document:
    """Show what the clip will be like before it is paid for; empty where the check fails and is not `needed`.

    Faults of the request are reported by the submit, not here.
    """
    with Progress(call.terminal) as progress:
        progress.doing("checking the pictures")
        try:
            planned = call.client.dry_run(request)
        except (ApiProblem, Unreachable):
            if needed:
                raise
            return {}
    show_plan(call, planned)
    return planned


def show_plan(call: Call, planned: dict[str, Any]) -> None:
    """Say what was chosen for the user, and what of the pictures it loses."""
    for field, value in (planned.get("chosen") or {}).items():
        call.terminal.say(f"{field.replace('_', ' ').capitalize()}: {value}, the nearest to the picture.")
    warn(call, planned)


def submit(call: Call, request: dict[str, Any], key: str, said: Sequence[str] = ()) -> Job:
    repeat = f"The same command with --idempotency-key {key} shows that, without paying twice."
    call.terminal.on_interrupt = f"Stopped while the request was being sent: it may have been accepted.\n{repeat}"
    try:
        with Progress(call.terminal) as progress:
            progress.doing("submitting")
            job = call.client.submit(request, key)
    except (ApiProblem, Unreachable) as error:
        forbidden = isinstance(error, NoCredentials) or (isinstance(error, ApiProblem) and error.forbidden)
        if error.exit_code == Unreachable.exit_code and not forbidden:
            error.hint = f"It is not known whether the job was accepted. {repeat}"
        raise
    known = call.client.last.status == 200
    call.terminal.say(f"This idempotency key has its job already: {job['id']}" if known else f"Submitted {job['id']}")
    warn(call, job, said)
    return job


def warn(call: Call, answer: dict[str, Any], said: Sequence[str] = ()) -> None:
    """Say an answer's warnings that were not said before."""
    warnings: list[str] = answer.get("warnings") or []
    for warning in warnings:
        if warning not in said:
            call.terminal.warn(warning)
