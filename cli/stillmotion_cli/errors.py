"""Every failure of the command, each with an exit code of its own for scripts.

CommandError (1)
├── BadInput (2)          what was given cannot be used; nothing was submitted
├── TooExpensive (3)      it may cost more than --max-cost; nothing was submitted
├── ApiProblem (3)        the API refused; 4 where a job ended, 6 for a fault of the stack or of the credentials
├── GenerationFailed (4)  the job ended without a video
├── StillRunning (5)      the time to wait is over: ours, or the workflow's own
├── Unreachable (6)       no answer from the stack
│   ├── NoCredentials     nothing to sign requests with
│   └── NoStack           no stack to talk to
└── NotStored (7)         the clip is made and paid for, and is not on this machine yet
Interrupted by Ctrl-C: 130
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stillmotion_cli.shown import one_line
from stillmotion_cli.wording import OPTIONS, in_the_callers_words

INTERRUPTED = 130
# API Gateway's own refusals of a signature, unless the code is one of these.
FORBIDDEN = (401, 403)
REFUSED_BY_THE_STACK = ("OperatorsOnly",)
# What a repetition may mend among the answers 500 and 502; every other code names something final.
PASSING = ("InternalError", "UnexpectedAnswer")


class CommandError(Exception):
    """A failure, as one message to the user; `hint` is what to do next."""

    exit_code = 1
    hint: str | None = None

    def text(self, names: Mapping[str, str] = OPTIONS) -> str:
        """The message for people; `names` are what they call the fields of the API."""
        return str(self)

    def document(self) -> dict[str, Any]:
        """The failure as `--json` prints it; its `error.code` reads like the one in a job's record."""
        error = {"code": type(self).__name__, "message": str(self), "hint": self.hint}
        return {"error": {name: value for name, value in error.items() if value is not None}}


class BadInput(CommandError):
    """What the user gave cannot be used."""

    exit_code = 2


class TooExpensive(CommandError):
    """What was asked for may cost more than the user allowed."""

    exit_code = 3


class JobError(CommandError):
    """A failure about one job; with --json its record is printed."""

    def __init__(self, message: str, job: dict[str, Any] | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.job = job
        self.hint = hint

    def document(self) -> dict[str, Any]:
        return self.job or super().document()


class GenerationFailed(JobError):
    """The job reached a terminal state other than completed."""

    exit_code = 4


class StillRunning(JobError):
    """The time to wait is over while the clip may still come."""

    exit_code = 5


class NotStored(JobError):
    """The clip is finished and stays in the stack; on this machine it could not be stored."""

    exit_code = 7


class Unreachable(CommandError):
    """The stack gave no answer."""

    exit_code = 6


class NoCredentials(Unreachable):
    """There is nothing to sign requests with, or it is not accepted."""


class NoStack(Unreachable):
    """No stack was named and none runs on this machine."""


@dataclass(eq=False)
class ApiProblem(CommandError):
    """An RFC 9457 problem document that the API answered with; `retry_after` is in seconds."""

    status: int
    code: str
    title: str
    detail: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    provider_message: str | None = None
    instance: str | None = None
    retry_after: float | None = None
    hint: str | None = None

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What kind of failure this is for a script."""
        if self.code == "SubmitOutcomeUnknown":
            return GenerationFailed.exit_code
        if self.status >= 500 or self.forbidden:
            return Unreachable.exit_code
        return 3

    @property
    def forbidden(self) -> bool:
        """Whether API Gateway did not let the call through."""
        return self.status in FORBIDDEN and self.code not in REFUSED_BY_THE_STACK

    @property
    def may_pass(self) -> bool:
        """Whether the same call can do better in a moment."""
        return self.status in (429, 503, 504) or (self.status in (500, 502) and self.code in PASSING)

    def __str__(self) -> str:
        return self.text()

    def text(self, names: Mapping[str, str] = OPTIONS) -> str:
        name = f"{one_line(self.code)}, HTTP {self.status}"
        lines = [f"{one_line(self.title)} ({name})" if self.title else name]
        lines += [f"  {one_line(line)}" for line in in_the_callers_words(self.detail, self.errors, names)]
        lines += [f"  ModelGates said: {one_line(self.provider_message)}"] if self.provider_message else []
        lines += [f"  The job: {one_line(str(self.instance).rsplit('/', 1)[-1])}"] if self.instance else []
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        known = {
            "code": self.code,
            "message": self.detail or self.title,
            "title": self.title or None,
            "status": self.status,
            "errors": self.errors or None,
            "provider_message": self.provider_message,
            "instance": self.instance,
            "hint": self.hint,
        }
        return {"error": {name: value for name, value in known.items() if value is not None}}
