"""``python -m benchmarks``: everything, in about fifteen minutes; ``--quick`` proves that it works, in
seconds. In full, ``units`` writes docs/cost.md from what it counts, a whole run the bars into README.md, and a bar
that fails ends it with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console

from benchmarks import (
    bars,
    before,
    callbacks,
    connections,
    cost,
    front,
    inspection,
    ready,
    recovery,
    report,
    startup,
    transfer,
    units,
    workflow,
)
from benchmarks.measure import Table


def _benchmarks(quick: bool, counting: Callable[[], list[Table]]) -> dict[str, Callable[[], list[Table]]]:
    """In their order: beside the counting of many jobs what needs one processor, and then what needs both."""
    return {
        "recovery": lambda: recovery.run(recovery.QUICK if quick else recovery.FULL),
        "callbacks": lambda: callbacks.run(callbacks.QUICK if quick else callbacks.FULL),
        "workflow": lambda: workflow.run(workflow.QUICK if quick else workflow.FULL),
        "startup": lambda: startup.run(startup.QUICK if quick else startup.FULL),
        "before": lambda: before.run(before.QUICK if quick else before.FULL),
        "connections": lambda: connections.run(connections.QUICK if quick else connections.FULL),
        "inspection": lambda: inspection.run(inspection.QUICK if quick else inspection.FULL),
        "front": lambda: front.run(front.QUICK if quick else front.FULL),
        "units": counting,
        "ready": lambda: ready.run(ready.QUICK if quick else ready.FULL),
        "transfer": lambda: transfer.run(transfer.QUICK if quick else transfer.FULL),
    }


NAMES = tuple(_benchmarks(True, list))


def _counting(stack: ExitStack, quick: bool) -> Callable[[], list[Table]]:
    return stack.enter_context(units.begun(units.QUICK if quick else units.FULL))


def _console(*, stderr: bool) -> Console:
    file = sys.stderr if stderr else sys.stdout
    return Console(file=file, width=None if file.isatty() else 140)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="*", metavar="BENCHMARK", help=f"only these: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="small and once: shows that it works, not how fast")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args()
    if unknown := set(given.which) - set(NAMES):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    told, started = _console(stderr=given.json), time.monotonic()
    tables: list[Table] = []
    about = report.machine()
    with ExitStack() as stack:
        counting = _counting(stack, given.quick) if not given.which or "units" in given.which else list
        for name, run in _benchmarks(given.quick, counting).items():
            if given.which and name not in given.which:
                continue
            with told.status(f"{name} …"):
                found = run()
            tables += found
            if name == "units" and not given.quick:
                cost.write(found)
            if not given.json:
                for table in found:
                    report.show(told, table)
    about["seconds"] = round(time.monotonic() - started)
    held = bars.check(tables)
    if not (given.quick or given.which):
        bars.write(held, report.in_a_line(about))
    if given.json:
        json.dump(report.as_json(about, tables, held), sys.stdout, indent=2)
        print()
    else:
        report.show_bars(told, held)
        told.print(f"[dim]{report.in_a_line(about)}[/dim]")
    if not given.quick and any(one.passed is False for one in held):
        sys.exit(1)


if __name__ == "__main__":
    main()
