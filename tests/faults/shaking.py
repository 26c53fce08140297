"""Calls to AWS that take a random moment longer, or fail: the order in which things happen is another every time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.faults.crashes import EFFECTS
from tests.support.aws_calls import every_call

TRANSIENT = ("ThrottlingException", "InternalServerError")


@contextmanager
def shaken(seed: int, *, longest: float = 0.004, failing: float = 0.0) -> Iterator[None]:
    """For the length of the block, calls to AWS take up to ``longest`` seconds longer.

    Args:
        failing: the share of our functions' changing calls that fail, half of them before they have an effect and
            half after it, when the answer is lost.
    """
    chance, made, lock = random.Random(seed), every_call(), threading.Lock()

    def call(client: Any, name: str, given: Any) -> Any:
        with lock:
            pause, dice, code = chance.uniform(0, longest), chance.random(), chance.choice(TRANSIENT)
        time.sleep(pause)
        fails = name in EFFECTS and dice < failing and _IN_FUNCTION.active
        if fails and dice < failing / 2:
            raise ClientError({"Error": {"Code": code, "Message": "shaken"}}, name)
        answer = made(client, name, given)
        if fails:
            raise ClientError({"Error": {"Code": code, "Message": "shaken, and done all the same"}}, name)
        return answer

    with patch.object(BaseClient, "_make_api_call", call):
        yield


type Wanted = Callable[[str, Any], bool]


def call(name: str) -> Wanted:
    return lambda made, given: made == name


def event(kind: str) -> Wanted:
    """The event of this kind, for example ``Completed``."""
    return lambda made, given: made == "PutEvents" and given["Entries"][0]["DetailType"].endswith(kind)


def change(**fields: str) -> Wanted:
    """The change of a record to these values, alone or first in a transaction."""

    def wanted(made: str, given: Any) -> bool:
        if made == "TransactWriteItems":
            given = given["TransactItems"][0]["Update"]
        elif made != "UpdateItem":
            return False
        values = given["ExpressionAttributeValues"]
        return all(values.get(f":{name}") == value for name, value in fields.items())

    return wanted


@contextmanager
def broken_call(wanted: Wanted, times: int | None, *, lost: bool) -> Iterator[list[str]]:
    """For the length of the block, calls to AWS that are wanted (by name and arguments) fail, so often or for ever.

    With ``lost`` they have their effect first, and only the answer is lost. Yields the names of those that failed.
    """
    made, lock = every_call(), threading.Lock()
    failed: list[str] = []

    def call(client: Any, name: str, given: Any) -> Any:
        with lock:
            fails = wanted(name, given) and (times is None or len(failed) < times)
            if fails:
                failed.append(name)
        if not fails:
            return made(client, name, given)
        if lost:
            made(client, name, given)
        raise ClientError({"Error": {"Code": TRANSIENT[0], "Message": "broken"}}, name)

    with patch.object(BaseClient, "_make_api_call", call):
        yield failed


class _Inside(threading.local):
    active = False


_IN_FUNCTION = _Inside()


@contextmanager
def inside_a_function() -> Iterator[None]:
    """Marks what this thread does as done by one of our functions."""
    was, _IN_FUNCTION.active = _IN_FUNCTION.active, True
    try:
        yield
    finally:
        _IN_FUNCTION.active = was


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls answer, made at the same moment by as many threads; an error is an answer too."""
    start = threading.Barrier(len(calls))

    def made(call: Callable[[], Any]) -> Any:
        start.wait(30)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(made, calls))
