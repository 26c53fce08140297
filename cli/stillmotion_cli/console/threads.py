"""Blocking calls beside the event loop, and back.

The threads are started here and not taken from anyio or an executor: Python waits for those at exit, so Ctrl-C would
take as long as the slowest AWS call.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any


async def in_thread[T](call: Callable[..., T], *arguments: Any) -> T:
    """The result of a call that blocks, or what it raises. A caller that is cancelled leaves the thread behind."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def answer(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]
        else:
            future.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = call(*arguments)
        except BaseException as raised:
            error = raised
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(answer, result, error)

    threading.Thread(target=run, daemon=True).start()
    return await future


async def each_in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces of a blocking iterator, one at a time."""
    while (chunk := await in_thread(next, chunks, None)) is not None:
        yield chunk


def each_from_loop(chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    """For a thread: what an asynchronous iterator of the loop gives, each piece fetched when it is asked for."""

    async def fetch() -> bytes | None:
        return await anext(chunks, None)

    while (chunk := asyncio.run_coroutine_threadsafe(fetch(), loop).result()) is not None:
        if chunk:
            yield chunk
