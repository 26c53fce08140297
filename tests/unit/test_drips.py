"""A ModelGates that drips: every call ends at its deadline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from stillmotion.errors import DownloadFailed, ProviderUnavailable, StillmotionError, SubmitOutcomeUnknown
from stillmotion.modelgates import client as client_module
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import ProviderJob
from stillmotion.outbound.deadline import Pace
from tests.support.modelgates_calls import CALLS, DONE, LIMITS, download, gates
from tests.support.wire import SLOW, Wire, answer, certificate, drip

SECONDS = 0.4


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIMITS:
        monkeypatch.setattr(client_module, name, SECONDS)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS.keys())
def test_the_same_holds_over_tls(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    ended, (made, error) = Event(), CALLS[call]
    with Wire([drip(*SLOW["100 Continue"], ended)], tls=context) as wire:
        with pytest.raises(error):
            made(gates(wire.url.replace("127.0.0.1", "localhost")))
        assert ended.wait(5)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("line", [b"X-More: y\r\n", b"1\r\nx\r\n", b"1;" + b"x" * 9000 + b"\r\nx\r\n"])
def test_lines_between_and_after_the_bytes_of_a_body_are_no_progress(line: bytes) -> None:
    """However fast they come: else they would hold a download for as long as the function may run."""
    ended = Event()

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"0\r\n" if line.startswith(b"X") else b"")
        try:
            while True:
                connection.sendall(line * 100)
        except OSError:
            ended.set()

    with Wire([flood]) as wire, pytest.raises(DownloadFailed):
        download(gates(wire.url), amt=2**16)
    assert ended.wait(5)


def test_sizes_of_chunks_hold_nothing_up() -> None:
    pace = Pace(10, 1000)
    pace.begin_body()
    for _ in range(1000):
        pace.received(4096 + 8, 0)
        pace.framed(6)
    assert pace.left() > 9.9
