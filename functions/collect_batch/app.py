"""CollectBatch: the batch workflow's CollectBatch state."""

from __future__ import annotations

import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.settings import CollectBatchSettings, load
from stillmotion.stepfunctions import batch_tasks, video_tasks

wiring.prepare(wiring.collecting, CollectBatchSettings)


@entry_point
@video_tasks.task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """End a batch: ``{"state": the workflow's state, "execution_arn": …}``; answers status, summary, error, cause."""
    settings = load(CollectBatchSettings, os.environ)
    store, collecting = wiring.batch_store(settings.batch_table_name), wiring.collecting(settings)
    return batch_tasks.collect(event["state"], event["execution_arn"], store, collecting)
