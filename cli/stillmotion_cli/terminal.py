"""Output for the user: results on standard output, everything else on standard error."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from stillmotion_cli.errors import CommandError
from stillmotion_cli.shown import clean, one_line
from stillmotion_cli.wording import OPTIONS, renamed, with_single_stops


class Terminal:
    """Both streams. With `as_json` standard output gets JSON and nothing else.

    With `quiet` standard error gets failures and nothing else. `names` are what the user calls the fields of the API.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.errors = Console(stderr=True, highlight=False)
        self.output = Console(highlight=False)
        self.on_interrupt = "Stopped."
        self.names: Mapping[str, str] = OPTIONS

    @property
    def is_live(self) -> bool:
        """Whether one line may be drawn over and over on standard error."""
        return not self.quiet and self.errors.file.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def can_ask(self) -> bool:
        """Whether a question can be answered: both ends are a terminal."""
        return sys.stdin.isatty() and self.errors.file.isatty()

    def say(self, text: str, style: str = "") -> None:
        """A message of one line beside the result, which --quiet leaves out."""
        if not self.quiet:
            self.insist(one_line(text), style)

    def warn(self, text: str, about: str = "") -> None:
        """A warning of the API in the user's words, with what it is about where there are several things."""
        self.say(f"Warning: {f'{about}: ' if about else ''}{renamed(text, self.names)}", "yellow")

    def insist(self, text: str, style: str = "") -> None:
        """A message that is also for those who asked for quiet.

        Its line breaks are ours: what comes from elsewhere went through `one_line` before it got into the text.
        """
        self.errors.print(Text(clean(text), style=style), soft_wrap=True)

    def line(self, text: str | Text) -> None:
        """A line of the result, as people read it; it stays one, whatever is in it."""
        if isinstance(text, str) or one_line(text.plain) != text.plain:
            text = Text(one_line(text))
        if self.output.is_terminal:
            self.output.print(text, soft_wrap=True)
        else:
            typer.echo(text.plain)

    def document(self, document: Any) -> None:
        """The result as JSON: indented on a terminal, on one line for programs."""
        typer.echo(json.dumps(document, indent=2 if self.output.is_terminal else None))

    def json_line(self, document: Any) -> None:
        """One of several results, on a line of its own."""
        typer.echo(json.dumps(document))

    def failure(self, error: CommandError) -> None:
        """Say what went wrong and what to do; with --json also as a document."""
        if self.as_json:
            self.document(error.document())
        self.insist(with_single_stops(f"Error: {error.text(self.names)}"), "red")
        if error.hint:
            self.insist(with_single_stops(error.hint))


def agreed(question: str) -> bool:
    """The answer to a question that is put on standard error. Ctrl-C is one like anywhere else, and no answer."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
