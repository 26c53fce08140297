"""One deadline for the whole of an HTTP call: connecting, TLS, headers and body.

A socket's time-out starts again with every byte: a server that drips one a second, or sends ``100 Continue`` without
end, would hold a thread and a socket for as long as it likes. Here every receive may take what is left of the call,
and nothing when that is used up. A body that may take long has a least rate instead of a total.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class Deadline:
    """When a call must be over: so many seconds from now, for everything."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def begin_body(self) -> None:
        """Called when the headers have arrived."""

    def received(self, count: int, waited: float) -> None:
        """Called after ``count`` bytes have arrived in ``waited`` seconds."""

    def left(self, at_most: float | None = None) -> float:
        """Seconds that the next step may take.

        Raises:
            TimeoutError: none are left.
        """
        left = self._left()
        if left <= 0:
            raise TimeoutError("the deadline of the call has passed")
        return left if at_most is None else min(left, at_most)

    def _left(self) -> float:
        return self._end - self._clock()


class Pace(Deadline):
    """A deadline for everything before the body, and a least rate for the body.

    Only time spent waiting for bytes counts: what is done with them may take as long as it takes.

    Args:
        seconds: to the end of the headers; the same again for delays of a body that is slower than ``least_rate``.
        least_rate: bytes a second.
    """

    def __init__(self, seconds: float, least_rate: float, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(seconds, clock)
        self._seconds = self._credit = seconds
        self._least_rate = least_rate
        self._in_body = False

    def begin_body(self) -> None:
        self._in_body = True

    def received(self, count: int, waited: float) -> None:
        if self._in_body:
            self._credit = min(self._credit - waited + count / self._least_rate, self._seconds)

    def _left(self) -> float:
        return self._credit if self._in_body else super()._left()


class _Bounded:
    """A connection whose answer is read against a deadline."""

    _deadline: Deadline
    sock: Any
    timeout: Any

    def connect(self) -> None:
        self.timeout = self._deadline.left(self.timeout)
        super().connect()  # type: ignore[misc]
        self.sock = _BoundedSocket(self.sock, self._deadline, self.timeout)


class _BoundedSocket:
    """A connected socket; ``makefile`` gives a reader that holds the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline, timeout: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._timeout = timeout

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def settimeout(self, seconds: float | None) -> None:
        """What one receive may take at most; the deadline may leave less."""
        self._timeout = self._timeout if seconds is None else seconds
        self._sock.settimeout(self._deadline.left(self._timeout))

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._sock, self._deadline, lambda: self._timeout))


class _BoundedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline, timeout: Callable[[], float]) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open for as long as it is read
        self._deadline = deadline
        self._timeout = timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left(self._timeout()))
        begun = monotonic()
        count = self._raw.readinto(buffer)
        self._deadline.received(count or 0, monotonic() - begun)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedHttp(_Bounded, HTTPConnection):
    def __init__(self, *args: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline = deadline


class _BoundedHttps(_Bounded, HTTPSConnection):
    def __init__(self, *args: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline = deadline


class BoundedHttpPool(urllib3.HTTPConnectionPool):
    """Takes ``deadline`` beside the options of its base class."""

    ConnectionCls = _BoundedHttp


class BoundedHttpsPool(urllib3.HTTPSConnectionPool):
    """Takes ``deadline`` beside the options of its base class."""

    ConnectionCls = _BoundedHttps
