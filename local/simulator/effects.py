"""What faults do to a request and its answer."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from local.simulator.answers import (
    Answer,
    Blob,
    as_object,
    begin,
    json_answer,
    redirect_answer,
    send,
    text_answer,
)
from local.simulator.errors import error_document
from local.simulator.faults import FOR_EVER, Fault

type Handler = Callable[[web.Request], Awaitable[Answer]]

DRIP_SECONDS = 0.05
GARBAGE = bytes(range(255, 0, -7)) * 40
PAGE = "<!DOCTYPE html><html><head><title>Just a moment</title></head><body>Checking your browser.</body></html>"
HTML_TYPE = "text/html; charset=utf-8"


async def apply(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request as its fault says; `handler` gives the real answer where the fault needs one."""
    value = fault.value
    match fault.effect:
        case "reset":
            return reset(request)
        case "hang":
            await asyncio.sleep(value)
            return reset(request)
        case "delay":
            await asyncio.sleep(value)
            return await send(request, await handler(request))
        case "truncate":
            return await _truncate(request, await handler(request), int(value))
        case "slow":
            return await _drip(request, await handler(request), value)
        case "accept_then_lose":
            return await _lose(request, await handler(request), value)
        case "job":
            return await send(request, _overridden(await handler(request), value))
        case "wrapped":
            return await send(request, _wrapped(await handler(request), value))
    return await send(request, _canned(fault))


def _canned(fault: Fault) -> Answer:
    """Make the answers that do not depend on the real one."""
    binary = fault.on in ("content", "storage")
    match fault.effect:
        case "garbage":
            content_type = "video/mp4" if binary else "image/png" if fault.on == "image" else "application/json"
            return Answer(200, {"Content-Type": content_type}, Blob(GARBAGE))
        case "html":
            return text_answer(200, PAGE, HTML_TYPE)
        case "wrong_type":
            return json_answer(200, error_document(500, "The output could not be read"))
        case "empty":
            return Answer(200, {"Content-Type": "video/mp4" if binary else "application/json"})
        case "redirect":
            return redirect_answer(fault.status, fault.value)
        case "refusal":
            return json_answer(fault.status, _refusal(fault.wording, fault.status, fault.value), fault.headers)
    return _status(fault)


def _refusal(wording: str, status: int, words: str) -> dict[str, Any]:
    """Make the body of a refusal with its message in one of the fields where messages have been seen."""
    match wording:
        case "message":
            return {"message": words}
        case "detail":
            return {"detail": words}
        case "detail_list":
            return {"detail": [{"loc": ["body", "prompt"], "msg": words, "type": "value_error"}]}
        case "metadata_raw":
            return error_document(status, "Provider returned error", {"raw": words, "provider_name": "Simulator"})
        case "moderation":
            flagged = {"reasons": [words], "flagged_input": "the prompt", "provider_name": "Simulator"}
            return error_document(status, "The request was flagged by moderation", flagged)
    return error_document(status, words)


def _status(fault: Fault) -> Answer:
    """Make the answer of a `status` fault: its body as it is where that is text, else as JSON."""
    if isinstance(fault.body, str):
        answer = text_answer(fault.status, fault.body, "text/plain; charset=utf-8")
    else:
        answer = json_answer(fault.status, error_document(fault.status) if fault.body is None else fault.body)
    answer.headers.update(fault.headers)
    return answer


def reset(request: web.Request) -> web.StreamResponse:
    """Break the connection with a TCP RST: no answer, no regular close."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _truncate(request: web.Request, answer: Answer, length: int) -> web.StreamResponse:
    response = await begin(request, answer)
    response.force_close()
    for chunk in answer.chunks(length):
        await response.write(chunk)
    if request.transport is not None:
        request.transport.close()
    return response


async def _drip(request: web.Request, answer: Answer, bytes_per_second: float) -> web.StreamResponse:
    response = await begin(request, answer)
    step = max(1, int(bytes_per_second * DRIP_SECONDS))
    for chunk in answer.chunks():
        for offset in range(0, len(chunk), step):
            await response.write(chunk[offset : offset + step])
            await asyncio.sleep(step / max(bytes_per_second, 1))
    await response.write_eof()
    return response


async def _lose(request: web.Request, accepted: Answer, how: str | int) -> web.StreamResponse:
    """Lose the answer to a submit; a refusal is not lost, because nothing was accepted."""
    if accepted.status >= 400:
        return await send(request, accepted)
    if how == "unreadable":
        return await send(request, Answer(accepted.status, dict(accepted.headers), Blob(b'{"id": "vg')))
    if how == "hang":
        await asyncio.sleep(FOR_EVER)
    if isinstance(how, int):
        return await send(request, json_answer(how, error_document(how)))
    return reset(request)


def _overridden(answer: Answer, overrides: dict[str, Any]) -> Answer:
    if not 200 <= answer.status < 300:
        return answer
    return Answer(answer.status, answer.headers, Blob(json.dumps({**as_object(answer), **overrides}).encode()))


def _wrapped(answer: Answer, keys: str) -> Answer:
    """Put the JSON of an answer that succeeded under keys, outermost first; `[]` stands for a list."""
    if not 200 <= answer.status < 300:
        return answer
    value: Any = as_object(answer)
    for key in reversed(keys.split(".")):
        value = [value] if key == "[]" else {key: value}
    return Answer(answer.status, answer.headers, Blob(json.dumps(value).encode()))
