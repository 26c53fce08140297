"""Connections of one kind, in a process of its own: the first one, and the median of those after it.

``python -m benchmarks.connecting NAME ADDRESS COUNT`` prints ``{"first_ms", "next_ms"}``, processor time.
"""

from __future__ import annotations

import json
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

BUCKET = "clips"


def submit(address: str) -> Callable[[], None]:
    from stillmotion.outbound.deadline import Deadline
    from stillmotion.outbound.guarded_client import GuardedClient

    client = GuardedClient(frozenset({address}))

    def connect() -> None:
        with client.connected(address, Deadline(10)):
            pass

    return connect


def submit_alone(address: str) -> Callable[[], None]:
    from urllib3.connection import HTTPSConnection

    parts = urlsplit(address)

    def connect() -> None:
        connection = HTTPSConnection(str(parts.hostname), parts.port)
        connection.connect()
        connection.close()

    return connect


def guarded(address: str) -> Callable[[], None]:
    from stillmotion.outbound.guarded_client import GuardedClient

    client = GuardedClient(frozenset({address}))

    def connect() -> None:
        with client.get(f"{address}/a.png") as answer:
            answer.read()

    return connect


def guarded_alone(address: str) -> Callable[[], None]:
    from stillmotion.outbound import guarded_client

    vars(guarded_client)["shared_context"] = lambda: None
    return guarded(address)


def aws(address: str) -> Callable[[], None]:
    from stillmotion.aws.clients import with_shared_tls

    return _stored(lambda made: with_shared_tls(made))


def aws_alone(address: str) -> Callable[[], None]:
    return _stored(lambda made: made)


def _stored(prepared: Callable[[Any], Any]) -> Callable[[], None]:
    from botocore.session import Session

    client = prepared(Session().create_client("s3"))

    def connect() -> None:
        client.put_object(Bucket=BUCKET, Key="a", Body=b"a")
        client._endpoint.http_session.close()  # the next call connects anew

    return connect


def floor(address: str) -> Callable[[], None]:
    parts, context = urlsplit(address), ssl.create_default_context()

    def connect() -> None:
        with (
            socket.create_connection((str(parts.hostname), parts.port)) as raw,
            context.wrap_socket(raw, server_hostname=parts.hostname),
        ):
            pass

    return connect


KINDS = {made.__name__: made for made in (submit, submit_alone, guarded, guarded_alone, aws, aws_alone, floor)}


def measure(name: str, address: str, count: int) -> dict[str, float]:
    """Milliseconds of processor time: the first connection, and the median of so many more."""
    connect, taken = KINDS[name](address), []
    for _ in range(count + 1):
        started = time.process_time()
        connect()
        taken.append((time.process_time() - started) * 1e3)
    return {"first_ms": taken[0], "next_ms": statistics.median(taken[1:])}


if __name__ == "__main__":
    json.dump(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])), sys.stdout)
