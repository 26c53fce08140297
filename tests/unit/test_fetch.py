"""The guarded client: connects to the address that was checked, speaks to the host that was asked for."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from queue import Queue
from threading import Event

import pytest
import urllib3
from urllib3.exceptions import HTTPError

from stillmotion.outbound.address_guard import ForbiddenAddress, Resolver, origin
from stillmotion.outbound.deadline import Deadline, Pace
from stillmotion.outbound.guarded_client import FetchFailed, GuardedClient
from tests.support.wire import SLOW, Script, Wire, answer, certificate, drip, hang_up, reset, silence

QUICK = urllib3.Timeout(connect=0.5, read=0.3)
type Got = tuple[int, bytes]

PICTURE = answer(200, b"\x89PNG", Content_Type="image/png")


class Names:
    """A resolver that knows some names and every number, and counts how often it was asked."""

    def __init__(self, known: dict[str, str] | None = None) -> None:
        self.known = {"pictures.example": "127.0.0.1"} if known is None else known
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host.replace(".", "").isdigit():
            return [host]
        return [self.known[host]] if host in self.known else []


def client(*trusted: str, resolve: Resolver | None = None) -> GuardedClient:
    return GuardedClient([origin(one) for one in trusted], QUICK, resolve or Names())


def fetched(guarded: GuardedClient, url: str, headers: dict[str, str] | None = None, redirects: int = 0) -> Got:
    with guarded.get(url, headers, max_redirects=redirects) as got:
        return got.status, got.read()


def at(wire: Wire, host: str) -> str:
    """The server's address under a name."""
    return wire.url.replace("127.0.0.1", host)


def test_it_asks_for_the_host_and_connects_to_the_address_that_was_checked() -> None:
    names = Names()
    with Wire([PICTURE]) as wire:
        here = at(wire, "pictures.example")
        guarded = client(here, resolve=names)
        assert fetched(guarded, f"{here}/a%20b.png?x=1&y=%2F", {"Range": "bytes=0-63"}) == (200, b"\x89PNG")
    [seen] = wire.seen
    assert seen.line == "GET /a%20b.png?x=1&y=%2F HTTP/1.1"
    assert seen.headers["host"] == f"pictures.example:{wire.port}"
    assert seen.headers["range"] == "bytes=0-63"
    assert seen.headers["accept-encoding"] == "identity"
    assert {"authorization", "cookie"}.isdisjoint(seen.headers)
    assert names.asked == ["pictures.example"]


def test_dns_rebinding_after_the_check_has_no_effect() -> None:
    answers = iter([["127.0.0.1"], ["192.0.2.1"]])
    with Wire([PICTURE]) as wire:
        here = at(wire, "pictures.example")
        assert fetched(client(here, resolve=lambda host, port: next(answers)), here)[0] == 200
    assert next(answers) == ["192.0.2.1"]


