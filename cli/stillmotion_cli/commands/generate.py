"""`stillmotion generate`: one picture, one clip."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from stillmotion_cli import completion, downloads, generation, options, pictures, uploads
from stillmotion_cli.app import CLIPS, Call, command
from stillmotion_cli.choice import choose, describe_price
from stillmotion_cli.client import Job
from stillmotion_cli.errors import FORBIDDEN, ApiProblem, BadInput, NoCredentials, Unreachable
from stillmotion_cli.finish import finish
from stillmotion_cli.progress import Progress
from stillmotion_cli.render import show_job
from stillmotion_cli.units import size

MAX_KEY_CHARACTERS = 256


Image = Annotated[
    str, typer.Argument(metavar="IMAGE", help="The first frame: a file, or an https://, s3:// or data: address.")
]
Prompt = Annotated[str | None, typer.Option(metavar="TEXT", help="What happens in the clip.")]
LastImage = Annotated[str | None, typer.Option(metavar="IMAGE", help="The last frame, given like the first.")]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Default: the cheapest that states it can do it.",
        autocompletion=completion.model_names,
    ),
]
Seed = Annotated[int | None, typer.Option(metavar="NUMBER", help="The same seed asks for the same clip.")]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Carried into record and events; may be repeated.")
]
Key = Annotated[str | None, typer.Option(metavar="TEXT", help="Repeating a request under its key never pays twice.")]
Flatten = Annotated[
    str | None, typer.Option(metavar="COLOUR", help="Lay pictures with transparency over this, for example white.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and price the request; spend nothing.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the clip and store it.")]


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


@command("generate", CLIPS)
def generate(
    call: Call,
    image: Image,
    prompt: Prompt = None,
    last_image: LastImage = None,
    model: Model = None,
    duration: options.Duration = None,
    resolution: options.Resolution = None,
    aspect_ratio: options.AspectRatio = None,
    audio: options.Audio = None,
    seed: Seed = None,
    metadata: Metadata = None,
    idempotency_key: Key = None,
    flatten: Flatten = None,
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: options.Timeout = options.DEFAULT_WAIT,
    output: options.Output = None,
    force: options.Force = False,
) -> None:
    """Make a clip that begins with IMAGE, and store it.

    A local picture is uploaded into the stack's bucket first. Which model was chosen and what the clip is going to
    cost is said before it is submitted. Without --audio the clip is silent. Ctrl-C leaves the job running.

    \b
    stillmotion generate still.jpg --prompt "a slow push in" -o clip.mp4
    stillmotion generate a.jpg --last-image b.jpg --duration 6 --dry-run
    stillmotion generate still.jpg --prompt rain --no-wait --json | jq -r .id
    """
    if output and (dry_run or not wait):
        raise BadInput(f"-o {output} has no use with {'--dry-run' if dry_run else '--no-wait'}: leave one of them out.")
    frames = {"first_frame": image} | ({"last_frame": last_image} if last_image else {})
    order = Order(
        frames=frames,
        kinds={picture: _kind(picture) for picture in frames.values()},
        flatten=flatten,
        prompt=prompt,
        model=model,
        # Sound costs more with many models, which make it unless they are asked not to.
        wish={"duration": duration, "resolution": resolution, "aspect_ratio": aspect_ratio, "audio": audio or False},
        extra={"seed": seed, "metadata": _pairs(metadata or []) or None},
        key=_checked_key(idempotency_key),
    )
    target = None if dry_run or not wait else downloads.target_of(output, force)
    request = _request(call, order)
    if dry_run:
        return _show_dry_run(call, call.client.dry_run(request))
    job = _submit(call, request, order.key, _preview(call, request))
    return finish(call, job, target, force, timeout) if wait else _show(call, job)


def _request(call: Call, order: Order) -> dict[str, Any]:
    """The body of POST /videos, with the model chosen and the pictures uploaded."""
    call.terminal.on_interrupt = "Stopped; nothing was submitted."
    wish = {"frame": list(order.frames), **order.wish}
    with Progress(call.terminal) as progress:
        progress.doing("looking up models and prices")
        chosen = choose(call.client, wish, model=order.model, seed=order.extra["seed"])
    call.terminal.say(chosen.sentence())
    at = {frame: _bring(call, picture, order) for frame, picture in order.frames.items()}
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


def _checked_key(given: str | None) -> str:
    """The user's idempotency key, or a new one, so that a lost answer can always be repeated."""
    if given is None:
        return f"cli-{uuid.uuid4()}"
    if not (0 < len(given) <= MAX_KEY_CHARACTERS and given.isascii() and given.isprintable()):
        raise BadInput(
            f"--idempotency-key has {len(given)} characters; it takes 1 to {MAX_KEY_CHARACTERS} printable ASCII ones."
        )
    return given


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise BadInput(f"--metadata {text} is not KEY=VALUE, for example --metadata shot=7")
        if name in pairs:
            raise BadInput(f"--metadata {name} is given twice: {pairs[name]} and {value}. Give each key once.")
        pairs[name] = value
    return pairs


