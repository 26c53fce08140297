"""The entry point of the `stillmotion` command."""

import sys

from stillmotion_cli import commands  # noqa: F401 - registers the commands
from stillmotion_cli.app import app


def run() -> None:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows another one instead of a traceback.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app()
