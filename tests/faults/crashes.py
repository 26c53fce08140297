"""A process that dies before or after any of its effects on the world: calls to AWS and the paid call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from stillmotion.modelgates.client import ModelGates
from tests.support.aws_calls import every_call
from tests.support.inprocess import Cloud, Crash

EFFECTS = frozenset(
    {
        *("PutItem", "UpdateItem", "TransactWriteItems", "StartExecution", "SendTaskSuccess", "PutEvents"),
        *("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    }
)
"""The calls that change something. A death before or after one that only reads is a death before the next effect."""


class Crasher:
    """Dies once, at the ``number``-th effect of the function of this name; ``effects`` are those it had."""

    def __init__(self, function: str, number: int, when: str) -> None:
        self.function, self.number, self.when = function, number, when
        self.effects: list[str] = []
        self.died = False
        self._inside: dict[int, bool] = {}
        """By thread: whether what it does now is done by the function."""
        self._lock = threading.Lock()

    def around(self, name: str, call: Any) -> Any:
        """Make a call, and die before or after it where that was asked for."""
        with self._lock:
            counted = self._is_the_functions(name) and not self.died and name in {*EFFECTS, "POST /videos"}
            if counted:
                self.effects.append(name)
            dies = counted and len(self.effects) == self.number
            self.died = self.died or dies
        if dies and self.when == "before":
            raise Crash(f"before {name}")
        answer = call()
        if dies:
            raise Crash(f"after {name}")
        return answer

    def _is_the_functions(self, name: str) -> bool:
        """Functions run in threads of their own; one that uploads has helpers."""
        inside = self._inside.get(threading.get_ident())
        return any(self._inside.values()) and name == "UploadPart" if inside is None else inside

    @contextmanager
    def lurking(self) -> Iterator[None]:
        """Lie in wait for the length of the block."""
        invoke, made, post = Cloud.invoke, every_call(), ModelGates._post_once

        def invoked(stack: Cloud, function: str, *given: Any) -> Any:
            thread = threading.get_ident()
            was, self._inside[thread] = self._inside.get(thread, False), function == self.function
            try:
                return invoke(stack, function, *given)
            finally:
                self._inside[thread] = was

        def api_call(client: Any, name: str, given: Any) -> Any:
            return self.around(name, lambda: made(client, name, given))

        def posted(provider: ModelGates, *given: Any) -> Any:
            return self.around("POST /videos", lambda: post(provider, *given))

        with (
            patch.object(Cloud, "invoke", invoked),
            patch.object(BaseClient, "_make_api_call", api_call),
            patch.object(ModelGates, "_post_once", posted),
        ):
            yield


BIG = 20 * 2**20
CLAIMED = {"PutItem", "TransactWriteItems", "POST /videos", "UpdateItem", "PutEvents"}
DYING = {
    "SubmitApiFunction": ("http", {}, CLAIMED | {"StartExecution"}),
    "SubmitTaskFunction": ("workflow", {}, CLAIMED),
    "PollFunction": ("workflow", {}, {"UpdateItem"}),
    "DeliverFunction": ("workflow", {"pad_to_bytes": BIG}, {"UpdateItem", "UploadPart", "PutEvents", "PutObject"}),
    "RecordFailureFunction": ("workflow", {"fail_with": {"status": "failed"}}, {"UpdateItem", "PutEvents"}),
}
"""Functions that die: entry point, settings of the simulator, the effects at which they must have died."""
