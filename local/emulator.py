"""MiniStack with the two fields of a distributed Map that it does not read: MaxConcurrencyPath and
ToleratedFailurePercentagePath. Without them a batch would run 64 items at a time, and stop at the first that fails.
"""

from collections.abc import Callable
from typing import Any

from ministack.app import main
from ministack.services import stepfunctions

FIELDS = ("MaxConcurrency", "ToleratedFailurePercentage")

type State = dict[str, Any]


def with_paths_read(run: Callable[..., Any]) -> Callable[..., Any]:
    """MiniStack's way of running a distributed Map, with numbers put where paths to numbers stand."""

    def wrapped(state: State, raw_input: Any, effective: Any, iterator: State, execution: State, ctx: State) -> Any:
        paths = {field: state[f"{field}Path"] for field in FIELDS if f"{field}Path" in state}
        numbers = {field: stepfunctions._resolve_path_or_ctx(path, effective, ctx) for field, path in paths.items()}
        return run(state | numbers, raw_input, effective, iterator, execution, ctx)

    return wrapped


stepfunctions._run_distributed_map = with_paths_read(stepfunctions._run_distributed_map)

if __name__ == "__main__":
    main()
