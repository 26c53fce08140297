"""The control addresses under /_simulator: the ledger, settings, faults, the clock, test pictures."""

import asyncio
import hashlib
import json
from typing import Any

from aiohttp import web

from local.simulator.answers import Answer, Blob, file_answer, json_answer
from local.simulator.core import Core
from local.simulator.errors import ApiError, bad_parameter
from local.simulator.faults import BadFaultError
from local.simulator.pictures import LARGEST_SIDE, MEDIA_TYPES, picture
from local.simulator.settings import UnknownSettingError


class Control:
    """The calls that tests and tools use beside the API; none of them needs a key."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def jobs(self, request: web.Request) -> Answer:
        """GET: every accepted submit, their number and what they cost. DELETE: forget them (?settings=true: all)."""
        if request.method == "DELETE":
            self._core.reset(settings=request.query.get("settings") == "true")
        return json_answer(200, self._core.book.ledger())

    async def settings(self, request: web.Request) -> Answer:
        """GET: all settings. PUT: change some; 400 naming a setting that there is not."""
        if request.method == "PUT":
            changes = await _json(request)
            if not isinstance(changes, dict):
                raise ApiError(400, "The body must be a JSON object")
            try:
                self._core.change(changes)
            except UnknownSettingError as error:
                raise ApiError(400, str(error), {"parameter": error.name}) from error
        return json_answer(200, self._core.settings.as_json())

    async def faults(self, request: web.Request) -> Answer:
        """GET: the faults in force. POST: add one or a list. DELETE: take all back."""
        if request.method == "DELETE":
            self._core.faults.clear()
        if request.method == "POST":
            specs = await _json(request)
            try:
                for spec in specs if isinstance(specs, list) else [specs]:
                    self._core.faults.add(spec)
            except BadFaultError as error:
                raise ApiError(400, str(error)) from error
        return json_answer(200, self._core.faults.as_json())

    async def requests(self, request: web.Request) -> Answer:
        """GET: the last 5,000 requests, oldest first. DELETE: forget them."""
        if request.method == "DELETE":
            self._core.requests.clear()
        return json_answer(200, list(self._core.requests))

    async def webhooks(self, request: web.Request) -> Answer:
        """GET: the last attempts to deliver webhooks, oldest first. POST {"jobs": [ids] or null, "newest_first": bool}:
        deliver those of these jobs, or of all that have ended, now."""
        if request.method == "POST":
            wish = await _json(request)
            if not isinstance(wish, dict) or not set(wish) <= {"jobs", "newest_first"}:
                raise ApiError(400, 'The body must be {"jobs": [ids] or null, "newest_first": true or false}')
            ids, newest_first = wish.get("jobs"), wish.get("newest_first", False)
            if ids is not None and not (isinstance(ids, list) and all(isinstance(one, str) for one in ids)):
                raise bad_parameter("jobs", "must be a list of ids, or null for all jobs")
            if not isinstance(newest_first, bool):
                raise bad_parameter("newest_first", "must be true or false")
            await self._core.tell_again(ids, newest_first=newest_first)
        return json_answer(200, list(self._core.webhooks.attempts))

    async def clock(self, request: web.Request) -> Answer:
        """GET: the simulator's time. POST {"advance": seconds}: move it forward."""
        if request.method == "POST":
            wish = await _json(request)
            seconds = wish.get("advance") if isinstance(wish, dict) else None
            if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or seconds < 0:
                raise bad_parameter("advance", "must be a number of 0 or more")
            self._core.clock.advance(seconds)
        return json_answer(200, {"now": self._core.clock.now()})

    async def image(self, request: web.Request) -> Answer:
        """GET /_simulator/images/{name}?width=&height=: a generated picture in the format of the name's ending."""
        name = request.match_info["name"]
        stem, _, ending = name.rpartition(".")
        if not stem or ending.lower() not in MEDIA_TYPES:
            raise ApiError(404, f"No such picture: {name}; names end in {', '.join(MEDIA_TYPES)}")
        width, height = _side(request, "width", 1280), _side(request, "height", 720)
        content = await asyncio.to_thread(picture, stem, ending.lower(), width, height)
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return file_answer(request, Blob(content), MEDIA_TYPES[ending.lower()], etag, ranges=True)


def _side(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    side = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= side <= LARGEST_SIDE:
        raise bad_parameter(name, f"must be from 1 to {LARGEST_SIDE}")
    return side


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError as error:
        raise ApiError(400, "The body is not valid JSON") from error
