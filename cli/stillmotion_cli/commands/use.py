"""`stillmotion use`: the stack that commands use where none is named."""

from typing import Annotated

import typer

from stillmotion_cli import saved
from stillmotion_cli.app import STACK, Call, command
from stillmotion_cli.discovery import Wanted, find_stack
from stillmotion_cli.errors import BadInput

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="The CloudFormation stack. Without it: show what is saved.")
]


@command("use", STACK)
def use(
    call: Call,
    name: Name = None,
    none: Annotated[bool, typer.Option("--none", help="Forget the saved stack.")] = False,
) -> None:
    """Save the stack that commands use where none is named.

    It is kept, with --profile and --region where they are given, in config.toml below ~/.config/stillmotion
    (XDG_CONFIG_HOME). --stack-name, STILLMOTION_STACK and a local stack in this folder or above come first.

    \b
    stillmotion use stillmotion --profile clips --region eu-central-1
    stillmotion use
    stillmotion use --none
    """
    if none:
        if name:
            raise BadInput(f"Give either the name {name} or --none.")
        was_there = saved.forget()
        return _report(call, None, "Forgotten." if was_there else "No stack was saved.")
    if name is None:
        return _report(call, saved.read(), "No stack is saved. Save one: stillmotion use NAME")
    chosen = saved.SavedStack(name, call.wanted.profile, call.wanted.region)
    # A name that leads nowhere is not saved.
    find_stack(Wanted(name, chosen.profile, chosen.region))
    saved.write(chosen)
    return _report(call, chosen, "")


def _report(call: Call, kept: saved.SavedStack | None, otherwise: str) -> None:
    terminal = call.terminal
    if terminal.as_json:
        values = {name: getattr(kept, name) if kept else None for name in saved.NAMES}
        return terminal.document(values | {"file": str(saved.path())})
    if kept is None:
        return terminal.say(otherwise)
    more = [f"{name} {value}" for name, value in (("profile", kept.profile), ("region", kept.region)) if value]
    return terminal.line(f"{kept.stack}{f' ({", ".join(more)})' if more else ''}, saved in {saved.path()}")
