"""What a clip is likely to cost, in USD, from a model's ``pricing_skus``.

Source of the names: the model list of ModelGates (``per-video-second``, ``per-video-second-1080p``, …). The rate of the
most particular name that fits is taken: resolution and audio, then audio, then resolution, then the general one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product

from stillmotion.modelgates.models import VideoModel
from stillmotion.requests.video_request import VideoRequest

_PER_SECOND = "per-video-second"
_PER_VIDEO = "per-video"


def estimate(
    model: VideoModel, *, duration: int | None, resolution: str | None = None, audio: bool | None = None
) -> Decimal | None:
    """The estimated price in USD, or ``None`` where the model does not say enough to tell.

    Args:
        duration: seconds; where not given, the model's shortest, which is what a request without one costs at least.
        resolution: for example ``1080p``.
        audio: whether sound is generated.
    """
    flat = _rate(model, _PER_VIDEO, resolution, audio)
    if flat is not None:
        return flat
    rate = _rate(model, _PER_SECOND, resolution, audio)
    seconds = duration or min(model.supported_durations or (0,))
    return rate * seconds if rate is not None and seconds else None


def estimate_request(model: VideoModel, request: VideoRequest) -> Decimal | None:
    """What a request can cost at most on its model, in USD: what it leaves open counts as the dearest that it can mean.

    Limits are held against this, so nobody gets past one by leaving something out.
    """
    resolution = _resolution(request)
    durations: Sequence[int | None] = [request.duration] if request.duration else model.supported_durations or [None]
    resolutions = [resolution] if resolution else [None, *(model.supported_resolutions or ())]
    sounds = [request.generate_audio] if request.generate_audio is not None else [False, True]
    prices = (
        estimate(model, duration=duration, resolution=resolution, audio=audio)
        for duration, resolution, audio in product(durations, resolutions, sounds)
    )
    return max((price for price in prices if price is not None), default=None)


def _resolution(request: VideoRequest) -> str | None:
    """The resolution, also where the request gives a size: its shorter side names it."""
    if request.resolution is not None or request.size is None:
        return request.resolution
    return f"{min(int(side) for side in request.size.split('x'))}p"


def _rate(model: VideoModel, unit: str, resolution: str | None, audio: bool | None) -> Decimal | None:
    listed = {name.lower(): price for name, price in (model.pricing_skus or {}).items()}
    for name in _names(unit, resolution, audio):
        try:
            price = Decimal(listed[name])
        except (KeyError, InvalidOperation):
            continue
        if price.is_finite() and price >= 0:
            return price
    return None


def _names(unit: str, resolution: str | None, audio: bool | None) -> Iterator[str]:
    size = [f"-{resolution.lower()}"] if resolution else []
    sound = ["-with-audio", "-audio"] if audio else ["-without-audio"]
    for one in sound:
        for other in size:
            yield f"{unit}{other}{one}"
            yield f"{unit}{one}{other}"
    for one in (*sound, *size, ""):
        yield f"{unit}{one}"
