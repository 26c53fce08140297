"""Batches: thousands of videos from one manifest, behind ``POST /batches`` and ``GET /batches/{id}``."""

from __future__ import annotations

import os
from typing import Annotated, Any

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api.batch_views import BatchView, show_batch
from stillmotion.api.resolver import answer, current_caller, documented, is_operator, new_api
from stillmotion.batches.open import Ordered
from stillmotion.batches.order import order_of
from stillmotion.requests.batch_order import BatchOrder
from stillmotion.settings import BatchesSettings, load
from stillmotion.stepfunctions.batch_input import hand_over_batch
from stillmotion.stepfunctions.executions import execution_arn

app = new_api(BatchOrder)
wiring.prepare(wiring.batches, BatchesSettings)
BatchId = Annotated[str, Path(description="the batch's id", max_length=48)]


@app.post("/batches", responses=documented({200: BatchView, 202: BatchView}, 409, 415), tags=["batches"])
def create_batch(order: BatchOrder) -> Response[str]:
    """Start a batch: 202 with its id and the ARN of its execution.

    For a running batch the answer is its record. Naming the `batch_id` of one that has ended runs it again: finished
    items are skipped, running ones are resumed, and only failed ones are submitted again. Without `batch_id` the same
    version of the same manifest, ordered by the same caller, is the same batch, and the answer for one that has ended
    is its record (200). Only operators run batches without an owner again (those of drops, events and workflows).
    """
    settings = load(BatchesSettings, os.environ)
    who = current_caller(app)
    operator = is_operator(who, settings.operator_arns)
    asked = Ordered(order_of(order), owner=who, source="http", operator=operator)
    arn = settings.batch_state_machine_arn
    opened = wiring.batches(settings).open(asked, lambda name, run: execution_arn(arn, f"{name}-{run}"))
    if opened.owned_by_this_execution:
        wiring.step_functions().start(opened.batch.execution_arn, hand_over_batch(opened.batch))
    shown = show_batch(opened.batch, lambda _: {})
    return answer(200 if opened.batch.summary else 202, shown, {"Location": f"/batches/{opened.batch.id}"})


@app.get("/batches/<shown_id>", responses=documented({200: BatchView}, 404), tags=["batches"])
def show_progress(shown_id: BatchId) -> Response[str]:
    """A batch's progress and, when it has ended, its summary; `Retry-After` (seconds) while it may change."""
    settings = load(BatchesSettings, os.environ)
    store, executions = wiring.batch_store(settings.batch_table_name), wiring.step_functions()
    who = current_caller(app)
    operator = is_operator(who, settings.operator_arns)
    batch = store.get(shown_id, who, operator=operator)
    aborted = False
    if batch.summary is None and not executions.running(batch.execution_arn):
        # It may have ended properly between the two reads.
        batch = store.get(shown_id, who, operator=operator)
        aborted = batch.summary is None
    shown = show_batch(batch, executions.item_counts, wiring.results_link(settings), aborted=aborted)
    return answer(200, shown, {} if batch.summary or aborted else {"Retry-After": "5"})


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
