"""What may be spent, and what was: the API's exact amounts, added up over pages and shown."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from stillmotion_cli.client import ApiClient, Document
from stillmotion_cli.render import table
from stillmotion_cli.terminal import Terminal

AMOUNTS = ("charged_usd", "reserved_usd", "may_have_cost_usd")
_HEADINGS = ("charged", "reserved", "may have cost")


def sum_up(client: ApiClient, query: Mapping[str, str | None]) -> Document:
    """All pages of GET /usage as one: rows of the same key added up, and their total."""
    pages = [client.usage(**query)]
    while token := pages[-1].get("next_token"):
        pages.append(client.usage(**query, next_token=token))
    rows: dict[str | None, Document] = {}
    for row in (row for page in pages for row in page["data"]):
        earlier = rows.get(row["key"])
        rows[row["key"]] = row if earlier is None else _added(earlier, row)
    total = pages[0]["total"]
    for page in pages[1:]:
        total = _added(total, page["total"])
    ordered = sorted(rows.values(), key=lambda row: (row["key"] is None, row["key"] or ""))
    return pages[0] | {"data": ordered, "total": total, "next_token": None}


def show_usage(terminal: Terminal, answer: Document) -> None:
    """One line for each sum, and their total."""
    if not answer["data"]:
        return terminal.say("Nothing was spent in this time.")
    rows = [[row["key"] or "-", *_cells(row)] for row in answer["data"]]
    return table(terminal, [answer["by"], "jobs", *_HEADINGS], [*rows, ["total", *_cells(answer["total"])]])


def show_limits(terminal: Terminal, answer: Document) -> None:
    """What may be spent and is, by whom; for operators also the whole stack, and what they have set."""
    limits = [answer["caller"], *([answer["stack"]] if answer["stack"] else [])]
    table(terminal, ["who", "a day", "spent", "left", "set by"], [_limit(one) for one in limits])
    if answer["per_job_usd"]:
        terminal.line(f"One job: at most ${answer['per_job_usd']}.")
    for entry in answer["entries"] or []:
        who = "all jobs together" if entry["principal"] == "*" else entry["principal"]
        terminal.line(f"{who}: ${entry['daily_usd']} a day, set by {entry['changed_by']} at {entry['changed_at']}")
    if answer["stopped"]:
        terminal.say("All spending is stopped. An operator allows it again: stillmotion limits allow-all", "yellow")
    terminal.say(f"Counted for {answer['day']}; it starts anew at {answer['resets_at']}.", "dim")


def show_limit(terminal: Terminal, limit: Document) -> None:
    """What holds for one principal now."""
    who, amount = _who(limit), limit["daily_usd"]
    if amount is None:
        return terminal.line(f"{who}: no limit a day; ${limit['spent_usd']} spent today.")
    spent = f"${limit['spent_usd']} spent today, ${limit['left_usd']} left"
    return terminal.line(f"{who}: ${amount} a day, set by the {_set_by(limit)}; {spent}.")


def _limit(limit: Document) -> list[str]:
    cells = [f"${limit[name]}" if limit[name] is not None else "-" for name in ("daily_usd", "spent_usd", "left_usd")]
    return [_who(limit), *cells, _set_by(limit)]


def _who(limit: Document) -> str:
    return "all jobs together" if limit["principal"] == "*" else limit["principal"] or "-"


def _set_by(limit: Document) -> str:
    return {"operator": "operator", "parameter": "stack's parameter"}.get(limit["set_by"] or "", "-")


def _cells(row: Document) -> list[str]:
    return [str(row["jobs"]), *(f"${row[name]}" for name in AMOUNTS)]


def _added(one: Document, other: Document) -> Document:
    """Two sums as one, exact."""
    amounts: dict[str, Any] = {name: _text(Decimal(one[name]) + Decimal(other[name])) for name in AMOUNTS}
    return one | amounts | {"jobs": one["jobs"] + other["jobs"]}


def _text(amount: Decimal) -> str:
    """An amount as the API writes it: at least two decimals."""
    whole, _, cents = format(amount.normalize(), "f").partition(".")
    return f"{whole}.{cents.ljust(2, '0')}"
