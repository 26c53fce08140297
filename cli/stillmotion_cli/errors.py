"""Everything the command can fail with, each with the exit code a script can tell it by.

CommandError (1)
├── BadInput (2)          what was given cannot be used; nothing was submitted
├── GenerationFailed (3)  the job ended without a video
├── StillRunning (4)      we stopped waiting, the job goes on
└── Unreachable (5)       no answer from the stack
    └── NoStack           no stack to talk to
ApiProblem                the API refused; exit code 2 for a refused request, 5 for a fault of its own
"""

from dataclasses import dataclass, field
from typing import Any


class CommandError(Exception):
    """A failure to tell the user about in one message."""

    exit_code = 1


class BadInput(CommandError):
    """What the user gave cannot be used."""

    exit_code = 2


class GenerationFailed(CommandError):
    """The job reached a terminal state other than completed."""

    exit_code = 3


class StillRunning(CommandError):
    """The time to wait is over while the job still runs."""

    exit_code = 4


class Unreachable(CommandError):
    """The stack gave no answer."""

    exit_code = 5


class NoStack(Unreachable):
    """No stack was named and none runs on this machine."""


@dataclass
class ApiProblem(CommandError):
    """An RFC 9457 problem document that the API answered with."""

    status: int
    code: str
    title: str
    detail: str
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """Bad input below 500, a fault of the stack from there on."""
        return BadInput.exit_code if self.status < 500 else Unreachable.exit_code

    def __str__(self) -> str:
        lines = [f"{self.code} (HTTP {self.status}): {self.detail or self.title}"]
        lines += [f"  {fault.get('pointer') or '/'}: {fault.get('detail', '')}" for fault in self.errors]
        return "\n".join(lines)
