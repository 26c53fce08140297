"""A thousand calls to servers that drip and flood: each ends with its named error, and nothing of them is left."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import product
from typing import Any

import pytest

from stillmotion.errors import StillmotionError
from stillmotion.modelgates import client as client_module
from stillmotion.outbound.address_guard import origin
from stillmotion.outbound.guarded_client import GuardedClient
from stillmotion.requests import probe as probe_module
from stillmotion.requests.probe import MediaAddress, Probe, Unusable
from tests.security.floods import BOMB_BYTES, floods
from tests.security.table import count
from tests.support.leftovers import leftovers
from tests.support.modelgates_calls import CALLS, download, gates
from tests.support.wire import Wire

SECONDS = 0.25
CALLS_IN_ALL, AT_ONCE = 1000, 40
MOST_BYTES = 2**20
"""What a download may have here; the video store takes 5 GiB."""
NO_OBJECTS: Any = None


def picture(url: str) -> object:
    probe = Probe(NO_OBJECTS, GuardedClient([origin(url)]))
    return probe.inspect(MediaAddress("#/frame_images/0/image_url/url", f"{url}/a.png"))


def ask(call: Callable[[Any], object], url: str) -> object:
    return call(gates(url))


KINDS: Mapping[str, Callable[[str], object]] = {
    "picture": picture,
    **{name: partial(ask, call) for name, (call, _) in CALLS.items()},
    "content": lambda url: download(gates(url), amt=2**16, at_most=MOST_BYTES),
}
ERRORS = {"picture": Unusable} | {name: error for name, (_, error) in CALLS.items()}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for. Connecting keeps its own: a busy machine takes its time for that."""
    for name in ("QUERY_SECONDS", "SUBMIT_SECONDS", "CONTENT_SECONDS"):
        monkeypatch.setattr(client_module, name, SECONDS)
    monkeypatch.setattr(probe_module, "PROBE_SECONDS", SECONDS)


@pytest.fixture
def servers() -> Iterator[dict[str, Wire]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(Wire([script])) for name, script in floods().items()}


def outcome(kind: str, url: str) -> str:
    try:
        KINDS[kind](url)
    except (StillmotionError, Unusable) as error:
        return type(error).__name__
    return "an answer"


@pytest.mark.timeout(110)
@pytest.mark.usefixtures("impatient")
def test_a_thousand_drips_and_floods_leave_no_thread_and_no_socket() -> None:
    scripts = floods()
    with leftovers() as left, ExitStack() as stack:
        servers = {name: stack.enter_context(Wire([script])) for name, script in scripts.items()}
        cases = list(product(servers, KINDS))
        calls = [cases[number % len(cases)] for number in range(CALLS_IN_ALL)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ends = list(pool.map(lambda case: outcome(case[1], servers[case[0]].url), calls))
    count("drips and floods", len(ends))
    count("threads left", len(left.threads))
    count("sockets left", left.sockets)
    wrong = Counter(
        (server, kind, end) for (server, kind), end in zip(calls, ends, strict=True) if end != ERRORS[kind].__name__
    )
    assert not wrong
    assert (left.threads, left.sockets) == ((), 0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", KINDS)
def test_no_flood_fills_the_memory(kind: str, servers: dict[str, Wire]) -> None:
    """A function has 512 MB; what the answers hold unpacked has no end."""
    peaks = {}
    for name in ("a gzip bomb", "a bomb in a bomb", "one chunk's size", "one chunk's extension", "headers", "trailers"):
        tracemalloc.start()
        try:
            outcome(kind, servers[name].url)
            peaks[name] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert {name: peak for name, peak in peaks.items() if peak > BOMB_BYTES / 8} == {}
