"""PrepareBatch: the batch workflow's PrepareBatch state."""

from __future__ import annotations

import os
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.settings import PrepareBatchSettings, load
from stillmotion.stepfunctions import batch_tasks, video_tasks

wiring.prepare(wiring.preparing, PrepareBatchSettings)


@entry_point
@video_tasks.task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Check and price a manifest and write the list of items to run: ``{"input", "execution_arn"}``."""
    settings = load(PrepareBatchSettings, os.environ)
    store, batches = wiring.batch_store(settings.batch_table_name), wiring.batches(settings)
    return batch_tasks.prepare(event["input"], event["execution_arn"], store, batches, wiring.preparing(settings))
