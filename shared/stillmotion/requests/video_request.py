"""The request for one video: the body that ModelGates takes, plus ``metadata``.

Types and lists are those of the ModelGates video API. What a certain model can do is checked against the model
itself, in :mod:`stillmotion.modelgates.models`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from stillmotion.errors import Fault, InvalidRequest, pointer
from stillmotion.outbound.address_guard import MAX_URL_CHARACTERS
from stillmotion.outbound.redaction import redact_url

FrameType = Literal["first_frame", "last_frame"]
# Open lists: each model states which of them it takes.
Resolution = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[A-Za-z]{1,3}$")]
AspectRatio = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$")]
Size = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{1,4}x[1-9][0-9]{1,4}$")]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:/ -]+$")]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]

MAX_PROMPT_CHARACTERS = 10_000
MAX_METADATA_PAIRS = 20
MAX_FREE_FORM_BYTES = 16 * 1024
MAX_FREE_FORM_DEPTH = 32
MAX_INPUT_REFERENCES = 16
MAX_FAULTS, MAX_SHOWN_CHARACTERS = 30, 80
PATTERNS = {
    ("size",): "must be WIDTHxHEIGHT in pixels, for example 1280x720",
    ("resolution",): "must be a resolution that the model lists, for example 720p or 4K",
    ("aspect_ratio",): "must be WIDTH:HEIGHT, for example 16:9",
    ("manifest",): "must be s3://bucket/key",
    ("principal",): "must be * or the ARN of an IAM role or user, arn:aws:iam::123456789012:role/Editors",
    ("metadata",): "must consist of letters, digits, spaces and _ . : / -",
}
"""What a pattern asks for, by the place of the field that has one."""
URL_SCHEMES = ("https://", "s3://", "data:")
# In JSON 4.0 is a whole number as much as 4 is, and some clients write it so.
WHOLE = BeforeValidator(lambda n: int(n) if isinstance(n, float) and n.is_integer() else n)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MediaUrl(_Strict):
    """Where an image (or reference audio or video) lies: ``https://…``, ``s3://bucket/key`` or ``data:…;base64,…``."""

    url: str = Field(min_length=1)

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        # http:// passes here and is judged by the address guard: a local cloud is reached over it.
        if not url.lower().startswith((*URL_SCHEMES, "http://")):
            raise ValueError("is not an https://, s3://bucket/key or data:…;base64,… address")
        if len(url) > MAX_URL_CHARACTERS and not url[:5].lower() == "data:":
            raise ValueError(f"has {len(url):,} characters, at most {MAX_URL_CHARACTERS:,} are taken")
        return url


class FrameImage(_Strict):
    """An image that becomes exactly the clip's first or last frame."""

    type: Literal["image_url"] = "image_url"
    image_url: MediaUrl
    frame_type: FrameType


class ImageReference(_Strict):
    """An image that guides the style."""

    type: Literal["image_url"]
    image_url: MediaUrl


class AudioReference(_Strict):
    """A sound that guides the clip."""

    type: Literal["audio_url"]
    audio_url: MediaUrl


class VideoReference(_Strict):
    """A video that guides the clip."""

    type: Literal["video_url"]
    video_url: MediaUrl


InputReference = Annotated[ImageReference | AudioReference | VideoReference, Field(discriminator="type")]


class ProviderParameters(_Strict):
    """Parameters passed through to one provider."""

    parameters: dict[str, Any] = Field(default_factory=dict)


class ProviderOptions(_Strict):
    """Pass-through parameters by provider slug."""

    options: dict[str, ProviderParameters] = Field(default_factory=dict)


