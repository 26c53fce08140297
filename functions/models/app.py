"""Models: which model can do it and at what price, behind ``GET /models``."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api.model_choice import Wish, choose
from stillmotion.api.resolver import answer, documented, new_api
from stillmotion.api.views import ModelList
from stillmotion.requests.video_request import AspectRatio, FrameType, Resolution
from stillmotion.settings import ProviderSettings, load
from stillmotion.telemetry import entry_point

app = new_api()
wiring.prepare(wiring.catalogue, ProviderSettings)


@app.get("/models", responses=documented({200: ModelList}, 503), tags=["models"])
def list_models(
    frame: Annotated[list[FrameType] | None, Query(description="frame images that the model must take")] = None,
    duration: Annotated[int | None, Query(ge=1, le=600, description="seconds")] = None,
    resolution: Annotated[Resolution | None, Query()] = None,
    aspect_ratio: Annotated[AspectRatio | None, Query()] = None,
    audio: Annotated[bool | None, Query(description="whether sound is generated")] = None,
    sort: Annotated[Literal["price"] | None, Query(description="cheapest first")] = None,
) -> Response[str]:
    """The models that can do what is asked, each with the estimated price of such a clip in USD."""
    wish = Wish(tuple(frame or ()), duration, resolution, aspect_ratio, audio)
    catalogue = wiring.catalogue(load(ProviderSettings, os.environ))
    return answer(200, {"data": choose(catalogue.all(), wish, by_price=sort == "price")})


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
