"""Once a day: a clip for every product of a catalogue that has none yet, as one batch with a budget.

The catalogue is a CSV in a bucket of yours with the columns ``sku``, ``prompt`` and ``picture`` (an ``s3://`` or
``https://`` address). The function writes a manifest below ``shared/catalogue/`` in Stillmotion's input bucket and puts
``Video Batch Requested`` on its bus. The batch keeps one id, so each day's run skips what is done and pays only for new
products.
"""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any

import boto3


class CatalogueError(Exception):
    """The catalogue cannot be used, or the order was not taken."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Order today's batch; how many products it has.

    Raises:
        CatalogueError: a column is missing, a SKU comes twice, or the bus did not take the order.
    """
    products = read_catalogue(os.environ["CATALOGUE_BUCKET"], os.environ["CATALOGUE_KEY"])
    if not products:
        return {"products": 0}
    bucket, key = os.environ["INPUT_BUCKET"], f"shared/catalogue/{event['time'][:10]}.jsonl"
    lines = "".join(json.dumps(row(product), ensure_ascii=False) + "\n" for product in products)
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=lines.encode(), ContentType="application/jsonl")
    order = {
        "manifest": f"s3://{bucket}/{key}",
        "batch_id": os.environ["BATCH_ID"],
        "budget_usd": float(os.environ["BUDGET_USD"]),
        "defaults": {"model": os.environ["MODEL"], "duration": 4},
    }
    put_order(order)
    return {"products": len(products)}


def read_catalogue(bucket: str, key: str) -> list[dict[str, str]]:
    """The catalogue's rows."""
    text = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode("utf-8-sig")
    table = csv.DictReader(io.StringIO(text))
    missing = {"sku", "prompt", "picture"} - set(table.fieldnames or ())
    if missing:
        raise CatalogueError(f"s3://{bucket}/{key} has no column {', '.join(sorted(missing))}")
    rows = list(table)
    skus = [product["sku"] for product in rows]
    twice = sorted({sku for sku in skus if skus.count(sku) > 1})
    if twice:
        raise CatalogueError(f"s3://{bucket}/{key} names a SKU twice: {', '.join(twice[:5])}")
    return rows


def row(product: dict[str, str]) -> dict[str, Any]:
    """A product as a row of the manifest; its SKU names it over all runs."""
    return {
        "item_id": product["sku"],
        "prompt": product["prompt"],
        "first_frame": product["picture"],
        "metadata": {"sku": product["sku"]},
    }


def put_order(order: dict[str, Any]) -> None:
    """Put the order on Stillmotion's bus."""
    entry: Any = {
        "EventBusName": os.environ["EVENT_BUS_NAME"],
        "Source": "shop.catalogue",
        "DetailType": "Video Batch Requested",
        "Detail": json.dumps(order),
    }
    answer = boto3.client("events").put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise CatalogueError(f"the bus did not take the order: {answer['Entries'][0]}")
