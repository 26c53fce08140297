"""The typer application, and what every command has in common."""

import inspect
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.markup import escape

from stillmotion_cli import options, standard
from stillmotion_cli.client import ApiClient
from stillmotion_cli.discovery import Wanted, find_stack, or_saved
from stillmotion_cli.errors import INTERRUPTED, CommandError
from stillmotion_cli.stack import Stack
from stillmotion_cli.terminal import Terminal

HELP = """Turn still images into video clips.

The stack that does it: a CloudFormation stack named by --stack-name or STILLMOTION_STACK, otherwise the local one of
.local/stack.json in this folder or above, otherwise the one that stillmotion use saved. Results go to standard output,
messages to standard error.

\b
stillmotion generate still.jpg --prompt "a slow push in" -o clip.mp4
stillmotion list --status failed
stillmotion models --frame first_frame --sort price
"""
EPILOG = """Exit codes: 0 done; 2 bad input; 3 refused; 4 failed, cancelled or expired; 5 timed out;
6 not reachable or no credentials; 7 the clip is made and paid for, but not stored here;
130 stopped by Ctrl-C (the job keeps running)."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stillmotion {version('stillmotion')}")
        raise typer.Exit


def _help(text: str) -> str:
    """A text as the help shows it: paragraphs flow, the lines after a backspace character are examples."""
    paragraphs = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            lines = paragraph.removeprefix("\b\n").splitlines()
            paragraphs.append("\n".join(["Examples:", *(f"[cyan]  {escape(line.strip())}[/cyan]" for line in lines)]))
        else:
            paragraphs.append(escape(paragraph.replace("\n", " ")))
    return "\n\n".join(paragraphs)


@app.callback(help=_help(HELP), epilog=EPILOG.replace("\n", " "))
def stillmotion(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options in front of a command."""


# The headings of the list of commands.
CLIPS, JOBS, STACK = "Make a clip", "Jobs", "The stack"


class Call:
    """One call of a command: where its output goes, and its stack, which is found when it is first used."""

    def __init__(self, wanted: Wanted, as_json: bool, quiet: bool = False) -> None:
        self.terminal = Terminal(as_json, quiet)
        self.wanted = wanted

    @cached_property
    def stack(self) -> Stack:
        """The stack. Raises NoStack where there is none."""
        self.wanted = or_saved(self.wanted)
        return find_stack(self.wanted)

    @cached_property
    def client(self) -> ApiClient:
        """The stack's API."""

        def show_pause(reason: str, seconds: float) -> None:
            self.terminal.say(f"{reason}; trying again in {seconds:.1f} s", "dim")

        return ApiClient(self.stack, on_pause=show_pause)


def command(name: str, panel: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command: it gets a Call first, the options of every command are added.

    Failures become one message and the exit code of their kind.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        def run(
            *,
            stack_name: str | None,
            profile: str | None,
            region: str | None,
            as_json: bool,
            quiet: bool,
            **given: Any,
        ) -> None:
            call = Call(Wanted(stack_name, profile, region), as_json, quiet)
            try:
                if given.get("output") == "-":
                    standard.check_output(as_json)
                function(call, **given)
            except CommandError as error:
                call.terminal.failure(error)
                raise typer.Exit(error.exit_code) from error
            except KeyboardInterrupt as error:
                call.terminal.insist(call.terminal.on_interrupt)
                raise typer.Exit(INTERRUPTED) from error

        parameters = [*list(inspect.signature(function).parameters.values())[1:], *_COMMON]
        # Typer reads the options of a command from its signature.
        run.__dict__["__signature__"] = inspect.Signature(parameters)
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = _help(function.__doc__ or "")
        app.command(name, rich_help_panel=panel)(run)
        return function

    return register


_COMMON = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, annotation, default in (
        ("as_json", options.AsJson, False),
        ("quiet", options.Quiet, False),
        ("stack_name", options.StackName, None),
        ("profile", options.Profile, None),
        ("region", options.Region, None),
    )
]
