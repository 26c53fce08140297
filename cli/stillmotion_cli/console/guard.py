"""Who may use the console: its own page in a browser that was given the token of this start.

Checked in this order, for every request:

    Host            names this server, so a name that is pointed at 127.0.0.1 (DNS rebinding) does not get in
    Origin          is this server's own; required of every method that may change something
    Sec-Fetch-Site  where the browser sends it, says that no other site made the request
    token           in a header that a page of another origin cannot send; media addresses carry a key of their own,
                    because the browser fetches them without headers

There is no cookie: cookies of 127.0.0.1 are sent to every port of it, and so to every other server there.
"""

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stillmotion_cli.console.problems import problem

TOKEN_HEADER = "X-Stillmotion-Token"  # noqa: S105
METHODS = ("GET", "POST", "PUT", "DELETE")
CODE_SECONDS = 120.0
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass
class Keys:
    """The secrets of one start. `token` opens everything, `media` only clips and pictures.

    A code stands for the token once and for two minutes: it is what a browser is started with, because other users of
    the machine can read the command line of a process.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    media: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _codes: dict[str, float] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def new_code(self) -> str:
        """A code that can be exchanged for the token once."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._codes[code] = monotonic() + CODE_SECONDS
        return code

    def redeem(self, code: str) -> bool:
        """Whether the code is good; it is used up by this."""
        with self._lock:
            return self._codes.pop(code, 0.0) > monotonic()

    def is_token(self, given: str) -> bool:
        return same(given, self.token)

    def is_media_key(self, given: str) -> bool:
        return same(given, self.media)


def same(given: str, wanted: str) -> bool:
    """Whether two texts are the same, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


class Guard:
    """ASGI middleware that lets through what the module describes, and sets the security headers of every answer."""

    def __init__(self, app: ASGIApp, *, port: int, keys: Keys, open_paths: frozenset[str]) -> None:
        self.app = app
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._keys = keys
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send_with_headers)
            return
        status, code, detail = refusal
        await problem(status, code, detail)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Why a request is not let through: status, name and words; None where it may pass."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 421, "WrongHost", f"This server is {' or '.join(sorted(self._hosts))} and nothing else."
        if method not in METHODS:
            return 405, "MethodNotAllowed", f"{method} is not used here; use one of {', '.join(METHODS)}."
        origins = headers.getlist("origin")
        if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins) or len(origins) > 1:
            return 403, "WrongOrigin", "Only the console's own page may call this server."
        if method != "GET" and not origins:
            return 403, "WrongOrigin", f"A {method} needs the header Origin, which browsers send by themselves."
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "WrongOrigin", "Another site led here. Open the address that the terminal printed."
        if path in self._open and method == "GET":
            return None
        if not self._has_key(path, headers):
            return 401, "NoToken", "The token of this start is missing. Open the address that the terminal printed."
        return None

    def _has_key(self, path: str, headers: Headers) -> bool:
        if path.startswith("/media/"):
            return self._keys.is_media_key(path.split("/")[2])
        given = headers.get(TOKEN_HEADER, "")
        return self._keys.is_token(given) or (path == "/session" and self._keys.redeem(given))
