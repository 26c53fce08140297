"""The console's routes, and the server that runs them until Ctrl-C."""

import socket
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from stillmotion_cli.client import ApiClient
from stillmotion_cli.console.api import forward
from stillmotion_cli.console.guard import METHODS, Guard, Keys
from stillmotion_cli.console.media import Links, media
from stillmotion_cli.console.upload import upload
from stillmotion_cli.errors import BadInput
from stillmotion_cli.stack import Stack

HOST = "127.0.0.1"
STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Read once: what is served is this list of files, whatever a path says.
FILES = {f"/static/{path.name}": path for path in sorted(STATIC.iterdir()) if path.suffix in _TYPES}
FILES["/"] = FILES.pop("/static/index.html")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page may know of the stack it is about: a name for people, and the options a terminal command needs."""

    name: str
    options: str


def build_app(stack: Stack, keys: Keys, port: int, shown: Shown) -> Guard:
    """The whole application for a server at `port`. Makes no AWS call."""
    app = Starlette(
        routes=[
            *(Route(path, page, methods=["GET"]) for path in FILES),
            Route("/session", session, methods=["POST"]),
            Route("/upload", upload, methods=["POST"]),
            Route("/media/{key}/{job_id}/{output:int}/{part}", media, methods=["GET"]),
            Route("/api/{path:path}", forward, methods=list(METHODS)),
        ]
    )
    client = ApiClient(stack, session=stack.session())
    app.state.client, app.state.links = client, Links(client)
    app.state.keys, app.state.stack, app.state.shown = keys, stack, shown
    return Guard(app, port=port, keys=keys, open_paths=frozenset(FILES))


def page(request: Request) -> Response:
    """A file of the page itself."""
    path = FILES[request.url.path]
    return FileResponse(path, media_type=_TYPES[path.suffix], headers={"Cache-Control": "no-cache"})


def session(request: Request) -> Response:
    """The token for the page that was opened with a code or with the token, and what it shows of the stack."""
    keys, stack, shown = (getattr(request.app.state, name) for name in ("keys", "stack", "shown"))
    known = {"name": shown.name, "options": shown.options, "region": stack.region, "api_url": stack.api_url}
    return JSONResponse({"token": keys.token, "media_key": keys.media, "stack": known | {"is_local": stack.is_local}})


def listen(port: int) -> socket.socket:
    """A socket on 127.0.0.1; port 0 takes a free one. Raises BadInput where the port is in use."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise BadInput(
            f"--port {port} cannot be used: {error.strerror}. Leave it out to take one that is free."
        ) from error
    return listener


def server_config(app: Guard) -> uvicorn.Config:
    """How the server runs: no log of addresses (they hold the media key), no web sockets, a short shutdown."""
    return uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )


def serve(stack: Stack, shown: Shown, *, port: int, open_browser: bool, say: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C or SIGTERM. `say` is called with the address to open."""
    keys = Keys()
    with listen(port) as listener:
        port = listener.getsockname()[1]
        app = build_app(stack, keys, port, shown)
        say(f"The console of {shown.name}: http://{HOST}:{port}/#token={keys.token}")
        say("Whoever has this address can use your AWS credentials for this stack. Ctrl-C ends it.")
        if open_browser:
            webbrowser.open(f"http://{HOST}:{port}/#code={keys.new_code()}")
        try:
            uvicorn.Server(server_config(app)).run(sockets=[listener])
        except KeyboardInterrupt:
            say("The console has ended. Jobs that it submitted keep running.")
