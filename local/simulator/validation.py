"""Checking the body of a submit against the API and the model: what comes out can be made and has a price."""

from dataclasses import dataclass
from decimal import Decimal

from local.simulator.catalogue import Catalogue, Model
from local.simulator.charges import Made, NoPriceError, charge
from local.simulator.errors import ApiError, bad_parameter
from local.simulator.extras import check_extras, read_callback_url
from local.simulator.fields import Body, flag, listed, text, whole
from local.simulator.media import References, read_frames, read_references
from local.simulator.shapes import Shape, made_shape, own_tiers, sides

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
# Values that the API documents; a model may list others.
RESOLUTIONS = ("360p", "480p", "720p", "768p", "1080p", "1K", "2K", "4K")
ASPECT_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21")
DEFAULT_SECONDS = 4
LONGEST_SECONDS = 60
LARGEST_SIDE = 8192
# Input videos are not fetched; each counts as this many seconds.
VIDEO_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked request: what to render, what it costs (USD) and the webhook's address."""

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


def check_request(body: object, catalogue: Catalogue, *, strict: bool) -> Plan:
    """Check a submit body and return the plan of the clip.

    Raises ApiError: 404 for a model that is not offered, 400 naming the parameter, 500 for what has no price.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object")
    model = _model(body, catalogue)
    if strict and (unknown := sorted(set(body) - FIELDS)):
        raise bad_parameter(unknown[0], "there is no such parameter")
    seconds, shape, sound = _duration(body, model), _shape(body, model), _sound(body, model)
    frames, references = read_frames(body, model), read_references(body)
    check_extras(body, model)
    made = _made(body, seconds, shape, sound, frames, references)
    return Plan(
        model=model.id,
        prompt=_prompt(body, model),
        seconds=seconds,
        # The video format needs even dimensions.
        width=shape.width & ~1,
        height=shape.height & ~1,
        audio=sound,
        seed=_seed(body, model),
        cost=_cost(model, made),
        first=frames.get("first_frame"),
        last=frames.get("last_frame"),
        references=references.images,
        callback_url=read_callback_url(body),
        previous_job_id=text(body, "previous_job_id"),
    )


def _made(body: Body, seconds: int, shape: Shape, sound: bool, frames: dict[str, str], references: References) -> Made:
    continues = "previous_job_id" in body
    without_frames = "reference" if references.total else "text_to_video"
    return Made(
        mode="image_to_video" if frames else without_frames,
        tier=shape.tier,
        width=shape.width,
        height=shape.height,
        seconds=seconds,
        sound=sound,
        frames=len(frames),
        references=len(references.images),
        video_seconds=VIDEO_SECONDS * (references.videos + continues),
        continues=continues,
        creativity=whole(body, "creativity") or 0,
    )


def _cost(model: Model, made: Made) -> Decimal:
    try:
        return charge(model.prices, made, own_tiers(model))
    except NoPriceError as error:
        raise ApiError(500, f"{model.id} cannot be charged: {error}", {"model_slug": model.id}) from error


def _model(body: Body, catalogue: Catalogue) -> Model:
    slug = text(body, "model")
    if slug is None:
        raise bad_parameter("model", "is required")
    model = catalogue.find(slug)
    if model is None:
        raise ApiError(404, f"No such model: {slug}", {"parameter": "model"})
    return model


def _prompt(body: Body, model: Model) -> str:
    prompt = text(body, "prompt")
    if prompt is None and not (model.prompt_optional and body.get("frame_images")):
        raise bad_parameter("prompt", "is required")
    return prompt or ""


def _duration(body: Body, model: Model) -> int:
    supported = model.durations
    seconds = whole(body, "duration")
    if seconds is None:
        return supported[0] if supported else DEFAULT_SECONDS
    if supported is not None and seconds not in supported:
        raise bad_parameter("duration", f"{seconds} is not supported by this model", supported=list(supported))
    if supported is None and not 1 <= seconds <= LONGEST_SECONDS:
        raise bad_parameter("duration", f"must be between 1 and {LONGEST_SECONDS} seconds")
    return seconds


def _shape(body: Body, model: Model) -> Shape:
    size = listed(body, "size", model.sizes)
    resolution = listed(body, "resolution", model.resolutions)
    ratio = listed(body, "aspect_ratio", model.ratios)
    if size is not None:
        if resolution or ratio:
            raise bad_parameter("size", "cannot be given together with resolution or aspect_ratio")
        _check_size(size)
    if model.resolutions is None and resolution is not None and resolution.lower() not in own_tiers(model):
        _check_known("resolution", resolution, RESOLUTIONS)
    if model.ratios is None and ratio is not None:
        _check_known("aspect_ratio", ratio, ASPECT_RATIOS)
    return made_shape(model, size, resolution, ratio)


def _check_known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise bad_parameter(name, f"must be one of {', '.join(known)}", supported=list(known))


def _check_size(size: str) -> None:
    both = sides(size)
    if both is None:
        raise bad_parameter("size", "must look like 1280x720")
    if max(both) > LARGEST_SIDE:
        raise bad_parameter("size", f"no side may be longer than {LARGEST_SIDE} pixels")


def _sound(body: Body, model: Model) -> bool:
    """Tell whether the clip has sound: as asked for, else wherever the model makes it."""
    wanted = flag(body, "generate_audio")
    if wanted and model.sound is False:
        raise bad_parameter("generate_audio", "this model makes no sound")
    return bool(model.sound) if wanted is None else wanted


def _seed(body: Body, model: Model) -> int:
    seed = whole(body, "seed")
    return seed if seed is not None and model.seed else 0
