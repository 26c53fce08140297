"""The HTTP server: routes, faults in front of them, errors in the API's own JSON."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from local.simulator import effects
from local.simulator.answers import Answer, json_answer, send
from local.simulator.api import Api
from local.simulator.control import Control
from local.simulator.core import Core
from local.simulator.effects import Handler
from local.simulator.errors import ApiError, error_document

type Responder = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOG = logging.getLogger(__name__)
BACKLOG = 1024
SHUTDOWN_SECONDS = 0.5
CONTROL_BODY = 4 * 1024 * 1024


def build_app(core: Core) -> web.Application:
    """Return the web application around a simulator's state."""
    app = web.Application(middlewares=[_documented_errors], client_max_size=CONTROL_BODY)
    api, control = Api(core), Control(core)
    routes = app.router
    routes.add_get("/api/v1/videos/models", _place(core, "models", api.models), allow_head=False)
    routes.add_get("/api/v1/key", _place(core, "key", api.key), allow_head=False)
    routes.add_post("/api/v1/videos", _place(core, "submit", api.submit))
    routes.add_get("/api/v1/videos/{id}", _place(core, "poll", api.poll), allow_head=False)
    routes.add_get("/api/v1/videos/{id}/content", _place(core, "content", api.content), allow_head=False)
    routes.add_get(r"/storage/{id}/{index:\d{1,5}}", _place(core, "storage", api.storage))
    routes.add_get("/_simulator/images/{name}", _place(core, "image", control.image))
    for name, methods, handler in (
        ("jobs", ("GET", "DELETE"), control.jobs),
        ("settings", ("GET", "PUT"), control.settings),
        ("faults", ("GET", "POST", "DELETE"), control.faults),
        ("requests", ("GET", "DELETE"), control.requests),
        ("webhooks", ("GET", "POST"), control.webhooks),
        ("clock", ("GET", "POST"), control.clock),
    ):
        for method in methods:
            routes.add_route(method, f"/_simulator/{name}", _plain(handler))
    return app


def _place(core: Core, place: str, handler: Handler) -> Responder:
    """Serve a place where faults may strike; what arrives is logged and counted before anything goes wrong."""
    answering = _refusals_as_answers(handler)

    async def handle(request: web.Request) -> web.StreamResponse:
        core.note(request, place)
        if place == "poll":
            core.book.count_poll(request.match_info["id"])
        fault = core.faults.take(place, request.path_qs)
        if fault is not None:
            return await effects.apply(fault, request, answering)
        return await send(request, await answering(request))

    return handle


def _plain(handler: Handler) -> Responder:
    answering = _refusals_as_answers(handler)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await send(request, await answering(request))

    return handle


def _refusals_as_answers(handler: Handler) -> Handler:
    async def answering(request: web.Request) -> Answer:
        try:
            return await handler(request)
        except ApiError as refusal:
            return json_answer(refusal.status, refusal.document())

    return answering


@web.middleware
async def _documented_errors(request: web.Request, handler: Responder) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        headers = {name: value for name, value in refusal.headers.items() if name == "Allow"}
        return web.json_response(error_document(refusal.status), status=refusal.status, headers=headers)
    except ConnectionError:
        # The client has gone in the middle of an answer; there is nobody left to tell.
        return effects.reset(request)
    # The last line of defence: whatever breaks in here is answered as the API answers its own failures.
    except Exception:
        LOG.exception("%s %s failed", request.method, request.path)
        return web.json_response(error_document(500), status=500)


class Server:
    """A running simulator on one loop: started, then asked for its address, then stopped."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._runner = web.AppRunner(
            build_app(core), access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS
        )
        self.url = ""

    async def start(self, host: str, port: int) -> None:
        """Bind and serve; port 0 takes a free one. Raises OSError where the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=BACKLOG).start()
        bound = self._runner.addresses[0][1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{bound}"

    async def stop(self) -> None:
        """Close the socket, drop what is still running and stop rendering."""
        await self._runner.cleanup()
        await self._core.close()
