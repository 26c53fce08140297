"""A corpus of addresses that lead inside, by each way in which an address of others reaches our code.

A listener stands on 127.0.0.1 where the addresses point, as a Lambda's own runtime API does: it hears nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3

from stillmotion.errors import DownloadFailed
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import ProviderJob
from stillmotion.outbound.guarded_client import GuardedClient
from stillmotion.requests.probe import MediaAddress, Probe, Unusable
from tests.security.table import count
from tests.support.hostile_addresses import PUBLIC, Names, corpus
from tests.support.leftovers import nothing_beyond_loopback
from tests.support.wire import Wire, answer

QUICK = urllib3.Timeout(connect=0.5, read=0.5)
PICTURE = answer(200, b"\x89PNG\r\n\x1a\n", Content_Type="image/png")
JOB = answer(200, b'{"id": "vg_1", "status": "pending"}')
OWN = ("GET /api/v1/videos/vg_1 HTTP/1.1", "GET /api/v1/videos/vg_1/content?index=0 HTTP/1.1")
LEAST = 300
NO_OBJECTS: Any = None


class Key:
    def get(self, *, refresh: bool = False) -> str:
        return "mg-local-key"


@dataclass
class Inside:
    """The listener, and what was connected to while a corpus went by one way."""

    wire: Wire
    wanted: list[str]
    names: Names = field(default_factory=Names)

    def guarded(self) -> GuardedClient:
        return GuardedClient((), QUICK, self.names)

    def try_all(self, refuses: Callable[[str], bool]) -> None:
        """Send every address by one way, which says whether it was refused."""
        hostile = corpus(self.wire.port)
        let_through = [one for one in hostile if not refuses(one.url)]
        count("hostile addresses, by three ways", len(hostile))
        count("refused", len(hostile) - len(let_through))
        count("connections to a listener inside", self.wire.connections)
        assert len(hostile) >= LEAST
        assert let_through == []
        assert (self.wire.connections, self.wire.seen) == (0, [])


@pytest.fixture
def inside() -> Iterator[Inside]:
    with Wire([PICTURE]) as wire, nothing_beyond_loopback() as wanted:
        yield Inside(wire, wanted)


def test_a_request_names_no_picture_inside(inside: Inside) -> None:
    probe = Probe(NO_OBJECTS, inside.guarded())

    def refuses(url: str) -> bool:
        try:
            probe.inspect(MediaAddress("#/frame_images/0/image_url/url", url))
        except Unusable:
            return True
        return False

    inside.try_all(refuses)
    # Names that lead elsewhere when they are asked for again are asked for once, and that address is connected to.
    assert inside.wanted == [PUBLIC] * 5
    assert [times for name, times in inside.names.asked.items() if name.endswith("rebinding.example")] == [1] * 5


@pytest.mark.parametrize("hops", [1, 3])
def test_a_download_is_redirected_to_nothing_inside(inside: Inside, hops: int) -> None:
    there = [""]

    def redirect(connection: socket.socket) -> None:
        last = len(gates.seen) % hops == 0
        where = there[0] if last else "/api/v1/videos/vg_1/content?index=0"
        connection.sendall(b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: " + where.encode() + b"\r\n\r\n")

    with Wire([redirect]) as gates:
        client = ModelGates(gates.url, Key(), inside.guarded())

        def refuses(url: str) -> bool:
            gates.seen.clear()
            there[0] = url
            try:
                with client.content(ProviderJob("vg_1", "completed"), 0) as content:
                    content.read(10)
            except DownloadFailed:
                return True
            return False

        inside.try_all(refuses)
    assert set(inside.wanted) == {"127.0.0.1", PUBLIC}


def test_modelgates_names_no_address_inside(inside: Inside) -> None:
    """Neither as ``polling_url`` nor as the address of an output: it is asked at its own root."""
    with Wire([JOB]) as gates:
        client = ModelGates(gates.url, Key(), inside.guarded())

        def refuses(url: str) -> bool:
            gates.seen.clear()
            client.job("vg_1", url)
            with client.content(ProviderJob("vg_1", "completed", unsigned_urls=(url,)), 0) as content:
                content.read()
            return tuple(seen.line for seen in gates.seen) == OWN

        inside.try_all(refuses)
    assert set(inside.wanted) == {"127.0.0.1"}


def test_the_listener_hears_what_gets_through(inside: Inside) -> None:
    """The other tests can fail: these spellings of the corpus reach it where nothing guards."""
    for spelling in ("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0"):
        socket.create_connection((spelling, inside.wire.port), timeout=5).close()
    trusting = GuardedClient([f"http://127.0.0.1:{inside.wire.port}"], QUICK)
    with trusting.get(inside.wire.url) as got:
        assert got.status == 200
    assert inside.wire.connections == 6
