"""Changes of several items, all or none."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One change of a transaction, and the error where its condition fails. ``kind`` is ``Update``, ``Put``, ``Delete``
    or ``ConditionCheck``."""

    change: dict[str, Any]
    refused: Callable[[], Exception] | None = None
    kind: str = "Update"


def transact(client: Any, parts: Sequence[Part]) -> None:
    """Make all changes or none; one that meets another transaction at an item is tried again.

    Raises:
        Exception: what the first part says whose condition failed.
        ClientError: DynamoDB did not take it.
    """
    items = [{part.kind: part.change} for part in parts]
    token = str(uuid4())  # a retry of a lost answer is the same transaction
    for attempt in range(ATTEMPTS):
        try:
            client.transact_write_items(TransactItems=items, ClientRequestToken=token)
            return
        except ClientError as error:
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            for part, code in zip(parts, codes, strict=False):
                if code == "ConditionalCheckFailed" and part.refused is not None:
                    raise part.refused() from None
            if "TransactionConflict" not in codes or attempt == ATTEMPTS - 1:
                raise
        time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - spreads load, hides nothing
