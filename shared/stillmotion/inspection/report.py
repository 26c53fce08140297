"""What an inspection finds, as plain values, and what is worth a warning. Imports neither PyAV nor Pillow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

DURATION_TOLERANCE_SECONDS = 0.5
SHAPE_TOLERANCE = 0.02
LINES_TOLERANCE = 0.1
"""Share of the lines of a resolution such as 720p: models round frame heights to multiples of 16 or 32."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a clip is.

    `width` and `height` are pixels as shown (turned as its track says, square pixels). `frames`, `fps` and
    `duration_seconds` are counted where the clip was decoded as a whole, else as its index states them. `faststart`
    is `None` where that has no meaning. `decodes_to_end` is `None` where the budget did not allow to find out;
    `decode_note` says why it is not true.
    """

    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    frames: int | None
    fps: float | None
    duration_seconds: float | None
    sound: bool
    sound_codec: str | None
    faststart: bool | None
    bit_rate: int | None
    bytes: int
    decodes_to_end: bool | None
    decode_note: str | None = None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How close one end of a clip is to its given picture.

    `frame` is `first_frame` or `last_frame`, `psnr_db` at most 100, `ssim` from -1 to 1. `framing` is how the picture
    was laid into the frame: `whole` or `centre_crop`; `lost_share` is the share of the picture outside the frame.
    Where it could not be measured, only `problem` is there.
    """

    frame: str
    psnr_db: float | None = None
    ssim: float | None = None
    framing: str | None = None
    lost_share: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Below one of these a frame does not look like its picture."""

    psnr_db: float
    ssim: float


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What was found about one output. `pictures` holds object keys: `poster`, `last_frame`, `preview`. A clip that
    could not be inspected has only `problem`."""

    facts: Facts | None = None
    likeness: tuple[Likeness, ...] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    problem: str | None = None

    def as_record(self) -> dict[str, Any]:
        """As JSON; what is not known is left out."""
        record: dict[str, Any] = {}
        if self.facts is not None:
            record["facts"] = _known(asdict(self.facts))
            record["likeness"] = [_known(asdict(one)) for one in self.likeness]
        if self.pictures:
            record["pictures"] = dict(self.pictures)
        if self.problem is not None:
            record["problem"] = self.problem
        return record | {"warnings": list(self.warnings)}


def differences(facts: Facts, request: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each way in which a clip is not what the request asked for."""
    duration, seconds = request.get("duration"), facts.duration_seconds
    if duration is not None and seconds is not None and abs(seconds - duration) > DURATION_TOLERANCE_SECONDS:
        yield f"The clip is {seconds:.1f} s long; {duration} s were asked for."
    shown = f"{facts.width}x{facts.height}"
    if (size := request.get("size")) is not None:
        if size != shown:
            yield f"The clip is {shown}; {size} was asked for."
    elif (ratio := request.get("aspect_ratio")) is not None:
        wide, high = (int(side) for side in ratio.split(":"))
        if abs(facts.width * high / (facts.height * wide) - 1) > SHAPE_TOLERANCE:
            yield f"The clip is {shown}; the shape {ratio} was asked for."
    lines = _lines(request.get("resolution"))
    if lines is not None and abs(min(facts.width, facts.height) / lines - 1) > LINES_TOLERANCE:
        yield f"The clip is {shown}; {request['resolution']} was asked for."
    sound = request.get("generate_audio")
    if sound is True and not facts.sound:
        yield "The clip has no sound; sound was asked for."
    if sound is False and facts.sound:
        yield "The clip has sound; none was asked for."


def damages(facts: Facts) -> Iterator[str]:
    """A sentence about a clip that does not decode as a whole."""
    if facts.decodes_to_end is False:
        yield f"The clip does not decode to its end: {facts.decode_note}."


def unlike(found: Likeness, least: Thresholds) -> Iterator[str]:
    """A sentence about a frame that does not look like its picture."""
    if found.psnr_db is None or found.ssim is None:
        return
    if found.psnr_db < least.psnr_db or found.ssim < least.ssim:
        name = found.frame.replace("_", " ")
        yield (
            f"The {name} does not look like the given picture: PSNR {found.psnr_db:.1f} dB, SSIM {found.ssim:.2f}; at "
            f"least {least.psnr_db:g} dB and {least.ssim:g} are expected."
        )


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _lines(resolution: str | None) -> int | None:
    """The lines of a resolution such as `720p`; the others (`2K`) name no certain number."""
    if resolution is None or not resolution.endswith("p"):
        return None
    return int(resolution.removesuffix("p"))
