"""What a test leaves behind: threads and sockets of this process; and what its code asks the network for."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from traceback import extract_stack
from typing import Any
from unittest.mock import patch

from urllib3.util import connection

PATIENCE = 20.0


def open_sockets() -> int:
    """How many sockets this process has open."""

    def target(number: str) -> str:
        try:
            return os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            return ""

    return sum(target(number).startswith("socket:") for number in os.listdir("/proc/self/fd"))


class Left:
    """What is there after the block and was not before: sockets by their number, threads by where they are."""

    sockets = 0
    threads: tuple[str, ...] = ()


@contextmanager
def leftovers() -> Iterator[Left]:
    """What the block leaves behind, once what it has ended has had time to end."""
    before, sockets, left = set(threading.enumerate()), open_sockets(), Left()
    yield left
    end = time.monotonic() + PATIENCE
    while (set(threading.enumerate()) - before or open_sockets() > sockets) and time.monotonic() < end:
        time.sleep(0.05)
    left.threads = tuple(_place(thread) for thread in set(threading.enumerate()) - before)
    left.sockets = max(open_sockets() - sockets, 0)


def _place(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return f"{thread.name}: {' < '.join(f'{one.name}:{one.lineno}' for one in reversed(extract_stack(frame)))}"


@contextmanager
def nothing_beyond_loopback() -> Iterator[list[str]]:
    """The addresses that urllib3 wants to connect to while the block lasts; only those on loopback are reached."""
    wanted: list[str] = []
    connect = connection.create_connection

    def watched(address: tuple[str, int], *args: Any, **options: Any) -> Any:
        wanted.append(address[0])
        if not ip_address(address[0].split("%")[0]).is_loopback:
            raise OSError("the test has no network")
        return connect(address, *args, **options)

    with patch.object(connection, "create_connection", watched):
        yield wanted
