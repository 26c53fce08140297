"""Reading the pictures, sounds and videos of a submit body."""

from dataclasses import dataclass
from typing import Any

from local.simulator.addresses import is_image_address
from local.simulator.catalogue import Model
from local.simulator.errors import bad_parameter
from local.simulator.fields import Body, items

FRAME_TYPES = ("first_frame", "last_frame")
REFERENCE_TYPES = ("image_url", "audio_url", "video_url")


@dataclass(frozen=True, slots=True)
class References:
    """The addresses of reference pictures, the number of references of any kind, and the number of videos."""

    images: tuple[str, ...]
    total: int
    videos: int


def read_frames(body: Body, model: Model) -> dict[str, str]:
    """Return the address of each frame image by frame type; raises ApiError 400 naming the field."""
    frames: dict[str, str] = {}
    for where, item in items(body, "frame_images"):
        if item.get("type") != "image_url":
            raise bad_parameter(f"{where}.type", "must be image_url", supported=["image_url"])
        frame_type = item.get("frame_type")
        if frame_type not in FRAME_TYPES:
            raise bad_parameter(f"{where}.frame_type", "must be first_frame or last_frame", supported=[*FRAME_TYPES])
        supported = model.frame_types
        if supported is not None and frame_type not in supported:
            raise bad_parameter(
                f"{where}.frame_type", f"{frame_type} is not supported by this model", supported=[*supported]
            )
        if frame_type in frames:
            raise bad_parameter(f"{where}.frame_type", f"there is more than one {frame_type}")
        frames[frame_type] = _image(where, item)
    return frames


def read_references(body: Body) -> References:
    """Return the input references; raises ApiError 400 naming the field."""
    images: list[str] = []
    kinds: list[str] = []
    for where, item in items(body, "input_references"):
        kind = item.get("type")
        if kind not in REFERENCE_TYPES:
            raise bad_parameter(f"{where}.type", f"must be one of {', '.join(REFERENCE_TYPES)}")
        kinds.append(kind)
        if kind == "image_url":
            images.append(_image(where, item))
        else:
            _url(where, item, kind)
    return References(tuple(images), len(kinds), kinds.count("video_url"))


def _image(where: str, item: dict[str, Any]) -> str:
    url = _url(where, item, "image_url")
    if not is_image_address(url):
        raise bad_parameter(f"{where}.image_url.url", "must be an https:// address or a data:image/…;base64, URL")
    return url


def _url(where: str, item: dict[str, Any], kind: str) -> str:
    holder = item.get(kind)
    if not isinstance(holder, dict) or not isinstance(holder.get("url"), str):
        raise bad_parameter(f"{where}.{kind}.url", "must be a string")
    url: str = holder["url"]
    return url