class VideoRequest(_Strict):
    """One video to generate. Every field but ``metadata`` is sent to ModelGates as it is."""

    model: str = Field(min_length=1, max_length=200, examples=["google/veo-3.1-lite"])
    prompt: str | None = Field(default=None, min_length=1, max_length=MAX_PROMPT_CHARACTERS)
    duration: Annotated[int, Field(ge=1, le=600), WHOLE] | None = Field(default=None, description="seconds")
    resolution: Resolution | None = Field(default=None, examples=["720p", "1080p", "4K"])
    aspect_ratio: AspectRatio | None = Field(default=None, examples=["16:9", "9:16", "1:1"])
    size: Size | None = Field(default=None, examples=["1280x720"])
    generate_audio: bool | None = None
    seed: Annotated[int, Field(ge=0, le=2**63 - 1), WHOLE] | None = None
    frame_images: list[FrameImage] | None = Field(default=None, min_length=1, max_length=2)
    input_references: list[InputReference] | None = Field(default=None, min_length=1, max_length=MAX_INPUT_REFERENCES)
    provider: ProviderOptions | None = None
    previous_job_id: str | None = Field(default=None, min_length=1, max_length=256)
    session_id: str | None = Field(default=None, min_length=1, max_length=256)
    user: str | None = Field(default=None, min_length=1, max_length=256)
    trace: dict[str, Any] | None = None
    upscale_factor: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    creativity: Annotated[int, WHOLE] | None = None
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default_factory=dict, max_length=MAX_METADATA_PAIRS, json_schema_extra={"additionalProperties": False}
    )

    @field_validator("provider", "trace")
    @classmethod
    def _plain_json(cls, value: Any) -> Any:
        # Free-form parts end up in the record and in events (256 KiB), and must survive there unchanged.
        plain = value.model_dump(mode="python") if isinstance(value, BaseModel) else value
        try:
            size = len(json.dumps(plain, allow_nan=False, ensure_ascii=False).encode())
        except (ValueError, RecursionError):
            raise ValueError("holds NaN, an infinite number or broken characters") from None
        if depth(plain) > MAX_FREE_FORM_DEPTH:
            raise ValueError(f"is nested more than {MAX_FREE_FORM_DEPTH} levels deep")
        if size > MAX_FREE_FORM_BYTES:
            raise ValueError(f"has {size:,} bytes as JSON, at most {MAX_FREE_FORM_BYTES:,} are taken")
        return value

    @model_validator(mode="after")
    def _whole(self) -> VideoRequest:
        faults = list(self._contradictions())
        if faults:
            raise PydanticCustomError("contradiction", "fields contradict each other", {"faults": faults})
        return self

    def _contradictions(self) -> Iterator[Fault]:
        frames = [frame.frame_type for frame in self.frame_images or ()]
        if len(frames) != len(set(frames)):
            detail = f"is {frames[1]} a second time: give at most one image of each frame_type"
            yield Fault("#/frame_images/1/frame_type", detail, given=frames[1])
        if self.size is not None and (self.resolution or self.aspect_ratio):
            detail = "is given together with resolution or aspect_ratio: give either size or the others"
            yield Fault("#/size", detail, given=self.size)
        if self.prompt is None and not frames and not self.input_references and self.previous_job_id is None:
            yield Fault(
                "#/prompt", "is missing: give a prompt, or frame_images for a model that animates an image alone"
            )

    def body(self) -> dict[str, Any]:
        """The JSON body for ``POST /videos`` of ModelGates, without ``metadata``, addresses still as given."""
        return self.model_dump(mode="json", exclude={"metadata"}, exclude_none=True)

    def as_given(self) -> dict[str, Any]:
        """The request as it is recorded and compared: everything that was set."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True) | {"model": self.model}

    def media(self) -> Iterator[tuple[str, str]]:
        """Each address in the request with its JSON pointer, frame images first."""
        for at, frame in enumerate(self.frame_images or ()):
            yield f"#/frame_images/{at}/image_url/url", frame.image_url.url
        for at, reference in enumerate(self.input_references or ()):
            media = getattr(reference, reference.type)
            yield f"#/input_references/{at}/{reference.type}/url", media.url

    def with_media(self, addresses: Mapping[str, str]) -> VideoRequest:
        """The same request with the addresses at the given JSON pointers replaced."""
        data = self.model_dump(mode="json", exclude_none=True)
        for place, url in addresses.items():
            field, index, kind, _ = place.removeprefix("#/").split("/")
            data[field][int(index)][kind]["url"] = url
        return VideoRequest.model_validate(data)


def parse_request(data: Any) -> VideoRequest:
    """A checked request from decoded JSON.

    Raises:
        InvalidRequest: with every fault at once, each with its JSON pointer.
    """
    if not isinstance(data, Mapping):
        raise InvalidRequest(
            f"The request is not a JSON object but {type(data).__name__}. Send an object with at least 'model'.",
            faults=[Fault("#", "must be a JSON object", given=type(data).__name__)],
        )
    try:
        return VideoRequest.model_validate(data)
    except ValidationError as error:
        raise invalid_request(error.errors(include_url=False)) from None


def invalid_request(
    errors: Iterable[Mapping[str, Any]], *, strip: int = 0, body: type[BaseModel] = VideoRequest
) -> InvalidRequest:
    """One :class:`InvalidRequest` from pydantic's error list on a ``body``; ``strip`` leading parts of each location
    are dropped.

    Only the first 30 faults are listed: the answer has to fit into a workflow's state.
    """
    found = [fault for error in errors for fault in _faults(error, tuple(error["loc"])[strip:], body)]
    faults, left = found[:MAX_FAULTS], len(found) - MAX_FAULTS
    listed = "; ".join(f"{fault.place}: {fault.detail}" for fault in faults)
    more = f"; and {left} more" if left > 0 else ""
    return InvalidRequest(
        f"{listed}{more}. Correct this and send the request again; nothing was submitted.", faults=faults
    )


def _faults(error: Mapping[str, Any], location: tuple[Any, ...], body: type[BaseModel]) -> list[Fault]:
    kind, message = str(error["type"]), str(error["msg"])
    context = error.get("ctx") or {}
    location, given = _place(location), error.get("input")
    where = pointer(*location)
    if kind == "contradiction":
        return list(context["faults"])
    if kind == "extra_forbidden":
        return [_unknown_field(where, location, body)]
    if kind in ("missing", "union_tag_not_found"):
        tag = "/type" if kind == "union_tag_not_found" else ""
        return [Fault(where + tag, "is missing: it is required")]
    if kind == "literal_error":
        return [_not_listed(where, given, str(context["expected"]))]
    if kind == "union_tag_invalid":
        return [_not_listed(f"{where}/type", context["tag"], str(context["expected_tags"]))]
    if kind == "string_pattern_mismatch" and location[:1] in PATTERNS:
        return [Fault(where, PATTERNS[location[:1]], given=_short(given))]
    if kind == "json_invalid":
        return [Fault("#", f"the body is not JSON: {context.get('error', message)}")]
    if kind in ("model_attributes_type", "model_type", "dict_type"):
        return [Fault(where, "must be a JSON object", given=_short(given))]
    detail = message.removeprefix("Value error, ")
    shown = None if isinstance(given, Mapping) else _short(given)
    return [Fault(where, detail[:1].lower() + detail[1:], given=shown)]


def _place(location: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where in the caller's document: without the levels that pydantic adds, and names of any length cut short."""
    if location[:1] == ("input_references",):
        location = location[:2] + location[3:]  # the tag of the union's branch stands behind the index
    if location[-1:] == ("[key]",):
        location = location[:-1]
    return tuple(_short(part) if isinstance(part, str) else part for part in location)


