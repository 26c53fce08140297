"""The commands about the stack itself: its models, and the events on its bus."""

from typing import Annotated

import typer

from stillmotion_cli import event_log
from stillmotion_cli.app import STACK, Call, command
from stillmotion_cli.options import AspectRatio, Audio, Frame, Resolution, Sort
from stillmotion_cli.render import show_event, show_models
from stillmotion_cli.units import moment


@command("models", STACK)
def models(
    call: Call,
    frame: Annotated[
        list[Frame] | None,
        typer.Option(metavar="FRAME", help="Must take a first_frame or a last_frame; may be repeated."),
    ] = None,
    duration: Annotated[int | None, typer.Option(metavar="SECONDS", min=1, help="A length it must offer.")] = None,
    resolution: Resolution = None,
    aspect_ratio: AspectRatio = None,
    audio: Audio = None,
    sort: Annotated[Sort | None, typer.Option(help="Cheapest first.", show_choices=True)] = None,
) -> None:
    """List models and what a clip costs.

    Listed are models that do not exclude what you ask for, each with the most that such a clip costs. A dash means
    what a model does not state.

    \b
    stillmotion models --frame first_frame --frame last_frame --duration 6
    stillmotion models --audio --sort price --json | jq -r ".data[0].id"
    """
    found = call.client.models(
        frame=[one.value for one in frame or []],
        duration=duration,
        resolution=resolution,
        aspect_ratio=aspect_ratio,
        audio=audio,
        sort=sort and sort.value,
    )
    if call.terminal.as_json:
        call.terminal.document({"data": found})
    elif found:
        show_models(call.terminal, found)
    else:
        call.terminal.say("No model can do all of this. Ask for less.")


@command("events", STACK)
def events(
    call: Call,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Keep waiting for new events.")] = True,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Since when: 90s, 15m, 2h, 3d, 1w, or an ISO-8601 time.")
    ] = "1h",
) -> None:
    """Follow the stack's event bus.

    Shows Stillmotion's events, where the stack keeps a log of them. With --json every event is one line.

    \b
    stillmotion events
    stillmotion events --since 2d --no-follow --json | jq .detail.status
    """
    call.terminal.on_interrupt = "Stopped listening."
    begin = moment("--since", since)
    nothing = True
    for event in event_log.read(call.stack, begin, follow=follow):
        nothing = False
        if call.terminal.as_json:
            call.terminal.json_line(event)
        else:
            show_event(call.terminal, event)
    if nothing:
        call.terminal.say(f"There were no events since {begin.isoformat(timespec='seconds')}.")
