"""The two servers of the local cloud, each on a free port of the loopback interface."""

import http.client
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from local import environment
from local.paths import ROOT, TOOLS
from local.processes import Child, LocalCloudError, free_port

READY_TIMEOUT = 60
START_ATTEMPTS = 3

type Launch = Callable[[int], Child]


class Server:
    """A child process that serves HTTP; started again on another port where the first one is taken."""

    def __init__(self, launch: Launch, ready_path: str) -> None:
        self._launch = launch
        self._ready_path = ready_path
        self._start()

    def _start(self) -> None:
        self.port = free_port()
        self.child = self._launch(self.port)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """Return once it answers; raise LocalCloudError with its log otherwise."""
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                return self.child.wait_until(self._answers, READY_TIMEOUT)
            except LocalCloudError as error:
                self.child.stop()
                if attempt == START_ATTEMPTS or "in use" not in str(error):
                    raise
                self._start()
        return None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + self._ready_path, timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            return False


def ministack(folder: Path) -> Server:
    """AWS for this cloud; everything it stores is below `folder`."""

    def launch(port: int) -> Child:
        env = environment.ministack(port, folder)
        # -P: the folder of the program holds modules of ours, which must not shadow those of packages.
        command = [str(TOOLS / "python"), "-P", str(ROOT / "local" / "emulator.py")]
        return Child("MiniStack", command, env, folder, folder / "ministack.log")

    return Server(launch, "/_ministack/ready")


def simulator(
    folder: Path, api_key: str, seconds_to_ready: float, *, catalogue: Path | None = None, test_models: bool = False
) -> Server:
    """ModelGates for this cloud, with the recorded models or those of a file, and made-up ones where tests ask."""

    def launch(port: int) -> Child:
        command = [
            *[sys.executable, "-m", "local.simulator", "--port", str(port)],
            *["--api-key", api_key, "--seconds-to-ready", str(seconds_to_ready)],
            *(["--catalogue", str(catalogue.resolve())] if catalogue else []),
            *(["--test-models"] if test_models else []),
        ]
        return Child("The simulator", command, environment.simulator(folder), ROOT, folder / "simulator.log")

    return Server(launch, "/api/v1/videos/models")
