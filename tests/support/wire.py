"""An HTTP server that sends exactly the scripted bytes, and records the requests."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ENDS_WITHIN = 5.0
"""Seconds that a script may take to notice that its connection is shut."""

type Script = bytes | Callable[[socket.socket], None]


@dataclass(frozen=True)
class Seen:
    """One request: its line, its headers by lower-case name, its body, and the number of its connection."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Wire:
    """Serves on loopback while the block lasts: the n-th request gets the n-th script, the last one also all after.

    A script is the answer's bytes, or a function that does with the socket what it likes and ends the connection.
    """

    scripts: Sequence[Script | Ranges]
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if self.tls else 'http'}://{self.host}"
        self._answering: dict[threading.Thread, socket.socket] = {}
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more connections, and hang up where somebody is still being answered."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for thread, connection in list(self._answering.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(ENDS_WITHIN)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True)
            self._answering[thread] = connection
            thread.start()

    def _serve(self, raw: socket.socket, number: int) -> None:
        raw.settimeout(20)
        this = threading.current_thread()
        try:
            with self.tls.wrap_socket(raw, server_side=True) if self.tls else raw as connection:
                self._answering[this] = connection
                while (request := _read(connection, number)) is not None:
                    self.seen.append(request)
                    script = self.scripts[min(len(self.seen), len(self.scripts)) - 1]
                    if isinstance(script, Ranges):
                        script = script.answer(request)
                    if not isinstance(script, bytes):
                        script(connection)
                        return
                    connection.sendall(script)
                    if b"\r\nConnection: close" in script:
                        return
        except OSError:
            return
        finally:
            del self._answering[this]


def _read(connection: socket.socket, number: int) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Seen(line, headers, body, number)


def answer(status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> bytes:
    """An HTTP answer as bytes; ``length`` is what it announces, where that is not the body's."""
    fields = {"Content-Length": str(len(body) if length is None else length)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return (
        f"HTTP/1.1 {status} X\r\n".encode()
        + b"".join(f"{n}: {v}\r\n".encode() for n, v in fields.items())
        + (b"\r\n" + body)
    )


@dataclass(frozen=True)
class Ranges:
    """Gives the ranges of a body that it is asked for."""

    body: bytes
    content_type: str = "image/jpeg"

    def answer(self, request: Seen) -> bytes:
        first, last = (int(part) for part in request.headers["range"].removeprefix("bytes=").split("-"))
        last = min(last, len(self.body) - 1)
        there = f"bytes {first}-{last}/{len(self.body)}"
        return answer(206, self.body[first : last + 1], Content_Type=self.content_type, Content_Range=there)


def reset(connection: socket.socket) -> None:
    """Break the connection with an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    """Close the connection normally, without an answer."""


def silence(connection: socket.socket) -> None:
    """Send nothing until the other side has closed the connection."""
    connection.recv(1)


def drip(begin: bytes, drop: bytes, ended: threading.Event) -> Callable[[socket.socket], None]:
    """Send some bytes at once, and then one piece ten times a second until the other side has gone."""

    def script(connection: socket.socket) -> None:
        try:
            connection.sendall(begin)
            while True:
                connection.sendall(drop)
                time.sleep(0.1)
        except OSError:
            ended.set()

    return script


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
SLOW: Mapping[str, tuple[bytes, bytes]] = {
    "a byte of the body": (_HEAD + b"Content-Length: 100000\r\n\r\n", b"x"),
    "a body without length": (_HEAD + b"\r\n", b"x"),
    "a chunk": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a byte of a header": (_HEAD + b"X-Slow: ", b"x"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
"""What a dripping server begins with, and what it drips."""


@cache
def _certificate(host: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def certificate(host: str, folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for a host name that is its own authority: its file, and a server's context with it."""
    public, private = _certificate(host)
    file, key = folder / f"{host}.pem", folder / f"{host}.key"
    file.write_bytes(public)
    key.write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context
