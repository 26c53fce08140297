"""What operators allow to be spent a day, beside and before the stack's parameters; items of the table of days.

    limit#{principal}   what one principal may spend (``*``: all jobs together), in micro-USD; a claim's transaction
                        checks it
    limits              all entries, an attribute each, to be shown; written in one transaction with the entry

So no claim reads, and nothing scans. Entries do not expire.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stillmotion.aws.errors import storage_errors
from stillmotion.errors import InvalidRequest
from stillmotion.jobs.record import now
from stillmotion.jobs.spend import CeilingReached, Entries, EntriesChanged, Spend
from stillmotion.jobs.transactions import Part, transact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

EVERYONE = "*"
MAX_ENTRIES = 500
_ALL = "limits"
_COUNTER_DAYS = 366


@dataclass(frozen=True, slots=True)
class Budget:
    """What one principal may spend a day, in micro-USD; who said so, and when (ISO-8601)."""

    principal: str
    micro_usd: int
    changed_at: str
    changed_by: str


class DynamoBudgets:
    """Entries and counters in the table of days. Every call may raise ``StorageFailed``."""

    def __init__(self, days: Table) -> None:
        self._days = days

    def entries(self, caller: str | None) -> Entries:
        """What operators allow at this moment."""
        return Entries(self._entry(EVERYONE), None if caller is None else self._entry(caller))

    def spent(self, day: str, caller: str | None = None) -> int:
        """What is counted for a day (``YYYY-MM-DD``), of all jobs or of a caller's, in micro-USD."""
        return self._amount(_counter(day, caller)) or 0

    def all(self) -> list[Budget]:
        """Every entry, by principal."""
        item = self._item(_ALL)
        return [
            Budget(name, int(entry["micro_usd"]), str(entry["changed_at"]), str(entry["changed_by"]))
            for name, entry in sorted(item.items())
            if name != "day"
        ]

    def set(self, principal: str, micro_usd: int, by: str) -> Budget:
        """Allow a principal so much, from now on.

        Raises:
            InvalidRequest: there are as many entries as can be held.
        """
        known = self._item(_ALL)
        if principal not in known and len(known) > MAX_ENTRIES:
            raise InvalidRequest(
                f"There are limits for {MAX_ENTRIES} principals, which is as many as can be held. Remove one, or set "
                "CallerDailySpendLimitUsd for all callers; nothing was changed."
            )
        budget = Budget(principal, micro_usd, now(), by)
        entry = {"micro_usd": micro_usd, "changed_at": budget.changed_at, "changed_by": by}
        self._write(
            Part({"TableName": self._days.name, "Item": {"day": _key(principal)} | entry}, kind="Put"),
            Part(
                self._listing("SET #principal = :entry", principal) | {"ExpressionAttributeValues": {":entry": entry}}
            ),
        )
        return budget

    def remove(self, principal: str) -> None:
        """Let the stack's parameters hold for a principal again."""
        self._write(
            Part({"TableName": self._days.name, "Key": {"day": _key(principal)}}, kind="Delete"),
            Part(self._listing("REMOVE #principal", principal)),
        )

    def _listing(self, expression: str, principal: str) -> dict[str, Any]:
        return {
            "TableName": self._days.name,
            "Key": {"day": _ALL},
            "UpdateExpression": expression,
            "ExpressionAttributeNames": {"#principal": principal},
        }

    def _write(self, *parts: Part) -> None:
        with _storage("change"):
            transact(self._days.meta.client, parts)

    def _entry(self, principal: str) -> int | None:
        return self._amount(_key(principal))

    def _amount(self, key: str) -> int | None:
        amount: Any = self._item(key).get("micro_usd")
        return None if amount is None else int(amount)

    def _item(self, key: str) -> dict[str, Any]:
        with _storage("read"):
            return dict(self._days.get_item(Key={"day": key}, ConsistentRead=True).get("Item", {}))


def spending(days: Table, spend: Spend) -> Iterator[Part]:
    """The parts of a transaction that count a spend, and hold it against what it relies on."""
    guard, budgets = spend.guard, DynamoBudgets(days)
    if guard is not None:
        # Before the counters: their ceilings follow from these entries.
        yield _relying(days, EVERYONE, guard.entries.everyone)
        if spend.caller is not None:
            yield _relying(days, spend.caller, guard.entries.caller)
    if not spend.micro_usd:
        return
    ceiling = None if guard is None else guard.everyone
    yield Part(_counting(days, spend, _counter(spend.day), ceiling), lambda: CeilingReached(budgets.spent(spend.day)))
    if spend.caller is not None:
        ceiling = None if guard is None else guard.caller
        yield Part(
            _counting(days, spend, _counter(spend.day, spend.caller), ceiling),
            lambda: CeilingReached(budgets.spent(spend.day, spend.caller), by_caller=True),
        )


def _relying(days: Table, principal: str, micro_usd: int | None) -> Part:
    check: dict[str, Any] = {"TableName": days.name, "Key": {"day": _key(principal)}}
    if micro_usd is None:
        check["ConditionExpression"] = "attribute_not_exists(micro_usd)"
    else:
        check |= {"ConditionExpression": "micro_usd = :known", "ExpressionAttributeValues": {":known": micro_usd}}
    return Part(check, EntriesChanged, "ConditionCheck")


def _counting(days: Table, spend: Spend, key: str, ceiling: int | None) -> dict[str, Any]:
    """The change of a day's counter, which expires after a year."""
    gone = int(datetime.fromisoformat(spend.day).timestamp()) + _COUNTER_DAYS * 86400
    change: dict[str, Any] = {
        "TableName": days.name,
        "Key": {"day": key},
        "UpdateExpression": "ADD micro_usd :amount SET expires_at = :gone",
        "ExpressionAttributeValues": {":amount": spend.micro_usd, ":gone": gone},
    }
    if ceiling is not None:
        # A day without an item counts nothing, and a ceiling below nothing was refused before.
        change["ConditionExpression"] = "attribute_not_exists(micro_usd) OR micro_usd <= :ceiling"
        change["ExpressionAttributeValues"][":ceiling"] = ceiling
    return change


def _counter(day: str, caller: str | None = None) -> str:
    return day if caller is None else f"{day}#{caller}"


def _key(principal: str) -> str:
    return f"limit#{principal}"


def _storage(action: str) -> AbstractContextManager[None]:
    return storage_errors(f"DynamoDB did not {action} what may be spent", "Try again; check the table and the role.")
