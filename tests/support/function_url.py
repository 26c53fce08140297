"""A function URL in front of a stack in one process: HTTP calls become the events that Lambda makes of them.

Moto serves no function URLs. The simulator calls this address as ModelGates calls the real one.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.simulator import Simulator
from tests.support.inprocess import Cloud, Context, Crash, cloud

FUNCTION = "CallbackFunction"


class FunctionUrl:
    """The address, and what was answered to each call; without a stack behind it, 502."""

    def __init__(self) -> None:
        self.stack: Cloud | None = None
        self.lock: AbstractContextManager[Any] | None = None
        """Held during a call; the stack's own, as of any other function, where it is not set."""
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = outer.call("POST", self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> int:
        """The status that the function answers a call with."""
        if self.stack is None:
            return 502
        with self.lock or self.stack.lock:
            try:
                event = function_url_event(method, path, headers or {}, body)
                status = int(self.stack.invoke(FUNCTION, event, Context())["statusCode"])
            except Crash:
                status = 502
        self.answers.append(status)
        return status


def function_url_event(method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """What Lambda makes of a call (*Lambda function URLs, payload format 2.0*): JSON as text, all else in base64."""
    raw_path, _, query = path.partition("?")
    text = headers.get("Content-Type", headers.get("content-type", "")).startswith("application/json")
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {"http": {"method": method, "path": raw_path, "protocol": "HTTP/1.1"}},
        "body": body.decode(errors="replace") if text else base64.b64encode(body).decode(),
        "isBase64Encoded": not text,
    }


@contextmanager
def cloud_with_callbacks(simulator: Simulator, **parameters: Any) -> Iterator[tuple[Cloud, FunctionUrl]]:
    """A stack that ModelGates calls back, for the length of the block, and its address; as :func:`cloud` else."""
    url = FunctionUrl()
    thread = threading.Thread(target=url.server.serve_forever, daemon=True)
    thread.start()
    on: dict[str, Any] = {"EnableCallback": "true", "CallbackFunctionUrl": url.url}
    try:
        with cloud(simulator, **on, **parameters) as stack:
            url.stack = stack
            yield stack, url
    finally:
        url.stack = None
        url.server.shutdown()
        url.server.server_close()
        thread.join(10)
