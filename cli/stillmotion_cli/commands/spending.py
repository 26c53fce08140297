"""The commands about money: usage, limits."""

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from stillmotion_cli.app import STACK, Call, command
from stillmotion_cli.client import Document
from stillmotion_cli.errors import ApiProblem, BadInput, Unreachable
from stillmotion_cli.spending import show_limit, show_limits, show_usage, sum_up
from stillmotion_cli.units import moment

EVERYONE = "*"


class By(StrEnum):
    """What usage is summed up by."""

    DAY = "day"
    MODEL = "model"
    TAG = "tag"
    CALLER = "caller"


class Action(StrEnum):
    """What is done about limits."""

    SHOW = "show"
    SET = "set"
    REMOVE = "remove"
    STOP_ALL = "stop-all"
    ALLOW_ALL = "allow-all"


_ARGUMENTS = {Action.SET: ("PRINCIPAL", "USD"), Action.REMOVE: ("PRINCIPAL",)}


@command("usage", STACK)
def usage(
    call: Call,
    by: Annotated[By, typer.Option(help="What to sum up by.", show_choices=True)] = By.DAY,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="The first day (UTC): 3d, 4w, or an ISO-8601 time.")
    ] = "29d",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The last day (UTC). Default: today.")] = None,
) -> None:
    """Show what was spent, in whole days, 92 at most.

    Callers see their own spending, operators all of it. What a job costs is in one of three columns: charged; reserved,
    while it is under way; or what it may have cost, where it ended without saying. A tag is the value of the metadata
    key that the stack's parameter UsageTagKey names.

    \b
    stillmotion usage --since 7d
    stillmotion usage --by model --since 2026-11-01 --until 2026-11-30 --json
    """
    query = {"from": _day("--since", since), "to": _day("--until", until or "0s"), "by": by.value}
    answer = _known("GET /usage", lambda: sum_up(call.client, query))
    if call.terminal.as_json:
        return call.terminal.document(answer)
    return show_usage(call.terminal, answer)


@command("limits", STACK)
def limits(
    call: Call,
    action: Annotated[Action, typer.Argument(help="What to do; all but show are for operators.")] = Action.SHOW,
    principal: Annotated[
        str | None, typer.Argument(metavar="PRINCIPAL", help="ARN of an IAM role or user; all for all jobs together.")
    ] = None,
    usd: Annotated[str | None, typer.Argument(metavar="USD", help="What it may spend a day, such as 5.00.")] = None,
) -> None:
    """Show or change what may be spent a day.

    What an operator sets takes the place of the stack's parameters, from the next paid call on; remove lets them hold
    again. stop-all lets nothing be spent any more, whoever asks and through whichever entry point; paid clips are still
    stored. allow-all ends that.

    \b
    stillmotion limits
    stillmotion limits set arn:aws:iam::123456789012:role/Editors 5.00
    stillmotion limits remove arn:aws:iam::123456789012:role/Editors
    stillmotion limits stop-all
    """
    given = [name for name, value in (("PRINCIPAL", principal), ("USD", usd)) if value is not None]
    wanted = list(_ARGUMENTS.get(action, ()))
    if given != wanted:
        raise BadInput(
            f"limits {action} takes {' and '.join(wanted) or 'nothing more'}. See: stillmotion limits --help"
        )
    if action is Action.SHOW:
        answer = _known("GET /limits", call.client.limits)
        return call.terminal.document(answer) if call.terminal.as_json else show_limits(call.terminal, answer)
    all_jobs = principal in (None, EVERYONE, "all")
    amount = "0" if action is Action.STOP_ALL else usd
    call.terminal.on_interrupt = "Stopped; the limit may be changed or not. Check: stillmotion limits"
    who = EVERYONE if all_jobs else str(principal)
    answer = _known("PUT /limits", lambda: call.client.change_limit(who, amount))
    return call.terminal.document(answer) if call.terminal.as_json else show_limit(call.terminal, answer)


def _day(option: str, text: str) -> str:
    """The day (UTC) that an option names."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return moment(option, text).date().isoformat()


def _known(route: str, ask: Callable[[], Document]) -> Document:
    """The answer of a route. Raises Unreachable for a stack that has no such route."""
    try:
        return ask()
    except ApiProblem as error:
        # API Gateway's own answer for a route that is not there.
        if error.status in (403, 404) and "Missing Authentication Token" in error.detail:
            raise Unreachable(
                f"This stack has no {route}: it is older than this command. Deploy it again; until then the cost of "
                "each job: stillmotion list --all"
            ) from error
        raise
