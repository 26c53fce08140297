"""Write the diagram of a job's states in docs/architecture.md from the table of transitions.

python -m scripts.lifecycle          writes it
python -m scripts.lifecycle --check  only says whether it is as the table is
"""

from __future__ import annotations

import sys

from scripts.generated import ROOT

PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- states: make lifecycle writes what follows -->\n", "<!-- end of states -->\n"


def diagram() -> str:
    """The states as a Mermaid diagram and the transitions as a table."""
    sys.path.insert(0, str(ROOT / "shared"))
    from stillmotion.jobs.lifecycle import OPEN, TRANSITIONS, UNDO_RESUME, Status, Transition

    def sources(step: Transition) -> str:
        return ", ".join(sorted(step.sources))

    # Not drawn: what keeps the state, and what takes a resumption back.
    drawn = [step for step in TRANSITIONS if step.target is not None and step not in UNDO_RESUME.values()]
    arrows = [
        f"    {source} --> {step.target}: {step.when}"
        for step in drawn
        for source in (["open"] if step.sources == OPEN else sorted(step.sources - {step.target}))
    ]
    inner = [f"        {status}" for status in Status if status in OPEN]
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> open", "    state open {", *inner, "    }", *arrows]
    rows = [f"| {sources(step)} | {step.target or 'as it was'} | `{step.by}` | {step.when} |" for step in TRANSITIONS]
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
