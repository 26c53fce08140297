"""Child processes that cannot outlive us: own process group, log file, bounded start and end."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
STOP_GRACE = 5.0
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class LocalCloudError(Exception):
    """Something on this machine did not start, build, deploy or answer."""


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    """Ask Linux to end this child when we are killed in a way that runs no clean-up."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One long-running child process, with everything that it starts itself."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.name = name
        self.log = log
        self._stopped = False
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        """The process id, which is the process group's too."""
        return self._process.pid

    def wait(self, timeout: float) -> int:
        """The exit code, once it has ended by itself."""
        return self._process.wait(timeout)

    def wait_until(self, is_ready: Callable[[], bool], timeout: float) -> None:
        """Return once `is_ready`; raise LocalCloudError when the child ends before or takes too long."""
        deadline = time.monotonic() + timeout
        while not is_ready():
            if (code := self._process.poll()) is not None:
                raise LocalCloudError(f"{self.name} ended at once with exit code {code}.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise LocalCloudError(f"{self.name} was not ready after {timeout:.0f} s.\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, lines: int = 15) -> str:
        """The end of the log, with its path."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"The end of {self.log}:", *text])

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the whole group without waiting."""
        if not self._stopped:
            self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End the whole group: politely, then for certain. A second call does nothing."""
        if self._stopped:
            return
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_GRACE)
        # The leader is gone, a member of its group may not be.
        self._signal(signal.SIGKILL)
        self._process.wait(STOP_GRACE)
        self._stopped = True

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while cleaning up, so that a second one cannot leave processes behind."""
    try:
        held = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # Not the main thread: signals do not arrive here.
        held = {}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


def end_on_sigterm() -> None:
    """Make SIGTERM and SIGHUP leave through the ordinary exits, so that clean-up runs."""

    def leave(number: int, _frame: Any) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)


def run_logged(command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, timeout: float) -> None:
    """Run a command to its end with its output in `log`; raise LocalCloudError with the log's end if it fails.

    The command gets a process group of its own, which ends with us, whatever way we leave.
    """
    child = Child(command[0].rsplit("/", 1)[-1], command, env, cwd, log)
    try:
        code = child.wait(timeout)
    except subprocess.TimeoutExpired as error:
        raise LocalCloudError(f"{' '.join(command)}\ntook more than {timeout:.0f} s.\n{child.tail()}") from error
    finally:
        with uninterrupted():
            child.stop()
    if code != 0:
        raise LocalCloudError(f"{' '.join(command)}\nfailed with exit code {code}.\n{child.tail(40)}")
