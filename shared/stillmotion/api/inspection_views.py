"""What an inspection found, as the API and the events show it. The values are those of `inspection/report.py`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from stillmotion.jobs.record import Job


class ClipFacts(BaseModel):
    """What a clip is. What is not known is left out."""

    container: str = Field(examples=["mp4"])
    codec: str = Field(examples=["h264"])
    pixel_format: str = Field(examples=["yuv420p"])
    width: int = Field(description="pixels, as shown")
    height: int = Field(description="pixels, as shown")
    frames: int | None = None
    fps: float | None = None
    duration_seconds: float | None = None
    sound: bool
    sound_codec: str | None = None
    faststart: bool | None = Field(default=None, description="whether a player can start before it has the whole file")
    bit_rate: int | None = Field(default=None, description="bits a second")
    bytes: int
    decodes_to_end: bool | None = Field(
        default=None, description="left out where the clip is too large or too long to be decoded as a whole"
    )
    decode_note: str | None = Field(default=None, description="why it does not, or was not decoded as a whole")


class FrameLikeness(BaseModel):
    """How close the first or the last frame is to its given picture; only `problem` where that is not known."""

    frame: Literal["first_frame", "last_frame"]
    psnr_db: float | None = Field(default=None, description="dB, at most 100")
    ssim: float | None = Field(default=None, description="-1 to 1")
    framing: Literal["whole", "centre_crop"] | None = None
    lost_share: float | None = Field(default=None, ge=0, le=1, description="share of the picture outside the frame")
    problem: str | None = None


class ClipPictures(BaseModel):
    """Keys in the output bucket."""

    poster: str
    last_frame: str | None = None
    preview: str


class InspectedClip(BaseModel):
    """One output; only `problem` and no facts where it could not be inspected."""

    facts: ClipFacts | None = None
    likeness: list[FrameLikeness] | None = None
    pictures: ClipPictures | None = None
    problem: str | None = None
    warnings: list[str]


class Inspection(BaseModel):
    """What was found in the clips, in the order of `video`. Its warnings never make a job fail."""

    inspected_at: str = Field(description="ISO-8601, UTC")
    videos: list[InspectedClip]


def pictures_of(job: Job) -> list[dict[str, str]]:
    """For each stored video the keys of its pictures by name; empty where it was not inspected."""
    inspected = [] if job.inspection is None else job.inspection["videos"]
    return [dict(inspected[at].get("pictures", {})) if at < len(inspected) else {} for at in range(len(job.video))]
