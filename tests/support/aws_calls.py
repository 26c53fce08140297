"""Counts the calls to AWS that functions make, by botocore's own hooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from stillmotion import wiring
from tests.support.inprocess import Cloud


def every_call() -> Any:
    """The one way of botocore's clients to AWS, for tests that go between. Its types do not know it."""
    return vars(BaseClient)["_make_api_call"]


@dataclass
class Calls:
    """Calls in their order: function, service, operation, parameters."""

    made: list[tuple[str, str, str, dict[str, Any]]] = field(default_factory=list)
    function: str = ""

    def of(self, function: str) -> list[str]:
        """The operations that a function called."""
        return [operation for caller, _, operation, _ in self.made if caller == function]

    def to(self, service: str) -> list[str]:
        """The operations of a service that any function called."""
        return [operation for _, called, operation, _ in self.made if called == service]


@contextmanager
def counted_calls() -> Iterator[Calls]:
    """What the functions call, for the length of the block; it begins in a stack whose functions are cold."""
    calls, invoke = Calls(), Cloud.invoke

    def called(**given: Any) -> None:
        model = given["model"]
        calls.made.append((calls.function, model.service_model.service_name, model.name, dict(given["params"])))

    def invoked(stack: Cloud, function: str, *given: Any) -> Any:
        was, calls.function = calls.function, function
        try:
            return invoke(stack, function, *given)
        finally:
            calls.function = was

    # Clients copy the session's hooks when they are made.
    wiring.sdk().register("provide-client-params", called)
    with patch.object(Cloud, "invoke", invoked):
        yield calls
