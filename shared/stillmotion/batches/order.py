"""From an order as it was sent to what a batch's record holds."""

from __future__ import annotations

from typing import Any

from stillmotion.batches.record import Order
from stillmotion.requests import batch_order


def order_of(body: batch_order.BatchOrder) -> Order:
    """The fields of a checked order."""
    return Order(**body.model_dump())


def parse_order(data: Any) -> Order:
    """A checked order from decoded JSON.

    Raises:
        InvalidRequest: with every fault at once, each with its JSON pointer.
    """
    return order_of(batch_order.parse_order(data))
