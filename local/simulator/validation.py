"""Checking the body of a submit against the API and the model: what comes out can be made."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.simulator.addresses import is_callback_allowed, is_image_address
from local.simulator.catalogue import ASPECT_RATIOS, BY_ID, FRAME_TYPES, LINES, RESOLUTIONS, Model, frame_size
from local.simulator.errors import ApiError, bad_parameter

type Body = Mapping[str, Any]

FIELDS = {
    "model",
    "prompt",
    "duration",
    "resolution",
    "aspect_ratio",
    "size",
    "generate_audio",
    "seed",
    "frame_images",
    "input_references",
    "provider",
    "callback_url",
    "previous_job_id",
    "session_id",
    "user",
    "trace",
    "upscale_factor",
    "creativity",
}
REFERENCE_TYPES = ("image_url", "audio_url", "video_url")
DEFAULT_SECONDS = 4
LONGEST_SECONDS = 60
LARGEST_SIDE = 4096
SESSION_ID_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked request: what to render, what it costs and whom to tell."""

    model: str
    prompt: str
    seconds: int
    width: int
    height: int
    audio: bool
    seed: int
    cost: Decimal
    first: str | None = None
    last: str | None = None
    references: tuple[str, ...] = ()
    callback_url: str | None = None
    previous_job_id: str | None = None


def check_request(body: object, *, strict: bool) -> Plan:
    """Check a submit body and return the plan of the clip.

    Raises ApiError: 404 for a model that does not exist, 400 naming the parameter for everything else.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object")
    model = _model(body)
    if strict and (unknown := sorted(set(body) - FIELDS)):
        raise bad_parameter(unknown[0], "there is no such parameter")
    seconds = _duration(body, model)
    resolution, width, height = _frame(body, model)
    frames = _frame_images(body, model)
    _check_extras(body, model)
    return Plan(
        model=model.id,
        prompt=_prompt(body, model),
        seconds=seconds,
        width=width,
        height=height,
        audio=_audio(body, model),
        seed=_seed(body, model),
        cost=model.cost(seconds, resolution),
        first=frames.get("first_frame"),
        last=frames.get("last_frame"),
        references=_references(body),
        callback_url=_callback_url(body),
        previous_job_id=_text(body, "previous_job_id"),
    )


def _model(body: Body) -> Model:
    slug = _text(body, "model")
    if slug is None:
        raise bad_parameter("model", "is required")
    if slug not in BY_ID:
        raise ApiError(404, f"No such model: {slug}", {"parameter": "model"})
    return BY_ID[slug]


def _text(body: Body, name: str) -> str | None:
    if name not in body:
        return None
    value = body[name]
    if not isinstance(value, str) or not value:
        raise bad_parameter(name, "must be a string that is not empty")
    return value


def _whole(body: Body, name: str) -> int | None:
    if name not in body:
        return None
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_parameter(name, "must be an integer")
    return value


def _choice(body: Body, name: str, known: Collection[str], supported: Collection[str] | None) -> str | None:
    value = _text(body, name)
    if value is None:
        return None
    if known and value not in known:
        raise bad_parameter(name, f"must be one of {', '.join(known)}", supported=list(known))
    if supported is not None and value not in supported:
        raise bad_parameter(name, f"{value} is not supported by this model", supported=list(supported))
    return value


def _prompt(body: Body, model: Model) -> str:
    prompt = _text(body, "prompt")
    if prompt is None and not (model.prompt_optional and body.get("frame_images")):
        raise bad_parameter("prompt", "is required")
    return prompt or ""


def _duration(body: Body, model: Model) -> int:
    supported = model.supported_durations
    seconds = _whole(body, "duration")
    if seconds is None:
        return supported[0] if supported else DEFAULT_SECONDS
    if supported is not None and seconds not in supported:
        raise bad_parameter("duration", f"{seconds} is not supported by this model", supported=list(supported))
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise bad_parameter("duration", f"must be between 1 and {LONGEST_SECONDS} seconds")
    return seconds


def _frame(body: Body, model: Model) -> tuple[str, int, int]:
    """Return the resolution that sets the price, width and height."""
    size = _choice(body, "size", (), model.supported_sizes)
    resolution = _choice(body, "resolution", RESOLUTIONS, model.supported_resolutions)
    ratio = _choice(body, "aspect_ratio", ASPECT_RATIOS, model.supported_aspect_ratios)
    if size is not None:
        if resolution or ratio:
            raise bad_parameter("size", "cannot be given together with resolution or aspect_ratio")
        width, height = _size(size)
        return _nearest_resolution(width, height), width, height
    resolution = resolution or _default("720p", model.supported_resolutions)
    ratio = ratio or _default("16:9", model.supported_aspect_ratios)
    return resolution, *frame_size(resolution, ratio)


def _default(usual: str, supported: tuple[str, ...] | None) -> str:
    return usual if not supported or usual in supported else supported[0]


def _size(size: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", size)
    if match is None:
        raise bad_parameter("size", "must look like 1280x720")
    width, height = int(match[1]), int(match[2])
    if max(width, height) > LARGEST_SIDE:
        raise bad_parameter("size", f"no side may be longer than {LARGEST_SIDE} pixels")
    # The video format needs even dimensions.
    return width & ~1, height & ~1


def _nearest_resolution(width: int, height: int) -> str:
    short = min(width, height)
    return min(LINES, key=lambda name: abs(LINES[name] - short))


def _audio(body: Body, model: Model) -> bool:
    wanted = body.get("generate_audio", False)
    if not isinstance(wanted, bool):
        raise bad_parameter("generate_audio", "must be true or false")
    if wanted and model.generate_audio is False:
        raise bad_parameter("generate_audio", "this model makes no sound")
    return wanted and bool(model.generate_audio)


def _seed(body: Body, model: Model) -> int:
    seed = _whole(body, "seed")
    return seed if seed is not None and model.seed else 0


def _items(body: Body, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the objects of a list parameter, each with the name by which an error would call it."""
    value = body.get(name, [])
    if not isinstance(value, list):
        raise bad_parameter(name, "must be a list")
    for position, item in enumerate(value):
        if not isinstance(item, dict):
            raise bad_parameter(f"{name}[{position}]", "must be an object")
    return [(f"{name}[{position}]", item) for position, item in enumerate(value)]