def test_https_is_verified_against_the_host_name_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, context = certificate("pictures.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    names = Names({"pictures.example": "127.0.0.1", "other.example": "127.0.0.1"})
    with Wire([PICTURE], tls=context) as wire:
        here, other = at(wire, "pictures.example"), at(wire, "other.example")
        assert fetched(client(here, resolve=names), here) == (200, b"\x89PNG")
        with pytest.raises(FetchFailed, match="SSLError"):
            fetched(client(other, resolve=names), other)
    assert [seen.headers["host"] for seen in wire.seen] == [f"pictures.example:{wire.port}"]


def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    _, context = certificate("pictures.example", tmp_path)
    with Wire([PICTURE], tls=context) as wire:
        here = at(wire, "pictures.example")
        with pytest.raises(FetchFailed, match="SSLError"):
            fetched(client(here), here)
    assert wire.seen == []


def test_what_listens_on_loopback_hears_nothing_unless_it_is_trusted() -> None:
    with Wire([PICTURE]) as runtime_api, Wire([PICTURE]) as trusted:
        guarded = client(trusted.url, resolve=Names({"inner.example": "127.0.0.1"}))
        for url in (
            f"{runtime_api.url}/2018-06-01/runtime/invocation/next",
            f"https://127.0.0.1:{runtime_api.port}/2018-06-01/runtime/invocation/next",
            f"https://inner.example:{runtime_api.port}/",
        ):
            with pytest.raises(ForbiddenAddress):
                fetched(guarded, url)
        assert fetched(guarded, trusted.url)[0] == 200
    assert (runtime_api.connections, trusted.connections) == (0, 1)


def test_a_redirect_is_an_answer_where_none_is_followed() -> None:
    with Wire([answer(302, Location="https://elsewhere.example/")]) as wire:
        assert fetched(client(wire.url), wire.url)[0] == 302
    assert len(wire.seen) == 1


@pytest.mark.parametrize(
    "inner",
    ["http://169.254.169.254/latest/meta-data", "https://10.0.0.7/", "http://127.0.0.1:9001/", "file:///etc/passwd"],
)
def test_every_redirect_is_checked_like_the_first_address(inner: str) -> None:
    with Wire([answer(302, Location=inner)]) as wire, pytest.raises(ForbiddenAddress):
        fetched(client(wire.url), wire.url, redirects=3)


def test_redirects_are_followed_relative_or_absolute() -> None:
    with Wire([answer(301, Location="/b"), answer(307, Location="c?x=1"), PICTURE]) as wire:
        assert fetched(client(wire.url), f"{wire.url}/a", redirects=2)[0] == 200
    assert [seen.line.split()[1] for seen in wire.seen] == ["/a", "/b", "/c?x=1"]


def test_no_more_redirects_are_followed_than_allowed() -> None:
    with Wire([answer(302, Location="/again")]) as wire, pytest.raises(FetchFailed, match="more than 3 redirects"):
        fetched(client(wire.url), wire.url, redirects=3)
    assert len(wire.seen) == 4


@pytest.mark.parametrize("headers", [{}, {"Location": "http://[nowhere"}])
def test_a_redirect_to_nowhere_is_a_failed_fetch(headers: dict[str, str]) -> None:
    with Wire([answer(302, **headers)]) as wire, pytest.raises(FetchFailed, match="redirect to nowhere"):
        fetched(client(wire.url), wire.url, redirects=3)


@pytest.mark.parametrize(
    "script",
    [
        silence,
        reset,
        hang_up,
        b"220 smtp.example ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["silence", "reset", "end", "not HTTP", "too many headers", "too long a header"],
)
def test_what_is_no_usable_answer_is_a_failed_fetch_that_names_no_address(script: Script) -> None:
    with Wire([script]) as wire, pytest.raises(FetchFailed) as failed:
        fetched(client(wire.url), f"{wire.url}/a?signature=SECRET")
    assert "SECRET" not in str(failed.value)
    assert wire.host not in str(failed.value)


def test_a_closed_port_is_a_failed_fetch() -> None:
    with Wire([PICTURE]) as wire:
        pass
    with pytest.raises(FetchFailed):
        fetched(client(wire.url), wire.url)


def test_the_connection_is_closed_when_the_block_is_left() -> None:
    heard: Queue[bytes] = Queue()

    def begin_and_listen(connection: socket.socket) -> None:
        connection.sendall(answer(200, b"x", length=1000))
        heard.put(connection.recv(1))

    with Wire([begin_and_listen]) as wire:
        with client(wire.url).get(wire.url) as got:
            assert got.status == 200
        assert heard.get(timeout=5) == b""


def resolving(*ips: str) -> Resolver:
    return lambda host, port: list(ips)


def test_the_addresses_of_a_host_are_tried_in_turn() -> None:
    """Nothing listens at 127.0.0.2 to 127.0.0.4, and the machine may have no IPv6 at all."""
    with Wire([PICTURE]) as wire:
        here = at(wire, "pictures.example")
        dead = resolving("::1", "127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.4")
        assert fetched(client(here, resolve=dead), here) == (200, b"\x89PNG")
    assert wire.connections == 1


def test_a_silent_address_leaves_time_for_the_next() -> None:
    with socket.create_server(("127.0.0.2", 0)) as silent, Wire([PICTURE]) as wire:
        # One port for both: the host is one, its addresses differ.
        port = silent.getsockname()[1]
        with socket.create_server(("127.0.0.1", port)) as relay:
            here = f"http://pictures.example:{port}"
            threading.Thread(target=_relay, args=(relay, wire.port), daemon=True).start()
            assert fetched(client(here, resolve=resolving("127.0.0.2", "127.0.0.1")), here) == (200, b"\x89PNG")


def _relay(listener: socket.socket, port: int) -> None:
    """Hand one request on to another port, and its answer back."""
    inner, _ = listener.accept()
    with inner, socket.create_connection(("127.0.0.1", port)) as outer:
        outer.sendall(inner.recv(65536))
        inner.sendall(outer.recv(65536))


def test_where_no_address_answers_the_last_failure_is_named() -> None:
    here = "http://pictures.example:9"
    with pytest.raises(FetchFailed, match="NewConnectionError"):
        fetched(client(here, resolve=resolving("127.0.0.2", "127.0.0.3")), here)


@pytest.mark.slow
@pytest.mark.parametrize(("begin", "drop"), SLOW.values(), ids=SLOW.keys())
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_dripping_server_is_left_at_the_deadline(
    begin: bytes, drop: bytes, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, context = certificate("pictures.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    ended = Event()
    with Wire([drip(begin, drop, ended)], tls=context if tls else None) as wire:
        here, started = at(wire, "pictures.example"), time.monotonic()
        with pytest.raises((FetchFailed, HTTPError)), client(here).get(here, deadline=Deadline(0.6)) as got:
            got.read()
        took = time.monotonic() - started
        assert ended.wait(5)
    assert 0.4 < took < 2


@pytest.mark.slow
def test_a_download_may_take_long_but_not_be_slow() -> None:
    def steady(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1200\r\n\r\n")
        for _ in range(12):
            connection.sendall(b"x" * 100)
            time.sleep(0.1)

    with Wire([steady]) as wire:
        with client(wire.url).get(wire.url, deadline=Pace(0.5, 500)) as got:
            assert len(got.read()) == 1200
        with pytest.raises(HTTPError), client(wire.url).get(wire.url, deadline=Pace(0.5, 5000)) as got:
            got.read()


@pytest.mark.slow
def test_time_that_the_reader_takes_for_itself_does_not_count() -> None:
    with Wire([answer(200, b"x" * 1000)]) as wire, client(wire.url).get(wire.url, deadline=Pace(0.4, 1e6)) as got:
        assert got.read(10) == b"x" * 10
        time.sleep(0.6)
        assert len(got.read()) == 990