def _unknown_field(where: str, location: tuple[Any, ...], body: type[BaseModel]) -> Fault:
    if location == ("callback_url",) and body is VideoRequest:
        return Fault(
            where,
            "is not taken: listen for 'Video Generation Completed' and 'Video Generation Failed' on the stack's event "
            "bus instead",
        )
    known = _fields_at(location, body)
    if not known:
        return Fault(where, "is not a known field")
    return Fault(where, f"is not a known field; known are {', '.join(known)}", allowed=known)


def _not_listed(where: str, given: Any, expected: str) -> Fault:
    return Fault(where, f"must be one of {expected}", given=_short(given), allowed=re.findall(r"'([^']*)'", expected))


def depth(value: Any) -> int:
    """How deep lists and objects lie in each other; at most one more than is taken."""
    depth, level = 0, [value]
    while level and depth <= MAX_FREE_FORM_DEPTH:
        level = [
            part
            for one in level
            if isinstance(one, dict | list)
            for part in (one.values() if isinstance(one, dict) else one)
        ]
        depth += 1
    return depth


def _fields_at(location: tuple[Any, ...], body: type[BaseModel]) -> list[str]:
    if len(location) == 1:
        return sorted(body.model_fields)
    if location[0] == "frame_images":
        return sorted(FrameImage.model_fields if len(location) == 3 else MediaUrl.model_fields)
    return []


def _short(value: Any) -> Any:
    """What was given, fit to be repeated as JSON: no image data, no query string, no great length."""
    if isinstance(value, str):
        text = value.strip().encode(errors="replace").decode()
        shown = redact_url(text) if "://" in text or text[:5].lower() == "data:" else text
        if len(shown) <= MAX_SHOWN_CHARACTERS:
            return shown
        return f"{shown[:MAX_SHOWN_CHARACTERS]}… ({len(value):,} characters)"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | bool | None) else type(value).__name__
