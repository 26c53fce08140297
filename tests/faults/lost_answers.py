"""The ways in which the answer to an accepted submit is lost, and what becomes of the job where nobody calls back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.faults.crashes import Crasher
from tests.faults.shaking import broken_call, change
from tests.faults.world import World
from tests.support.inprocess import Crash

SUBMIT = {"http": "SubmitApiFunction", "workflow": "SubmitTaskFunction"}
LOSSES = ("reset", "unreadable", 500, 502, 504)
POST, RECORD, EVENT = 3, 4, 5
"""The effects of a submit, in their order: record, claim, paid call, the id on record, event."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a submit breaks off after ModelGates has accepted it.

    ``loss`` is what the service does with its answer; ``crash`` the effect at which our function dies, and whether
    before or after it; ``refused`` says that DynamoDB does not write the id.
    """

    door: str
    loss: str | int | None = None
    crash: tuple[int, str] | None = None
    refused: bool = False

    @property
    def without_callbacks(self) -> str:
        """How the job ends where ModelGates does not call back, once orphaned jobs are swept."""
        on_record = self.crash in ((RECORD, "after"), (EVENT, "before"), (EVENT, "after"))
        return "completed" if on_record else "submit_unknown"

    def __str__(self) -> str:
        crash = None if self.crash is None else f"{self.crash[1]}-{self.crash[0]}"
        return f"{self.door}-{self.loss or crash or 'not-written'}"

    def take(self, world: World, number: int) -> None:
        """Ask for a clip, and lose the answer in this way; what comes of it has ended afterwards."""
        with self._breaking(world):
            with suppress(Crash):
                world.ask(self.door, number)
            if self.crash is not None and self.door == "http":
                world.ask(self.door, number)  # the caller got no answer, and sends the same key again
            world.rest()

    @contextmanager
    def _breaking(self, world: World) -> Iterator[None]:
        if self.loss is not None:
            world.simulator.fault("submit", times=1, accept_then_lose=self.loss)
            yield
        elif self.crash is not None:
            crasher = Crasher(SUBMIT[self.door], *self.crash)
            with crasher.lurking():
                yield
            assert crasher.died, crasher.effects
        else:
            with broken_call(change(status="in_progress"), 1, lost=False) as failed:
                yield
            assert failed


WAYS = [
    *(Way(door, loss=loss) for door in SUBMIT for loss in LOSSES),
    *(
        Way(door, crash=crash)
        for door in SUBMIT
        for crash in ((POST, "after"), (RECORD, "before"), (RECORD, "after"), (EVENT, "before"), (EVENT, "after"))
    ),
    *(Way(door, refused=True) for door in SUBMIT),
]
