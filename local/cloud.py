"""The local cloud: MiniStack, the ModelGates simulator and the deployed stack, all of it on this machine.

`make run`, `make local` and the end-to-end tests use the one class here:

    with LocalCloud("run") as cloud:
        cloud.stack.api_url
"""

import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from local import deploy, servers
from local.build import build
from local.events import EventLog
from local.paths import CLOUDS
from local.processes import LocalCloudError, uninterrupted
from local.servers import Server
from stillmotion_cli.stack import Stack

KEPT_LOGS = 5
_DATA = ("tmp", "state", "s3", "home")

type Say = Callable[[str], None]


class LocalCloud:
    """A context manager: the cloud runs while the block does, and nothing of it stays afterwards.

    `purpose` names its folder below .local/clouds, where the logs stay. With an `api_key` the real ModelGates is used
    instead of the simulator, which otherwise gets a key of its own and offers the models of `catalogue`, a file (None:
    the recorded list), with `test_models` also made-up ones. `by_sam` deploys with `sam deploy`, not from a kept
    package. `overrides` are parameters of the template beside those of every local cloud. `say` is called with one line
    for each step.
    """

    def __init__(
        self,
        purpose: str,
        *,
        api_key: str | None = None,
        seconds_to_ready: float = 2,
        catalogue: Path | None = None,
        test_models: bool = False,
        by_sam: bool = False,
        overrides: Mapping[str, str] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        self.folder = CLOUDS / f"{purpose}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._simulated = api_key is None
        self.api_key = api_key or f"local-{secrets.token_hex(16)}"
        self._launch_simulator = partial(
            servers.simulator,
            self.folder,
            self.api_key,
            seconds_to_ready,
            catalogue=catalogue,
            test_models=test_models,
        )
        self._by_sam = by_sam
        self._overrides = dict(overrides or {})
        self._say = say
        self._servers: list[Server] = []
        self._running: tuple[Stack, EventLog] | None = None

    def __enter__(self) -> Self:
        try:
            self._running = self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def stack(self) -> Stack:
        """The addresses and names of what was deployed."""
        return self._require_running()[0]

    @property
    def events(self) -> EventLog:
        """The events on the bus since the stack was deployed."""
        return self._require_running()[1]

    @property
    def process_groups(self) -> list[int]:
        """The process groups that end with this cloud."""
        return [server.child.pid for server in self._servers]

    def update(self, packaged: Path) -> None:
        """Deploy another package, a folder with its template, over the running stack, with the same parameters."""
        deploy.update(packaged, *self._target())

    def stop(self) -> None:
        """End everything and remove its data; the logs stay."""
        with uninterrupted():
            for server in self._servers:
                server.child.ask_to_stop()
            for server in self._servers:
                server.child.stop()
            for name in _DATA:
                shutil.rmtree(self.folder / name, ignore_errors=True)
            self._servers.clear()
            self._running = None

    def _require_running(self) -> tuple[Stack, EventLog]:
        if self._running is None:
            raise LocalCloudError("The local cloud is not running.")
        return self._running

    def _start(self) -> tuple[Stack, EventLog]:
        started = time.monotonic()
        self._make_folder()
        self._say("starting MiniStack" + (" and the ModelGates simulator" if self._simulated else ""))
        self._servers.append(servers.ministack(self.folder))
        if self._simulated:
            self._servers.append(self._launch_simulator())
        self._say("building the functions (kept until they change)")
        template = build()
        for server in self._servers:
            server.wait_until_ready()
        self._say("deploying the stack")
        running = self._deploy(template)
        self._say(f"the local cloud is ready after {time.monotonic() - started:.0f} s")
        return running

    def _deploy(self, template: Path) -> tuple[Stack, EventLog]:
        endpoint_url, parameters = self._target()
        simulator_url = self._servers[1].url if self._simulated else None
        outputs = deploy.deploy(template, endpoint_url, parameters, self.folder, by_sam=self._by_sam)
        deploy.store_api_key(outputs, endpoint_url, self.api_key)
        stack = deploy.describe(outputs, endpoint_url, simulator_url)
        return stack, EventLog(stack)

    def _target(self) -> tuple[str, dict[str, str]]:
        """Where to deploy, and the template's parameters there."""
        endpoint_url, *simulated = [server.url for server in self._servers]
        given = deploy.parameters(endpoint_url, simulated[0] if simulated else None)
        return endpoint_url, given | self._overrides

    def _make_folder(self) -> None:
        for name in _DATA:
            (self.folder / name).mkdir(parents=True)
        newest_first = sorted(CLOUDS.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in newest_first[KEPT_LOGS:]:
            # A cloud that still has its data folders is running.
            if not (old / "tmp").exists():
                shutil.rmtree(old, ignore_errors=True)
