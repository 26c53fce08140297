"""The simulator inside a test process: its own thread, its own loop, plain calls from outside."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.simulator.catalogue import RECORDED
from local.simulator.core import Core
from local.simulator.made_up_models import offered
from local.simulator.server import Server
from local.simulator.settings import Settings, changed

CALL_SECONDS = 30.0


class Simulator:
    """A ModelGates that runs in a thread of this process while the `with` block lasts.

    `settings` are those of `Settings`; port 0 takes a free port. `url` is its base address without a slash at the end.
    It offers the models of `catalogue`, a file, with `test_models` also the made-up ones. Raises CatalogueError.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        catalogue: Path = RECORDED,
        test_models: bool = False,
        **settings: Any,
    ) -> None:
        self.url = ""
        self._catalogue = offered(catalogue, test_models=test_models)
        self._host, self._port = host, port
        self._settings = changed(Settings(), settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._core: Core | None = None
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="modelgates-simulator", daemon=True)
        self._thread.start()
        try:
            self._wait(self._start())
        except BaseException:
            self._end_thread()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._wait(self._server.stop())
        self._end_thread()

    @property
    def api_key(self) -> str:
        """The key that the API takes now."""
        return self._ask(lambda core: core.settings.api_key)

    def jobs(self) -> list[dict[str, Any]]:
        """Return every accepted submit, oldest first: id, model, request, charged_usd, status, polls, times."""
        listed: list[dict[str, Any]] = self._ask(lambda core: core.book.ledger())["jobs"]
        return listed

    def charged_usd(self) -> float:
        """Return what all accepted submits cost together, in USD."""
        return float(self._ask(lambda core: core.book.ledger())["charged_usd"])

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings, if any are given, and return them all; raises UnknownSettingError."""
        return self._ask(lambda core: core.change(changes).as_json())

    def fault(self, on: str, *, times: int | None = 1, after: int = 0, **effect: Any) -> dict[str, Any]:
        """Put a fault in force (times None: for ever) and return it; raises BadFaultError."""
        spec = {"on": on, "times": times, "after": after, **effect}
        return self._ask(lambda core: core.faults.add(spec).as_json())

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults in force with their hits and what remains of them."""
        return self._ask(lambda core: core.faults.as_json())

    def clear_faults(self) -> None:
        """Take all faults back."""
        self._ask(lambda core: core.faults.clear())

    def advance(self, seconds: float) -> None:
        """Move the simulator's clock forward."""
        self._ask(lambda core: core.clock.advance(seconds))

    def requests(self, on: str | None = None) -> list[dict[str, Any]]:
        """Return the requests seen, oldest first, or only those to one place (submit, poll, content, …)."""
        seen = self._ask(lambda core: list(core.requests))
        return [request for request in seen if on in (None, request["on"])]

    def webhooks(self) -> list[dict[str, Any]]:
        """Return the attempts to deliver webhooks, oldest first."""
        return self._ask(lambda core: list(core.webhooks.attempts))

    def tell_again(self, *job_ids: str, newest_first: bool = False) -> None:
        """Deliver the webhooks of these jobs now and in this order, or of all jobs that have ended."""

        async def told() -> None:
            if self._core is not None:
                await self._core.tell_again(job_ids or None, newest_first=newest_first)

        self._wait(told())

    def untold(self) -> int:
        """Return how many jobs will end by themselves or have ended, and are still to be told of."""
        return self._ask(lambda core: core.book.untold())

    def renders(self) -> int:
        """Return how many clips were really rendered, not taken from the cache."""
        return self._ask(lambda core: core.studio.renders)

    def image_url(self, name: str = "photo.jpg", width: int = 1280, height: int = 720) -> str:
        """Return the address of a generated test picture."""
        return f"{self.url}/_simulator/images/{name}?width={width}&height={height}"

    def reset(self) -> None:
        """Forget jobs, faults, requests, webhooks and skipped time, and go back to the first settings."""
        self._ask(lambda core: core.reset(settings=True))

    async def _start(self) -> None:
        self._core = Core(self._settings, self._catalogue)
        self._server = Server(self._core)
        await self._server.start(self._host, self._port)
        self.url = self._server.url

    def _ask[T](self, question: Callable[[Core], T]) -> T:
        """Run something on the simulator's own thread, where its state belongs."""

        async def answer() -> T:
            if self._core is None:
                raise RuntimeError("the simulator is not running: use it in a with block")
            return question(self._core)

        return self._wait(answer())

    def _wait[T](self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the simulator is not running: use it in a with block")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS)

    def _end_thread(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()
        self._loop = self._thread = None