def _address(where: str, item: dict[str, Any], kind: str) -> str:
    holder = item.get(kind)
    if not isinstance(holder, dict) or not isinstance(holder.get("url"), str):
        raise bad_parameter(f"{where}.{kind}.url", "must be a string")
    url: str = holder["url"]
    if not is_image_address(url):
        raise bad_parameter(f"{where}.{kind}.url", "must be an https:// address or a data:image/…;base64, URL")
    return url


def _frame_images(body: Body, model: Model) -> dict[str, str]:
    frames: dict[str, str] = {}
    for where, item in _items(body, "frame_images"):
        if item.get("type") != "image_url":
            raise bad_parameter(f"{where}.type", "must be image_url", supported=["image_url"])
        frame_type = item.get("frame_type")
        if frame_type not in FRAME_TYPES:
            raise bad_parameter(f"{where}.frame_type", "must be first_frame or last_frame", supported=[*FRAME_TYPES])
        supported = model.supported_frame_images
        if supported is not None and frame_type not in supported:
            raise bad_parameter(
                f"{where}.frame_type", f"{frame_type} is not supported by this model", supported=[*supported]
            )
        if frame_type in frames:
            raise bad_parameter(f"{where}.frame_type", f"there is more than one {frame_type}")
        frames[frame_type] = _address(where, item, "image_url")
    return frames


def _references(body: Body) -> tuple[str, ...]:
    images: list[str] = []
    for where, item in _items(body, "input_references"):
        kind = item.get("type")
        if kind not in REFERENCE_TYPES:
            raise bad_parameter(f"{where}.type", f"must be one of {', '.join(REFERENCE_TYPES)}")
        if kind == "image_url":
            images.append(_address(where, item, kind))
        elif not isinstance(item.get(kind), dict) or not isinstance(item[kind].get("url"), str):
            raise bad_parameter(f"{where}.{kind}.url", "must be a string")
    return tuple(images)


def _callback_url(body: Body) -> str | None:
    url = _text(body, "callback_url")
    if url is not None and not is_callback_allowed(url):
        raise bad_parameter("callback_url", "must be an https:// address")
    return url


def _check_extras(body: Body, model: Model) -> None:
    session_id = _text(body, "session_id")
    if session_id is not None and len(session_id) > SESSION_ID_LENGTH:
        raise bad_parameter("session_id", f"must not be longer than {SESSION_ID_LENGTH} characters")
    _text(body, "user")
    if not isinstance(body.get("trace", {}), dict):
        raise bad_parameter("trace", "must be an object")
    _check_upscaling(body, model)
    _check_provider(body, model)


def _check_upscaling(body: Body, model: Model) -> None:
    if "upscale_factor" in body:
        factor, limits = body["upscale_factor"], model.upscale_factor
        if limits is None:
            raise bad_parameter("upscale_factor", "this model does not upscale")
        if not isinstance(factor, (int, float)) or isinstance(factor, bool):
            raise bad_parameter("upscale_factor", "must be a number")
        if not limits["min"] <= factor <= limits["max"]:
            raise bad_parameter("upscale_factor", f"must be between {limits['min']} and {limits['max']}")
    creativity = _whole(body, "creativity")
    if creativity is not None and creativity not in (model.creativity or ()):
        raise bad_parameter("creativity", "is not supported by this model", supported=[*(model.creativity or ())])


def _check_provider(body: Body, model: Model) -> None:
    provider = body.get("provider", {})
    options = provider.get("options", {}) if isinstance(provider, dict) else None
    if not isinstance(options, dict):
        raise bad_parameter("provider.options", "must be an object")
    for slug, choice in options.items():
        parameters = choice.get("parameters", {}) if isinstance(choice, dict) else None
        if not isinstance(parameters, dict):
            raise bad_parameter(f"provider.options.{slug}.parameters", "must be an object")
        for key in parameters:
            if key not in model.allowed_passthrough_parameters:
                raise bad_parameter(
                    f"provider.options.{slug}.parameters.{key}",
                    "may not be passed through to this model",
                    supported=list(model.allowed_passthrough_parameters),
                )
