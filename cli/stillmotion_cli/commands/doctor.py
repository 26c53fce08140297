"""`stillmotion doctor`: what works, what does not, and what to do about it."""

import typer
from rich.text import Text

from stillmotion_cli.app import STACK, Call, command
from stillmotion_cli.checkup import FAILED, UNKNOWN, WARNING, Finding, check
from stillmotion_cli.shown import clean

_COLOURS = {"ok": "green", WARNING: "yellow", FAILED: "red", UNKNOWN: "cyan"}


@command("doctor", STACK)
def doctor(call: Call) -> None:
    """Check credentials, stack, API, models, key, limits and callback.

    Every check is one line, with what to do below it where something is wrong. Nothing is spent and no secret is read.
    The exit code is that of the first failed check; warnings do not count.

    \b
    stillmotion doctor
    stillmotion doctor --stack-name stillmotion --json | jq '.checks[] | select(.state != "ok")'
    """
    terminal, findings = call.terminal, []
    for finding in check(call):
        findings.append(finding)
        if not terminal.as_json:
            _show(call, finding)
    code = next((finding.exit_code for finding in findings if finding.state == FAILED), 0)
    if terminal.as_json:
        terminal.document({"ok": code == 0, "checks": [finding.document() for finding in findings]})
    if code:
        raise typer.Exit(code)


def _show(call: Call, finding: Finding) -> None:
    first, *more = clean(finding.text).split("\n")
    style = _COLOURS[finding.state]
    call.terminal.line(Text.assemble((f"{finding.state:<9}", style), (f"{finding.name:<13}", "dim"), first))
    for line in [*more, *(clean(finding.advice).split("\n") if finding.advice else [])]:
        call.terminal.line(Text(f"{'':<22}{line.strip()}"))
