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


def _benchmarks(quick: bool) -> dict[str, Callable[[], list[Table]]]:
    return {
        "transfer": lambda: transfer.run(transfer.QUICK if quick else transfer.FULL),
        "startup": lambda: startup.run(startup.QUICK if quick else startup.FULL),
        "before": lambda: before.run(before.QUICK if quick else before.FULL),
        "connections": lambda: connections.run(connections.QUICK if quick else connections.FULL),
        "workflow": lambda: workflow.run(workflow.QUICK if quick else workflow.FULL),
        "inspection": lambda: inspection.run(inspection.QUICK if quick else inspection.FULL),
        "callbacks": lambda: callbacks.run(callbacks.QUICK if quick else callbacks.FULL),
        "recovery": lambda: recovery.run(recovery.QUICK if quick else recovery.FULL),
        "ready": lambda: ready.run(ready.QUICK if quick else ready.FULL),
        "units": lambda: units.run(units.QUICK if quick else units.FULL),
        "front": lambda: front.run(front.QUICK if quick else front.FULL),
    }


def _console(*, stderr: bool) -> Console:
    file = sys.stderr if stderr else sys.stdout
    return Console(file=file, width=None if file.isatty() else 140)


def main() -> None:
    names = list(_benchmarks(quick=True))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="*", metavar="BENCHMARK", help=f"only these: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="small and once: shows that it works, not how fast")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args()
    if unknown := set(given.which) - set(names):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    told, started = _console(stderr=given.json), time.monotonic()
    tables: list[Table] = []
    about = report.machine()
    for name, run in _benchmarks(given.quick).items():
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
