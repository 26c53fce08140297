"""One deadline for the whole of an HTTP call: connecting, TLS, sending, headers and body.

A time-out of a socket begins anew with every byte: a server that drips one a second, or sends ``100 Continue`` without
end, would hold a thread and a socket for as long as it likes. Here every receive and every send may take what is left
of the call, and nothing when that is used up. A body that may take long has a least rate instead of a total.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_SENT_AT_ONCE = 64 * 1024


class Deadline:
    """When a call must be over: so many seconds from now, for everything."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def begin_call(self) -> None:
        """A connection is about to be made."""

    def begin_body(self) -> None:
        """Called when the headers have arrived."""

    def received(self, count: int, waited: float) -> None:
        """Called after ``count`` bytes have arrived in ``waited`` seconds."""

    def framed(self, count: int) -> None:
        """Called after ``count`` of the bytes that were received turned out to be a line: of headers, of a chunk's
        size, or after the body."""

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
    """A least rate for a body, over all the connections that it comes by, with some seconds of patience.

    Waiting uses patience up, and bytes give it back: never more than at the beginning. While a body is read only the
    time spent waiting for bytes counts: what is done with them may take as long as it takes.

    Args:
        seconds: the patience, also for everything before the body.
        least_rate: bytes a second.
    """

    def __init__(self, seconds: float, least_rate: float, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(seconds, clock)
        self._seconds = self._patience = seconds
        self._least_rate = least_rate
        self._in_body = False

    def begin_call(self) -> None:
        self._patience, self._in_body = self._left(), False
        self._end = self._clock() + self._patience

    def begin_body(self) -> None:
        self._patience, self._in_body = self._left(), True

    def received(self, count: int, waited: float) -> None:
        if self._in_body:
            self._patience = min(self._patience - waited + count / self._least_rate, self._seconds)

    def framed(self, count: int) -> None:
        # Lines are no progress. They cost what they gave back, and as much again: else a server that sends trailers, or
        # sizes of chunks, as fast as they are taken would never use the patience up.
        if self._in_body:
            self._patience -= 2 * count / self._least_rate

    def _left(self) -> float:
        return self._patience if self._in_body else super()._left()


class Bounded(HTTPConnection):
    """A connection that is made, written to and read from against ``deadline``, which may be replaced on the way."""

    deadline: Deadline

    def __init__(self, *args: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(*args, **options)
        self.deadline = deadline

    def connect(self) -> None:
        self.timeout = self.deadline.left(self.timeout)
        super().connect()
        self.sock = _BoundedSocket(self.sock, self)

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        try:
            sock.settimeout(self.deadline.left(self.timeout))  # which a TLS handshake takes as its own deadline
        except TimeoutError:
            sock.close()
            raise
        return sock


class BoundedTls(Bounded, HTTPSConnection):
    """The same over TLS."""


class _BoundedSocket:
    """A connected socket; ``sendall`` and the reader that ``makefile`` gives hold the connection's deadline."""

    def __init__(self, sock: Any, connection: Bounded) -> None:
        self._sock = sock
        self._connection = connection
        self._timeout: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def settimeout(self, seconds: float | None) -> None:
        """What one receive may take at most; the deadline may leave less."""
        self._timeout = seconds
        self.begin_step()

    def begin_step(self) -> Deadline:
        """Let the next receive or send take what is left of the deadline.

        Raises:
            TimeoutError: nothing is.
        """
        deadline = self._connection.deadline
        self._sock.settimeout(deadline.left(self._timeout))
        return deadline

    def sendall(self, data: bytes) -> None:
        """Send everything; over TLS the time-out of a socket begins anew with every piece that the other side takes."""
        rest = memoryview(data)
        while rest:
            self.begin_step()
            rest = rest[self._sock.send(rest[:_SENT_AT_ONCE]) :]

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        return _BoundedBuffer(_BoundedReader(self._sock, self), self._connection)


class _BoundedReader(io.RawIOBase):
    def __init__(self, sock: Any, bounded: _BoundedSocket) -> None:
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open for as long as it is read
        self._bounded = bounded

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        deadline, begun = self._bounded.begin_step(), monotonic()
        count: int | None = self._raw.readinto(buffer)
        deadline.received(count or 0, monotonic() - begun)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedBuffer(io.BufferedReader):
    """Tells the deadline of the lines that are read: they are all of an answer that is not its body."""

    def __init__(self, raw: io.RawIOBase, connection: Bounded) -> None:
        super().__init__(raw)
        self._connection = connection

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(-1 if size is None else size)
        self._connection.deadline.framed(len(line))
        return line


class BoundedHttpPool(urllib3.HTTPConnectionPool):
    """Takes ``deadline`` beside the options of its base class."""

    ConnectionCls = Bounded


class BoundedHttpsPool(urllib3.HTTPSConnectionPool):
    """Takes ``deadline`` beside the options of its base class."""

    ConnectionCls = BoundedTls
