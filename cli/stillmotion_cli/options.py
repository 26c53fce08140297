"""The options and arguments that several commands take, and the words they accept."""

import math
from enum import StrEnum
from typing import Annotated

import typer

from stillmotion_cli import completion

# 60 polls of 30 s are what the workflow itself allows; submitting and storing come on top.
DEFAULT_WAIT = 45 * 60


class Status(StrEnum):
    """The states of a job."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    CONFIRMING = "confirming"
    IN_PROGRESS = "in_progress"
    DELIVERING = "delivering"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    TIMED_OUT = "timed_out"
    SUBMIT_UNKNOWN = "submit_unknown"


class Frame(StrEnum):
    """The pictures that a model may take."""

    FIRST = "first_frame"
    LAST = "last_frame"


class Sort(StrEnum):
    """The orders of the list of models."""

    PRICE = "price"


STACK_PANEL = "Which stack, with which credentials"

StackName = Annotated[
    str | None,
    typer.Option(
        "--stack-name",
        envvar="STILLMOTION_STACK",
        metavar="NAME",
        help="The CloudFormation stack. Without it: .local/stack.json, here or above, then the one saved by `use`.",
        rich_help_panel=STACK_PANEL,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="A profile of your AWS configuration.", rich_help_panel=STACK_PANEL),
]
Region = Annotated[
    str | None,
    typer.Option("--region", metavar="NAME", help="The AWS region of the stack.", rich_help_panel=STACK_PANEL),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON and nothing else on standard output; messages go to standard error.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result and errors, no other messages.")]

JobId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The job, as generate and list name it (vid_...).", autocompletion=completion.job_ids
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Where the clip goes: a file, a folder, or - for standard output. Default: out/ID.mp4",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")]


def finite(number: float | None) -> float | None:
    """Refuse `nan`, which is neither over nor under any limit, and `inf`."""
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter(f"{number} is no amount. Give a number, or leave the option out.")
    return number


Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="How long to wait here. The job keeps running afterwards.", min=1, callback=finite
    ),
]
Duration = Annotated[
    int | None,
    typer.Option(metavar="SECONDS", min=1, help="Length of the clip. Default: the model's shortest of 4 s or more."),
]
Resolution = Annotated[str | None, typer.Option(metavar="LINES", help="For example 720p.")]
AspectRatio = Annotated[str | None, typer.Option(metavar="W:H", help="For example 16:9.")]
Audio = Annotated[bool | None, typer.Option("--audio/--no-audio", help="Whether the clip gets sound.")]
