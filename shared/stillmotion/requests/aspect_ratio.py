"""The clip's shape follows the picture: which ratio is asked for, and how much of a picture another ratio loses.

This is the one place that chooses, for every entry point. What the caller names is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stillmotion.errors import shown_pointer
from stillmotion.requests.media import Picture
from stillmotion.requests.video_request import VideoRequest

TOLERANCE = 0.02
"""Shapes that differ by no more than 2 % look the same: 1366x768 is 16:9."""

PASSED_ON = frozenset({"size", "ratio", "aspect_ratio", "aspectRatio"})
"""Pass-through parameters by which a caller names the clip's shape."""

_RATIO = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})", re.ASCII)
"""Models list other words too, which name no shape."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A request with a shape, where one could be chosen: ``chosen`` holds what the caller did not name."""

    request: VideoRequest
    chosen: Mapping[str, str]
    warnings: list[str]


def shape_request(request: VideoRequest, offered: Sequence[str] | None, pictures: Sequence[Picture]) -> Shaped:
    """Ask for the ratio nearest to the first frame's shape, or the last one's where there is no first.

    Args:
        offered: the model's ratios as it lists them; without any, nothing is chosen.
        pictures: those of the request, as they were read.
    """
    frames = list(_frames(request, pictures))
    if not frames or _is_passed_on(request):
        return Shaped(request, {}, [])
    asked = request.size or request.aspect_ratio
    if asked is not None:
        warnings = _losses(frames, asked, "Crop it yourself, or ask for another shape.")
        return Shaped(request, {}, list(warnings))
    leading = next((frame for kind, frame in frames if kind == "first_frame"), frames[0][1])
    if not any(_RATIO.fullmatch(ratio) for ratio in offered or ()):
        return Shaped(request, {}, [])
    if leading.header is None:
        unread = (
            f"The size of {shown_pointer(leading.pointer)} could not be read, so the model decides about the clip's "
            "shape. Name an aspect_ratio to be sure."
        )
        return Shaped(request, {}, [unread])
    ratio = nearest_ratio(leading.header.size, offered)
    assert ratio is not None  # one of the offered ones
    advice = f"Of what {request.model} offers, this is the nearest shape. Crop the picture yourself to choose the part."
    chosen = request.model_copy(update={"aspect_ratio": ratio})
    return Shaped(chosen, {"aspect_ratio": ratio}, list(_losses(frames, ratio, advice)))


def nearest_ratio(size: tuple[int, int], offered: Sequence[str] | None) -> str | None:
    """The offered ratio that loses least of a picture, ``None`` where none is offered."""
    ratios = [ratio for ratio in offered or () if _RATIO.fullmatch(ratio)]
    # Of equally near ones the model's first.
    return min(ratios, key=lambda each: share_lost(size, each), default=None)


def share_lost(size: tuple[int, int], asked: str) -> float:
    """The part of a picture, 0 to 1, that is cut off where it fills a ``WIDTH:HEIGHT`` or ``WIDTHxHEIGHT``."""
    wide, high = (int(side) for side in asked.replace("x", ":").split(":"))
    likeness = size[0] * high / (size[1] * wide)
    return 1 - min(likeness, 1 / likeness)


def _frames(request: VideoRequest, pictures: Sequence[Picture]) -> Iterator[tuple[str, Picture]]:
    """The frame images with their frame types."""
    known = {picture.pointer: picture for picture in pictures}
    for at, frame in enumerate(request.frame_images or ()):
        picture = known.get(f"#/frame_images/{at}/image_url/url")
        if picture is not None:
            yield frame.frame_type, picture


def _is_passed_on(request: VideoRequest) -> bool:
    options = request.provider.options.values() if request.provider else ()
    return any(PASSED_ON & each.parameters.keys() for each in options)


def _losses(frames: Sequence[tuple[str, Picture]], asked: str, advice: str) -> Iterator[str]:
    for _, picture in frames:
        if picture.header is None:
            continue
        lost = share_lost(picture.header.size, asked)
        if lost > TOLERANCE:
            width, height = picture.header.size
            yield (
                f"{shown_pointer(picture.pointer)} is {width}x{height} and the clip {asked}: {lost:.0%} of the picture "
                f"is cropped away, or it is squashed. {advice}"
            )
