"""MiniStack, with the features that it lacks: parts of distributed Maps, waits for callbacks, nested stacks, aliases.

It does not read MaxConcurrencyPath and ToleratedFailurePercentagePath: a batch would run 64 items at a time, and stop
at the first that fails. It does not read TimeoutSecondsPath either: a wait for a callback would last a day. And it
checks a call about a Map Run against policies as if the call named no resource. It expands SAM templates, but not those
of nested stacks. It forgets a function's reserved concurrency where an alias is called, and unpacks the layers anew for
each process that it starts, which takes longer than all else in a start.
"""

import io
import json
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

from ministack.app import main
from ministack.core import iam_actions, lambda_runtime
from ministack.services import lambda_svc, stepfunctions
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


def with_concurrency(reserved: Callable[..., int | None]) -> Callable[..., int | None]:
    """MiniStack's way of finding how many runs at once a function may have, for its published versions too."""

    def wrapped(record: State, config: State) -> int | None:
        return reserved(lambda_svc._functions.get(config["FunctionName"], record), config)

    return wrapped


class Layers:
    """The folders of unpacked layers by their content; each is unpacked once, below TMPDIR."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[bytes, str] = {}

    def folders(self, layers: Sequence[Any]) -> list[str]:
        """Where the layers of a function lie, in its order."""
        contents = [lambda_svc._resolve_layer_zip(layer) for layer in layers]
        with self._lock:
            return [self._folder(content) for content in contents if content]

    def _folder(self, content: bytes) -> str:
        if content not in self._folders:
            folder = tempfile.mkdtemp(prefix="layer-")
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(folder)
            self._folders[content] = folder
        return self._folders[content]


def with_shared_layers(spawn: Callable[[Any], None], layers: Layers) -> Callable[[Any], None]:
    """MiniStack's way of starting a function's process, with the folders of its layers in place of the layers."""

    def wrapped(worker: Any) -> None:
        config = worker.config
        environment = config.get("Environment") or {}
        folders = os.pathsep.join(layers.folders(config.get("Layers") or []))
        variables = environment.get("Variables", {}) | {"_LAMBDA_LAYERS_DIRS": folders}
        worker.config = config | {"Layers": [], "Environment": environment | {"Variables": variables}}
        try:
            spawn(worker)
        finally:
            worker.config = config

    return wrapped


lambda_svc._reserved_concurrency = with_concurrency(lambda_svc._reserved_concurrency)
lambda_runtime.Worker._spawn = with_shared_layers(lambda_runtime.Worker._spawn, Layers())
stepfunctions._run_distributed_map = with_paths_read(stepfunctions._run_distributed_map)
stepfunctions._execute_task = with_time_outs(stepfunctions._execute_task)
iam_actions.extract_resource_arn = with_map_runs(iam_actions.extract_resource_arn)
# Only nested stacks take it from here, at each call; the others apply the transforms themselves.
engine._parse_template = with_transforms(engine._parse_template)

if __name__ == "__main__":
    main()
