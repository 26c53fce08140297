"""Servers that drip, flood, or say the same without end: scripts for :class:`tests.support.wire.Wire`."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Mapping
from functools import cache
from threading import Event

from tests.support.wire import SLOW, Script, answer, drip

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB_BYTES = 512 * 2**20


def flood(begin: bytes, again: bytes) -> Callable[[socket.socket], None]:
    """Send the beginning, and then the same as fast as it is taken, until the other side has gone."""
    many = again * max(1, 65536 // len(again))

    def script(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(many)

    return script


@cache
def bomb() -> bytes:
    """Half a gibibyte of zeros, packed into half a megabyte."""
    return gzip.compress(bytes(BOMB_BYTES), 9)


def bomb_of(encoding: str, packed: bytes) -> bytes:
    """An answer whose body unpacks to far more than it has."""
    return answer(200, packed, Content_Type="image/png", Content_Encoding=encoding)


def floods() -> Mapping[str, Script]:
    """Every server, by what it does."""
    return {
        **{f"drips {name}": drip(*how, Event()) for name, how in SLOW.items()},
        "100 Continue": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "100 Continue with headers": flood(b"", b"HTTP/1.1 100 Continue\r\n" + b"X: y\r\n" * 90 + b"\r\n"),
        "headers": flood(_OK, b"X-More: y\r\n"),
        "one header": flood(_OK + b"X-Long: ", b"y"),
        "a status line": flood(b"HTTP/1.1 200 ", b"O"),
        "a body": flood(_OK + b"\r\n", bytes(65536)),
        "chunks": flood(_CHUNKED, b"1000\r\n" + bytes(4096) + b"\r\n"),
        "one chunk's size": flood(_CHUNKED, b"0"),
        "one chunk's extension": flood(_CHUNKED + b"1;", b"x"),
        "trailers": flood(_CHUNKED + b"0\r\n", b"X-More: y\r\n"),
        "redirects": answer(302, Location="/api/v1/videos/vg_1/content?index=0"),
        "redirects with a body": flood(b"HTTP/1.1 302 X\r\nLocation: /api/v1/videos/vg_1\r\n\r\n", bytes(65536)),
        "a gzip bomb": bomb_of("gzip", bomb()),
        "a bomb in a bomb": bomb_of("gzip, gzip", gzip.compress(bomb(), 9)),
    }
