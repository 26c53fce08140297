"""How tests call the command, and the stand-in stack that it talks to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stillmotion_cli.stack import Stack
from tests.support.pictures import picture
from tests.unit.cli.fake_api import FakeApi

JPEG = picture("JPEG")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


type Run = Callable[..., Result]


def local_stack(api: FakeApi, **changes: Any) -> Stack:
    """The stand-in as a stack of this machine."""
    values: dict[str, Any] = dict.fromkeys(Stack.__dataclass_fields__, "") | {"profile": None, "event_log_group": None}
    known = {"api_url": f"{api.url}/v1", "endpoint_url": api.url, "region": "us-east-1", "simulator_url": api.url}
    return Stack(**(values | known | changes))
