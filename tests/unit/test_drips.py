"""A ModelGates that drips: every call ends at its deadline, and leaves no socket and no thread behind."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from stillmotion.errors import DownloadFailed, ProviderUnavailable, StillmotionError, SubmitOutcomeUnknown
from stillmotion.modelgates import client as client_module
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import ProviderJob
from stillmotion.outbound.address_guard import origin
from stillmotion.outbound.deadline import Deadline, Pace
from stillmotion.outbound.guarded_client import FetchFailed, GuardedClient
from tests.support.wire import SLOW, Wire, answer, certificate, drip

SECONDS = 0.4
DONE = ProviderJob("vg_1", "completed")


class Key:
    def get(self, *, refresh: bool = False) -> str:
        return "mg-local-key"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUERY_SECONDS", "SUBMIT_SECONDS", "SUBMIT_CONNECT_SECONDS", "CONTENT_SECONDS"):
        monkeypatch.setattr(client_module, name, SECONDS)


def gates(url: str) -> ModelGates:
    return ModelGates(url, Key(), GuardedClient([origin(url)]))


def download(client: ModelGates, job: ProviderJob = DONE, amt: int = 50) -> bytes:
    with client.content(job, 0) as content:
        return b"".join(iter(lambda: content.read(amt), b""))


CALLS: dict[str, tuple[Callable[[ModelGates], object], type[StillmotionError]]] = {
    "model list": (ModelGates.models, ProviderUnavailable),
    "poll": (lambda client: client.job("vg_1"), ProviderUnavailable),
    "credits": (ModelGates.credits_left, ProviderUnavailable),
    "submit": (lambda client: client.submit({"prompt": "hills"}), SubmitOutcomeUnknown),
    "content": (download, DownloadFailed),
}


@pytest.mark.parametrize(("begin", "drop"), SLOW.values(), ids=SLOW.keys())
@pytest.mark.parametrize(("call", "error"), CALLS.values(), ids=CALLS.keys())
def test_a_call_to_a_dripping_modelgates_ends_at_its_deadline(
    call: Callable[[ModelGates], object], error: type[StillmotionError], begin: bytes, drop: bytes
) -> None:
    ended = Event()
    with Wire([drip(begin, drop, ended)]) as wire:
        started = time.monotonic()
        with pytest.raises(error) as told:
            call(gates(wire.url))
        took = time.monotonic() - started
        assert ended.wait(5)
    assert type(told.value) is error
    assert len(wire.seen) == 1
    assert SECONDS / 2 < took < SECONDS + 2


@pytest.mark.parametrize("call", CALLS.keys())
def test_the_same_holds_over_tls(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    ended, (made, error) = Event(), CALLS[call]
    with Wire([drip(*SLOW["100 Continue"], ended)], tls=context) as wire:
        with pytest.raises(error):
            made(gates(wire.url.replace("127.0.0.1", "localhost")))
        assert ended.wait(5)


def test_a_refusal_whose_reason_drips_stays_a_refusal() -> None:
    ended = Event()
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100000\r\n\r\n"
    with Wire([drip(head, b"x", ended)]) as wire, pytest.raises(StillmotionError) as refused:
        gates(wire.url).submit({"prompt": "hills"})
    assert refused.value.code == "ProviderRejected"
    assert ended.wait(5)


def _slow_reader(ended: Event) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        try:
            while connection.recv(64):
                time.sleep(0.05)
        except OSError:
            pass
        ended.set()

    return script


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_server_that_takes_a_large_submit_by_drips_is_left_too(
    tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent may have been enough, so the outcome is unknown."""
    file, context = certificate("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    ended = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            raw, _ = listener.accept()
            with context.wrap_socket(raw, server_side=True) if tls else raw as connection:
                _slow_reader(ended)(connection)

        threading.Thread(target=serve, daemon=True).start()
        url = f"{'https' if tls else 'http'}://localhost:{listener.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(SubmitOutcomeUnknown):
            gates(url).submit({"prompt": "x" * 20_000_000})
        assert time.monotonic() - started < SECONDS + 2
        assert listener.fileno() > 0


def test_an_address_that_takes_no_connection_leaves_nothing_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS handshake that never comes is a part of connecting."""
    monkeypatch.setattr(client_module, "SUBMIT_CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        with pytest.raises(ProviderUnavailable, match="Nothing was submitted"):
            gates(f"https://localhost:{listener.getsockname()[1]}").submit({"prompt": "hills"})
        assert time.monotonic() - started < 2


def test_a_download_that_breaks_after_every_byte_does_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection brings something: the least rate is that of the download, whatever its connections do."""
    sent = iter(range(10**6))

    def one_byte(connection: socket.socket) -> None:
        at = next(sent)
        time.sleep(0.05)
        fields = {"Accept_Ranges": "bytes", "ETag": '"1"', "Connection": "close"}
        if at:
            fields["Content_Range"] = f"bytes {at}-99999/100000"
        connection.sendall(answer(206 if at else 200, b"x", length=100_000 - at, **fields))

    with Wire([one_byte]) as wire:
        started = time.monotonic()
        with pytest.raises(DownloadFailed):
            download(gates(wire.url), amt=1)
        assert time.monotonic() - started < 4
    assert 2 <= len(wire.seen) <= 30


def test_time_that_the_bytes_are_worked_on_is_nobodys_slowness() -> None:
    body = b"x" * 4000
    with Wire([answer(200, body, Content_Type="video/mp4")]) as wire, gates(wire.url).content(DONE, 0) as content:
        first = content.read(10)
        time.sleep(SECONDS + 0.2)
        assert first + b"".join(iter(lambda: content.read(1000), b"")) == body


def test_patience_is_used_up_by_waiting_and_given_back_by_bytes() -> None:
    now = [0.0]
    pace = Pace(10, 100, lambda: now[0])
    pace.begin_call()
    now[0] += 4  # headers
    pace.begin_body()
    assert pace.left() == 6
    pace.received(300, 2)  # three seconds' worth in two
    assert pace.left() == 7
    pace.received(10_000, 1)
    assert pace.left() == 10
    now[0] += 100  # the reader's own time
    assert pace.left() == 10
    pace.received(0, 9)
    pace.begin_call()
    now[0] += 0.5
    pace.begin_body()
    assert pace.left() == 0.5
    pace.received(0, 0.5)
    with pytest.raises(TimeoutError):
        pace.left()


@pytest.mark.parametrize("job_id", [".", "..", ""])
def test_an_id_that_would_be_a_folder_is_asked_for_nowhere(job_id: str) -> None:
    with Wire([answer(200, b'{"status": "completed"}')]) as wire:
        for call in (lambda: gates(wire.url).job(job_id), lambda: download(gates(wire.url), ProviderJob(job_id, "x"))):
            with pytest.raises(ProviderUnavailable, match="is none"):
                call()
    assert wire.connections == 0


@pytest.mark.parametrize("job_id", [".", ".."])
def test_a_submit_answered_with_such_an_id_is_unknown(job_id: str) -> None:
    accepted = answer(202, b'{"id": "%s", "status": "pending"}' % job_id.encode())
    with Wire([accepted]) as wire, pytest.raises(SubmitOutcomeUnknown):
        gates(wire.url).submit({"prompt": "hills"})
    assert len(wire.seen) == 1


def _sockets() -> int:
    def target(number: str) -> str:
        try:
            return os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            return ""

    return sum(target(number).startswith("socket:") for number in os.listdir("/proc/self/fd"))


def _settled(measured: Callable[[], int], wanted: int) -> int:
    """The figure, once the server's own threads have noticed that their clients are gone."""
    end = time.monotonic() + 10
    while measured() > wanted and time.monotonic() < end:
        time.sleep(0.05)
    return measured()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Afterwards there are as many threads and sockets as before."""
    threads, sockets = threading.active_count(), _sockets()
    yield
    assert _settled(threading.active_count, threads) <= threads
    assert _settled(_sockets, sockets) <= sockets


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.slow
def test_200_dripping_calls_leave_no_thread_and_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUERY_SECONDS", "SUBMIT_SECONDS", "CONTENT_SECONDS"):
        monkeypatch.setattr(client_module, name, 0.2)
    servers = [Wire([drip(*how, Event())]) for how in SLOW.values()]
    for server in servers:
        server.__enter__()
    ends: list[str] = []

    def call(number: int) -> None:
        url = servers[number % len(servers)].url
        kinds = [*CALLS.values(), None]
        kind = kinds[number // len(servers) % len(kinds)]
        try:
            if kind is None:
                with GuardedClient([origin(url)]).get(url, deadline=Deadline(0.2)) as got:
                    got.read()
            else:
                kind[0](gates(url))
        except (StillmotionError, FetchFailed, client_module.HTTPError) as error:
            ends.append(type(error).__name__)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(call, range(200)))
    for server in servers:
        server.__exit__(None, None, None)
    assert len(ends) == 200
