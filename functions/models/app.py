"""Models: which model can do it and at what price, behind ``GET /models``."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from stillmotion.start import entry_point

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from stillmotion import wiring
from stillmotion.api.model_views import ModelList, show_models
from stillmotion.api.resolver import answer, documented, new_api
from stillmotion.errors import Fault, InvalidRequest
from stillmotion.generation.model_choice import Wish, choose, offers
from stillmotion.requests.video_request import AspectRatio, FrameType, Resolution, Size
from stillmotion.settings import ProviderSettings, load

app = new_api()
wiring.prepare(wiring.catalogue, ProviderSettings)


@app.get("/models", responses=documented({200: ModelList}, 503), tags=["models"])
def list_models(
    frame: Annotated[list[FrameType] | None, Query(description="frame images that the model must take")] = None,
    duration: Annotated[int | None, Query(ge=1, le=600, description="seconds")] = None,
    resolution: Annotated[Resolution | None, Query()] = None,
    aspect_ratio: Annotated[AspectRatio | None, Query()] = None,
    size: Annotated[Size | None, Query(description="WIDTHxHEIGHT, instead of resolution and aspect_ratio")] = None,
    audio: Annotated[bool | None, Query(description="whether sound is generated; open if left out")] = None,
    width: Annotated[int | None, Query(ge=1, le=100_000, description="of the frame image, in pixels")] = None,
    height: Annotated[int | None, Query(ge=1, le=100_000, description="of the frame image, in pixels")] = None,
    references: Annotated[int, Query(ge=0, le=20, description="how many reference images there are")] = 0,
    seed: Annotated[bool, Query(description="whether the model must honour a seed")] = False,
    model: Annotated[str | None, Query(max_length=200, description="only this model")] = None,
    sort: Annotated[Literal["price"] | None, Query(description="cheapest first")] = None,
) -> Response[str]:
    """The models that do not rule out what is asked, each with what such a clip costs, and the one that Stillmotion
    would choose."""
    shape = _shape(width, height)
    wish = Wish(tuple(frame or ()), duration, resolution, aspect_ratio, size, audio, references, seed, shape)
    models = wiring.catalogue(load(ProviderSettings, os.environ)).all()
    if model is not None:
        models = tuple(one for one in models if model in (one.id, one.canonical_slug))
    return answer(200, show_models(offers(models, wish, by_price=sort == "price"), choose(models, wish)))


def _shape(width: int | None, height: int | None) -> tuple[int, int] | None:
    """The frame image's shape. Raises InvalidRequest where only one of the two is given."""
    if width is not None and height is not None:
        return width, height
    for name, given, other in (("height", height, "width"), ("width", width, "height")):
        if given is not None:
            detail = f"is given without {other}"
            raise InvalidRequest(
                f"{name} {detail}: a picture's shape needs both. Send {other} too, or neither.",
                faults=[Fault(f"#/{name}", detail, given=given)],
            )
    return None


@entry_point
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
