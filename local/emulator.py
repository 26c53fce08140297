"""MiniStack, with the features that it lacks: parts of distributed Maps, waits for callbacks and nested stacks.

It does not read MaxConcurrencyPath and ToleratedFailurePercentagePath: a batch would run 64 items at a time, and stop
at the first that fails. It does not read TimeoutSecondsPath either: a wait for a callback would last a day. And it
checks a call about a Map Run against policies as if the call named no resource. It expands SAM templates, but not those
of nested stacks.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.app import main
from ministack.core import iam_actions
from ministack.services import stepfunctions
from ministack.services.cloudformation import engine

FIELDS = ("MaxConcurrency", "ToleratedFailurePercentage")

type State = dict[str, Any]


def with_paths_read(run: Callable[..., Any]) -> Callable[..., Any]:
    """MiniStack's way of running a distributed Map, with numbers in place of paths to numbers."""

    def wrapped(state: State, raw_input: Any, effective: Any, iterator: State, execution: State, ctx: State) -> Any:
        paths = {field: state[f"{field}Path"] for field in FIELDS if f"{field}Path" in state}
        numbers = {field: stepfunctions._resolve_path_or_ctx(path, effective, ctx) for field, path in paths.items()}
        return run(state | numbers, raw_input, effective, iterator, execution, ctx)

    return wrapped


def with_time_outs(run: Callable[..., Any]) -> Callable[..., Any]:
    """MiniStack's way of running a task, with a number in place of the path to its time-out."""

    def wrapped(state: State, raw_input: Any, execution: State, ctx: State) -> Any:
        if "TimeoutSecondsPath" in state:
            seconds = stepfunctions._resolve_path_or_ctx(state["TimeoutSecondsPath"], raw_input, ctx)
            state = state | {"TimeoutSeconds": seconds}
        return run(state, raw_input, execution, ctx)

    return wrapped


def with_map_runs(resource_of: Callable[..., str]) -> Callable[..., str]:
    """MiniStack's way of finding the resource of a call, for calls about a Map Run too."""

    def wrapped(service: str, method: str, path: str, headers: Any, body: Any, *more: Any, **named: Any) -> str:
        if service == "states" and body and b"mapRunArn" in body:
            return str(json.loads(body)["mapRunArn"])
        return resource_of(service, method, path, headers, body, *more, **named)

    return wrapped


def with_transforms(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """MiniStack's way of reading a template, with its transforms applied."""

    def wrapped(template_body: str) -> Any:
        return engine._apply_transforms(parse(template_body))

    return wrapped


stepfunctions._run_distributed_map = with_paths_read(stepfunctions._run_distributed_map)
stepfunctions._execute_task = with_time_outs(stepfunctions._execute_task)
iam_actions.extract_resource_arn = with_map_runs(iam_actions.extract_resource_arn)
# Only nested stacks take it from here, at each call; the others apply the transforms themselves.
engine._parse_template = with_transforms(engine._parse_template)

if __name__ == "__main__":
    main()
