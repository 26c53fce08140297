"""Write the diagram of a job's states in docs/architecture.md from the table of transitions.

python -m scripts.lifecycle          writes it
python -m scripts.lifecycle --check  only says whether it is as the table is
"""

from __future__ import annotations

import sys
from collections import defaultdict

from scripts.generated import ROOT

PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- states: make lifecycle writes what follows -->\n", "<!-- end of states -->\n"


def diagram() -> str:
    """The states as a Mermaid diagram and the transitions as a table."""
    sys.path.insert(0, str(ROOT / "shared"))
    from stillmotion.jobs.lifecycle import OPEN, TERMINAL, TRANSITIONS, Status

    into: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for step in TRANSITIONS:
        into[step.target, step.by, step.when].append(step.source)
    drawn = [step for step in TRANSITIONS if step.by != "record_failure"]
    arrows = [f"    {step.source} --> {step.target}: {step.when}" for step in drawn]
    ended = [f"    open --> {status}: ended" for status in sorted(TERMINAL - {Status.COMPLETED})]
    inner = [f"        {status}" for status in Status if status in OPEN]
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> open", "    state open {", *inner, "    }", *arrows, *ended]
    rows = [f"| {', '.join(found)} | {to} | `{by}` | {when} |" for (to, by, when), found in into.items()]
    return "\n".join([*lines, "```", "", "| from | to | made by | when |", "|---|---|---|---|", *rows]) + "\n"


def main() -> int:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    new = diagram()
    if "--check" not in sys.argv:
        PAGE.write_text(before + BEGIN + new + END + after)
        return 0
    if old == new:
        return 0
    print(
        f"{PAGE.relative_to(ROOT)} is not as the table of transitions. Write it anew: make lifecycle", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
