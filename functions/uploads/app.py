"""Uploads: presigned uploads for local pictures, behind ``POST /uploads``."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api.resolver import answer, current_caller, documented, new_api
from stillmotion.api.views import UploadOrder, UploadView
from stillmotion.settings import UploadSettings, load

app = new_api(UploadOrder)
wiring.prepare(wiring.uploads, UploadSettings)


@app.post("/uploads", responses=documented({201: UploadView}, 415), tags=["uploads"])
def create_upload(order: UploadOrder) -> Response[str]:
    """A presigned POST for one picture or manifest (type and size limited), and the address to use afterwards."""
    settings = load(UploadSettings, os.environ)
    return answer(201, asdict(wiring.uploads(settings).offer(order.content_type, current_caller(app))))


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
