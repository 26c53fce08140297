"""The two ends of a transfer on loopback, each in its own process: a source of bytes, and an S3 that forgets them.

``python -m benchmarks.peers source|sink [--drops-after BYTES] [--after SECONDS] [--tls CERTIFICATE KEY]`` prints its
address and serves until its input ends.
"""

from __future__ import annotations

import argparse
import itertools
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PIECE_BYTES = 2**20
HEAD = b"\x00\x00\x00\x18ftypmp42" + bytes(12)


class _Peer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 65_536
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each request would be part of what is measured."""

    def answer(self, status: int = 200, body: str = "", length: int | None = None) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(body.encode())


class Source(_Peer):
    """``GET /{bytes}`` answers a video of that many bytes, or the rest of it; ``GET /sent`` how many it sent in all."""

    piece = memoryview(bytes(range(256)) * (PIECE_BYTES // 256))
    drops_after = 0
    """Bytes after which a connection is dropped; 0: never."""
    sent = 0

    def do_GET(self) -> None:
        if self.path == "/sent":
            self.answer(body=str(Source.sent))
            return
        size = int(self.path.removeprefix("/"))
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response_only(206 if "Range" in self.headers else 200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(size - begin))
        self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{size}"')
        self.end_headers()
        head = HEAD[begin:size]
        self.wfile.write(head)
        left = whole = size - begin - len(head)
        if self.drops_after:
            left = min(left, self.drops_after)
        Source.sent += len(head) + left
        self.close_connection = left < whole
        while left > 0:
            left -= self.wfile.write(self.piece[:left])


class Sink(_Peer):
    """As much of S3 as an upload needs. It reads everything, keeps only the number of bytes, and answers ETags."""

    sizes: dict[str, int] = {}  # noqa: RUF012 - one S3 for all connections
    parts: dict[str, int] = {}  # noqa: RUF012
    answers_after = 0.0
    numbers = itertools.count()
    lock = threading.Lock()

    def do_POST(self) -> None:
        path, query = self._asked()
        self._drain()
        if "uploads" in query:
            upload = f"upload-{next(self.numbers)}"
            self.parts[upload] = 0
            self._answer_document("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
        else:
            self.sizes[path] = self.parts.pop(query["uploadId"][0])
            self._answer_document("CompleteMultipartUploadResult", "<ETag>e</ETag>")

    def do_PUT(self) -> None:
        path, query = self._asked()
        size = self._drain()
        time.sleep(self.answers_after)
        if "uploadId" in query:
            with self.lock:
                self.parts[query["uploadId"][0]] += size
        else:
            self.sizes[path] = size
        self.answer()

    def do_HEAD(self) -> None:
        path, _ = self._asked()
        if path in self.sizes:
            self.answer(length=self.sizes[path])
        else:
            self.answer(404)

    def do_DELETE(self) -> None:
        _, query = self._asked()
        self.parts.pop(query.get("uploadId", [""])[0], None)
        self.answer(204)

    def _answer_document(self, name: str, content: str) -> None:
        self.answer(body=f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>')

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return parts.path, parse_qs(parts.query, keep_blank_values=True)

    def _drain(self) -> int:
        """Read the body away; how many bytes of the object it held."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            size = 0
            while length := int(self.rfile.readline().split(b";")[0], 16):
                size += self._discard(length)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            size = self._discard(int(self.headers.get("Content-Length", "0")))
        # With a checksum behind the body, S3's own framing is part of what was read.
        return int(self.headers.get("X-Amz-Decoded-Content-Length", size))

    def _discard(self, length: int) -> int:
        piece, left = memoryview(bytearray(min(length, PIECE_BYTES))), length
        while left:
            got = self.rfile.readinto(piece[:left])
            if not got:
                raise ConnectionError("the body ended early")
            left -= got
        return length


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that its client only opened is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("source", "sink"))
    parser.add_argument("--drops-after", type=int, default=0, help="bytes after which the source drops a connection")
    parser.add_argument("--after", type=float, default=0.0, help="seconds until an upload is answered")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    given = parser.parse_args()
    Sink.answers_after = given.after
    Source.drops_after = given.drops_after
    server = Server(("127.0.0.1", 0), Source if given.role == "source" else Sink)
    if given.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*given.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http{'s' if given.tls else ''}://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