def _kind(picture: str) -> str | None:
    """The content type of a local picture, None for one that is elsewhere."""
    return None if pictures.is_address(picture) else pictures.content_type(Path(picture))


def _bring(call: Call, picture: str, order: Order) -> str:
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
                call.terminal.say(note, "yellow")
        with Progress(call.terminal) as progress:
            progress.doing(f"uploading {path.name} ({size(path.stat().st_size)})")
            return uploads.upload(call.client, path, kind, order.key)


def _preview(call: Call, request: dict[str, Any]) -> list[str]:
    """Show what the clip will be like before it is paid for. What stands against it, the submit says."""
    with Progress(call.terminal) as progress:
        progress.doing("checking the pictures")
        try:
            planned = call.client.dry_run(request)
        except (ApiProblem, Unreachable):
            return []
    return _show_plan(call, planned)


def _show_plan(call: Call, planned: dict[str, Any]) -> list[str]:
    """Say what was chosen for the user and what is lost by it. Returns the warnings."""
    for field, value in (planned.get("chosen") or {}).items():
        call.terminal.say(f"{field.replace('_', ' ').capitalize()}: {value}, the nearest to the picture.")
    return _warn(call, planned)


def _submit(call: Call, request: dict[str, Any], key: str, said: Sequence[str] = ()) -> Job:
    repeat = f"The same command with --idempotency-key {key} finds out without paying twice."
    call.terminal.on_interrupt = f"Stopped while the request was on its way: it may have been accepted.\n{repeat}"
    try:
        with Progress(call.terminal) as progress:
            progress.doing("submitting")
            job = call.client.submit(request, key)
    except (ApiProblem, Unreachable) as error:
        forbidden = isinstance(error, NoCredentials) or (isinstance(error, ApiProblem) and error.status in FORBIDDEN)
        if error.exit_code == Unreachable.exit_code and not forbidden:
            error.hint = f"It is not known whether the job was accepted. {repeat}"
        raise
    known = call.client.last.status == 200
    call.terminal.say(f"This idempotency key has its job already: {job['id']}" if known else f"Submitted {job['id']}")
    _warn(call, job, said)
    return job


def _warn(call: Call, answer: dict[str, Any], said: Sequence[str] = ()) -> list[str]:
    """Say an answer's warnings that were not said before. Returns all of them."""
    warnings: list[str] = answer.get("warnings") or []
    for warning in warnings:
        if warning not in said:
            call.terminal.say(f"Warning: {warning}", "yellow")
    return warnings


def _show(call: Call, job: Job) -> None:
    if call.terminal.as_json:
        call.terminal.document(job)
    else:
        show_job(call.terminal, job)


def _show_dry_run(call: Call, answer: dict[str, Any]) -> None:
    terminal = call.terminal
    _show_plan(call, answer)
    if terminal.as_json:
        return terminal.document(answer)
    price = describe_price(answer.get("price") or {})
    return terminal.line(f"{answer.get('model')} takes this request: {price}. Nothing was submitted.")
