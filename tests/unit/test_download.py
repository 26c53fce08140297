"""A download goes on where its connection broke, or says that it cannot; it never mixes two files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import IncompleteRead, ProtocolError, ReadTimeoutError

from stillmotion.errors import DownloadFailed, GenerationExpired, ProviderUnauthorized
from stillmotion.outbound.download import Download

BODY = bytes(range(256)) * 4
BREAKS = (ProtocolError("reset"), IncompleteRead(1, 1), ReadTimeoutError(None, "/", "slow"), ConnectionResetError())  # type: ignore[arg-type]


class Broken:
    """An open answer that hands out ``give`` bytes of a body and then breaks, or ends where ``error`` is ``None``."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, give: int, error: BaseException | None):
        self.status, self.headers, self._body, self._give, self._error = status, headers, body, give, error

    def read(self, amt: int | None = None) -> bytes:
        chunk = self._body[: min(self._give, len(self._body) if amt is None else amt)]
        self._body, self._give = self._body[len(chunk) :], self._give - len(chunk)
        if not chunk and self._body and self._error is not None:
            raise self._error
        return chunk


@dataclass
class Server:
    """Serves ranges of a body; the n-th answer breaks after ``gives[n]`` bytes, one beyond them not at all."""

    gives: list[int] = field(default_factory=list)
    error: BaseException | None = BREAKS[0]
    headers: dict[str, str] = field(default_factory=dict)
    later: dict[str, Any] = field(default_factory=dict)
    """What the answers after the first have instead: ``status``, headers, ``body``, or an ``error`` to open with."""
    asked: list[Mapping[str, str]] = field(default_factory=list)
    open: int = 0

    @contextmanager
    def content(self, headers: Mapping[str, str]) -> Iterator[Broken]:
        begin = int(headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        given = {"Content-Length": str(len(BODY) - begin), "Accept-Ranges": "bytes", "ETag": '"clip"'} | self.headers
        status, body = 200, BODY[begin:]
        if self.asked and "error" in self.later:
            raise self.later["error"]
        if self.asked:
            given["Content-Range"] = f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}"
            status, body = self.later.get("status", 206), self.later.get("body", body)
            given |= self.later.get("headers", {})
        give = self.gives[len(self.asked)] if len(self.asked) < len(self.gives) else len(BODY)
        self.asked.append(headers)
        self.open += 1
        try:
            yield Broken(status, given, body, give, self.error)
        finally:
            self.open -= 1


def downloaded(server: Server, amt: int | None = 100) -> bytes:
    pieces = []
    try:
        with Download(server.content) as download:
            assert download.headers["Content-Length"] == str(len(BODY))
            while piece := download.read(amt):
                assert server.open == 1
                pieces.append(piece)
    finally:
        assert server.open == 0
    return b"".join(pieces)


@pytest.mark.parametrize("error", [*BREAKS, None], ids=lambda error: type(error).__name__)
def test_a_broken_connection_is_taken_up_where_it_stopped(error: BaseException | None) -> None:
    server = Server([300, 200], error)
    assert downloaded(server) == BODY
    assert server.asked == [
        {},
        {"Range": "bytes=300-", "If-Range": '"clip"'},
        {"Range": "bytes=500-", "If-Range": '"clip"'},
    ]


@given(st.lists(st.integers(min_value=1, max_value=400), max_size=12), st.integers(min_value=1, max_value=600))
def test_wherever_it_breaks_the_bytes_are_the_same(gives: list[int], amt: int) -> None:
    assert downloaded(Server(gives), amt) == BODY


def test_a_connection_that_brings_nothing_is_the_last() -> None:
    server = Server([300, 0])
    with pytest.raises(ProtocolError):
        downloaded(server)
    assert len(server.asked) == 2


def test_what_breaks_before_the_first_byte_is_not_asked_for_again_at_once() -> None:
    server = Server([0])
    with pytest.raises(ProtocolError):
        downloaded(server)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept-Ranges": "none"},
        {"Accept-Ranges": ""},
        {"Content-Length": "1024 "},
        {"Content-Encoding": "gzip"},
        {"ETag": 'W/"clip"'},
        {"ETag": ""},
    ],
    ids=str,
)
def test_without_ranges_it_cannot_be_taken_up(headers: dict[str, str]) -> None:
    server = Server([300], headers=headers)
    with pytest.raises(ProtocolError), Download(server.content) as download:
        deque(iter(lambda: download.read(100), b""), maxlen=0)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "later",
    [
        {"status": 200, "body": BODY},
        {"headers": {"Content-Range": ""}},
        {"headers": {"ETag": '"another clip"'}},
        {"headers": {"Content-Range": f"bytes 299-{len(BODY) - 1}/{len(BODY)}"}},
        {"headers": {"Content-Range": f"bytes 300-{len(BODY) - 2}/{len(BODY)}"}},
        {"headers": {"Content-Range": f"bytes 300-{len(BODY) - 1}/{len(BODY) + 1}"}},
        {"headers": {"Content-Range": f"bytes 300-{len(BODY) - 1}/*"}},
    ],
    ids=str,
)
def test_another_file_or_another_part_is_not_put_behind_the_first(later: dict[str, Any]) -> None:
    with pytest.raises(DownloadFailed, match=r"after 300 of 1,024 bytes.*started over"):
        downloaded(Server([300], later=later))


def refused(status: int) -> DownloadFailed:
    error = DownloadFailed(f"HTTP {status}")
    error.answered = status
    return error


@pytest.mark.parametrize("error", [GenerationExpired("gone"), refused(503), refused(416)])
def test_a_refused_rest_does_not_say_that_there_is_no_such_video(error: DownloadFailed | GenerationExpired) -> None:
    with pytest.raises(DownloadFailed, match=f"after 300 of 1,024 bytes.*{error.detail}") as failed:
        downloaded(Server([300], later={"error": error}))
    assert failed.value.answered is None


def test_other_errors_of_opening_it_again_are_said_as_they_are() -> None:
    with pytest.raises(ProviderUnauthorized):
        downloaded(Server([300], later={"error": ProviderUnauthorized("HTTP 401")}))


def test_an_error_of_the_reader_is_none_of_the_connections() -> None:
    server = Server()
    with pytest.raises(urllib3.exceptions.HTTPError), Download(server.content):
        raise urllib3.exceptions.HTTPError("not ours")
    assert (server.open, len(server.asked)) == (0, 1)
