"""What a test leaves behind: threads and sockets of this process; and what its code asks the network for."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
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


def settled(measured: Callable[[], int], wanted: int, seconds: float = PATIENCE) -> int:
    """The figure, once the test's own servers have noticed that their clients are gone."""
    end = time.monotonic() + seconds
    while measured() > wanted and time.monotonic() < end:
        time.sleep(0.05)
    return measured()


class Left:
    """Threads and sockets more than at the beginning, after the block."""

    threads = sockets = 0


@contextmanager
def leftovers() -> Iterator[Left]:
    """What the block leaves behind."""
    threads, sockets, left = threading.active_count(), open_sockets(), Left()
    yield left
    left.threads = max(settled(threading.active_count, threads) - threads, 0)
    left.sockets = max(settled(open_sockets, sockets) - sockets, 0)


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
