"""`stillmotion generate`: a clip from a picture, or several clips from several."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from stillmotion_cli import completion, downloads, options, order, several, standard
from stillmotion_cli.app import CLIPS, Call, command
from stillmotion_cli.choice import describe_price
from stillmotion_cli.client import Document, Job
from stillmotion_cli.errors import BadInput
from stillmotion_cli.finish import finish
from stillmotion_cli.order import Order
from stillmotion_cli.render import show_job

Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE...",
        help="The first frame: a file, an https://, s3:// or data: address, or - for standard input. Several make "
        "several clips.",
    ),
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
MaxCost = Annotated[
    float | None,
    typer.Option(
        metavar="USD",
        min=0,
        callback=options.finite,
        help="Submit nothing where it may cost more, or where that is not known.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Make several clips without asking first.")]
Together = Annotated[
    int, typer.Option("--concurrency", metavar="NUMBER", min=1, max=32, help="How many clips are made side by side.")
]


@command("generate", CLIPS)
def generate(
    call: Call,
    images: Images,
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
    max_cost: MaxCost = None,
    yes: Yes = False,
    concurrency: Together = 4,
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: options.Timeout = options.DEFAULT_WAIT,
    output: options.Output = None,
    force: options.Force = False,
) -> None:
    """Make a clip that begins with IMAGE, and store it.

    A local picture is uploaded into the stack's bucket first. Which model was chosen and what the clip is going to
    cost is said before it is submitted. Without --audio the clip is silent. Ctrl-C leaves the job running.

    Several pictures make several clips, each stored under its picture's name in the folder -o, or in out/. All of them
    are checked and priced before the first is submitted.

    \b
    stillmotion generate still.jpg --prompt "a slow push in" -o clip.mp4
    stillmotion generate a.jpg --last-image b.jpg --duration 6 --dry-run
    stillmotion generate *.jpg --prompt rain -o clips/ --max-cost 5 --yes
    curl -s https://example.com/a.jpg | stillmotion generate - -o - > clip.mp4
    """
    if output and (dry_run or not wait):
        raise BadInput(f"-o {output} has no use with {'--dry-run' if dry_run else '--no-wait'}: leave one of them out.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix=standard.FOLDER_PREFIX)))
        given = standard.pictures([*images, *([last_image] if last_image else [])], folder)
        firsts, last = given[: len(images)], given[len(images) :]
        extra = {"seed": seed, "metadata": order.pairs_of(metadata or []) or None}
        # Sound costs more with many models, which make it unless they are asked not to.
        wish = {"duration": duration, "resolution": resolution, "aspect_ratio": aspect_ratio, "audio": audio or False}
        key = order.checked_key(idempotency_key)
        orders = [_order(first, last, flatten, prompt, model, wish, extra, key) for first in firsts]
        stored = wait and not dry_run
        if len(orders) > 1:
            way = several.Way(output, force, timeout, wait, dry_run, max_cost, yes, concurrency)
            return several.generate(call, orders, way)
        target = downloads.target_of(output, force) if stored else None
        return _one(call, orders[0], max_cost, dry_run, (target, force, timeout) if wait else None)


def _order(
    first: str,
    last: list[str],
    flatten: str | None,
    prompt: str | None,
    model: str | None,
    wish: Document,
    extra: Document,
    key: str,
) -> Order:
    frames = {"first_frame": first} | ({"last_frame": last[0]} if last else {})
    kinds = {picture: order.kind_of(picture) for picture in frames.values()}
    return Order(frames, kinds, flatten, prompt, model, wish, extra, key)


def _one(
    call: Call, wanted: Order, max_cost: float | None, dry_run: bool, end: tuple[Path | None, bool, float] | None
) -> None:
    """One clip; `end` says where it goes and how long to wait for it, None not to wait."""
    call.terminal.on_interrupt = "Stopped; nothing was submitted."
    request = order.build(call.client, call.terminal, wanted, order.choose_model(call, wanted))
    if dry_run:
        planned = call.client.dry_run(request)
        if call.terminal.as_json:  # one document: the plan, or why it may not be
            order.within(max_cost, [planned.get("price")])
        _show_dry_run(call, planned)
        return order.within(max_cost, [planned.get("price")])
    planned = order.preview(call, request, needed=max_cost is not None)
    order.within(max_cost, [planned.get("price")])
    job = order.submit(call, request, wanted.key, planned.get("warnings") or ())
    return finish(call, job, *end) if end else _show(call, job)


def _show(call: Call, job: Job) -> None:
    if call.terminal.as_json:
        call.terminal.document(job)
    else:
        show_job(call.terminal, job)


def _show_dry_run(call: Call, answer: Document) -> None:
    terminal = call.terminal
    order.show_plan(call, answer)
    if terminal.as_json:
        return terminal.document(answer)
    price = describe_price(answer.get("price") or {})
    return terminal.line(f"{answer.get('model')} takes this request: {price}. Nothing was submitted.")
