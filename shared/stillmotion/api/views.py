"""The API's answers as schemas, from which its OpenAPI document is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stillmotion.api.inspection_views import Inspection, pictures_of
from stillmotion.jobs import record
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.public import http_view
from stillmotion.outbound.redaction import redact_all
from stillmotion.requests.media_types import UploadType, plain_upload_type

Timestamp = Field(description="ISO-8601, UTC", examples=["2026-11-22T12:00:00.000Z"])


@dataclass(frozen=True, slots=True)
class VideoLink:
    """A presigned ``url`` to a stored video, or the ``reason`` why there is none."""

    url: str | None
    reason: str | None = None


type Link = Callable[[record.StoredVideo], VideoLink]
"""Makes a link to a stored video."""


def show_job(job: record.Job, link: Link, kept_days: int = 0) -> dict[str, Any]:
    """A job as ``GET /videos/{id}`` shows it: each output with its ``s3_uri`` and a presigned ``url``, or with
    ``url_reason`` where the ``url`` is ``null``; once it is inspected, also with presigned links to its pictures.

    Args:
        kept_days: for which the stack keeps videos; 0: without end.
    """
    gone = _why_gone(job, kept_days)
    if gone is not None:
        link = lambda _: VideoLink(None, gone)  # noqa: E731
    shown = http_view(job)
    videos = [
        fields | _addresses(video, link(video)) | _picture_links(video, pictures, link)
        for fields, video, pictures in zip(shown["video"], job.video, pictures_of(job), strict=True)
    ]
    return shown | {"video": videos}


def _why_gone(job: record.Job, kept_days: int) -> str | None:
    """Why the videos of a job are there no longer, as far as its record tells."""
    if job.purge_begun_at is not None:
        return f"The job was purged on {(job.purged_at or job.purge_begun_at)[:10]}: its video is deleted."
    if kept_days and job.completed_at is not None:
        ended = datetime.fromisoformat(job.completed_at) + timedelta(days=kept_days)
        if ended <= datetime.now(UTC):
            return (
                f"Videos are kept for {kept_days:,} days here (VideoRetentionDays), and this one was stored on "
                f"{job.completed_at[:10]}: it is deleted. The clip has to be made anew."
            )
    return None


def _picture_links(video: record.StoredVideo, pictures: Mapping[str, str], link: Link) -> dict[str, str]:
    links = {name: link(replace(video, key=key)).url for name, key in pictures.items()}
    return {f"{name}_url": url for name, url in links.items() if url is not None}


def _addresses(video: record.StoredVideo, link: VideoLink) -> dict[str, str | None]:
    shown = {"s3_uri": f"s3://{video.bucket}/{video.key}", "url": link.url}
    return shown if link.reason is None else shown | {"url_reason": link.reason}


def show_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An index entry as a list shows it."""
    shown: dict[str, Any] = redact_all(JobSummary.model_validate(entry).model_dump(mode="json", exclude_none=True))
    return shown


class ProviderState(BaseModel):
    """What ModelGates last said of the job."""

    job_id: str | None = None
    generation_id: str | None = None
    status: str | None = None
    polling_url: str | None = None
    error: str | None = None


class Usage(BaseModel):
    """What ModelGates charged, in USD; ``null`` until it says so."""

    cost_usd: float | None = None
    may_have_cost_usd: float | None = Field(
        default=None, description="at most; of a job without a video that was, or may have been, accepted and charged"
    )


class StoredVideo(BaseModel):
    """One output in the output bucket; ``checksum`` is ``sha256:`` and 64 hex digits, ``bytes`` its size."""

    bucket: str
    key: str
    bytes: int
    content_type: str
    checksum: str


class JobError(BaseModel):
    """Why the job ended without a video. ``provider_message`` is ModelGates' own, word for word."""

    code: str
    message: str
    retryable: bool = False
    provider_message: str | None = None
    faults: list[dict[str, Any]] | None = None


class VideoOutput(StoredVideo):
    """One stored output. ``GET /videos/{id}`` adds its ``s3_uri`` and a presigned ``url``, good for an hour unless the
    stack sets another time."""

    s3_uri: str | None = None
    url: str | None = None
    url_reason: str | None = Field(
        default=None,
        description="why url is null: the job was purged, its time is over, or it is in an earlier output bucket",
    )
    poster_url: str | None = Field(default=None, description="presigned; its first frame, JPEG")
    last_frame_url: str | None = Field(default=None, description="presigned; its last frame, JPEG")
    preview_url: str | None = Field(default=None, description="presigned; a short animation, WebP of at most 500 KB")


class JobView(BaseModel):
    """A job's public record."""

    model_config = ConfigDict(title="Job")

    id: str = Field(pattern=r"^vid_[0-9a-z]{26}$")
    status: Status
    request: dict[str, Any]
    source: dict[str, Any]
    provider: ProviderState
    polls: int = Field(ge=0)
    usage: Usage
    estimated_cost_usd: float | None = Field(default=None, description="at most, in USD")
    price: PriceView | None = None
    video: list[VideoOutput]
    error: JobError | None = None
    metadata: dict[str, str]
    warnings: list[str] = Field(
        default_factory=list, description="pictures that the clip crops or squashes, and pictures with transparency"
    )
    chosen: dict[str, str] = Field(
        default_factory=dict,
        description="fields of the request that the caller did not name: the aspect_ratio nearest to the first frame",
    )
    inspection: Inspection | None = None
    execution_arn: str | None = None
    resumable: bool = Field(
        default=False, description="whether POST /videos/{id}/resume may still deliver its video; nothing is paid again"
    )
    created_at: str = Timestamp
    updated_at: str = Timestamp
    completed_at: str | None = None
    purged_at: str | None = Field(
        default=None, description="ISO-8601, UTC; when its video and everything private of it were deleted"
    )


class JobSummary(BaseModel):
    """A job in a list."""

    id: str
    status: Status
    model: str
    source: dict[str, Any]
    usage: Usage | None = None
    video: list[StoredVideo] | None = None
    error: JobError | None = None
    metadata: dict[str, str] | None = None
    created_at: str = Timestamp
    completed_at: str | None = None


class JobList(BaseModel):
    """Jobs, newest first; send ``next_token`` with the same query for the next page, it is ``null`` on the last."""

    data: list[JobSummary]
    next_token: str | None


class PriceView(BaseModel):
    """A price in USD, exact, as decimal strings. ``open`` says in words what makes ``at_most_usd`` high and what would
    make it lower; ``reason`` why there is no price, or why it cannot be relied on."""

    model_config = ConfigDict(title="Price")

    at_most_usd: str | None = Field(
        default=None, description="null where it cannot be known; spending limits are compared with it"
    )
    at_least_usd: str | None = None
    basis: list[str] = Field(description="the entries of the model's price list that at_most_usd is computed from")
    open: list[str]
    reason: str | None = None


class SettleOrder(BaseModel):
    """How to settle a job whose submit got no answer: ModelGates' id of the job, or that the job is given up. A job
    that is given up stays counted in its day's spending unless ``charged`` is ``false``.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    provider_job_id: str | None = Field(default=None, min_length=1, max_length=256)
    abandon: Literal[True] | None = None
    charged: bool | None = Field(
        default=None, description="with abandon: whether ModelGates may have charged for it; true where it is not given"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> SettleOrder:
        if (self.provider_job_id is None) == (self.abandon is None):
            raise ValueError('give either "provider_job_id" or "abandon": true')
        if self.charged is not None and self.abandon is None:
            raise ValueError('give "charged" only with "abandon": true')
        return self


class UploadOrder(BaseModel):
    """What is going to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    content_type: Annotated[UploadType, BeforeValidator(plain_upload_type)] = Field(
        description="by any usual name, with or without parameters"
    )


class UploadView(BaseModel):
    """POST ``fields`` and then the file as ``file`` to ``url``; afterwards ``s3_uri`` names it in a request."""

    url: str
    fields: dict[str, str]
    s3_uri: str
    max_bytes: int
    expires_at: str = Timestamp


class FaultView(BaseModel):
    """One thing wrong, with its JSON pointer."""

    pointer: str
    detail: str
    given: Any = None
    allowed: Any = None


class Problem(BaseModel):
    """An error, as RFC 9457 has it; ``code`` is its name everywhere in Stillmotion. API Gateway's own errors have no
    ``status`` where API Gateway does not give one.
    """

    type: str
    title: str
    status: int | None = None
    code: str
    detail: str
    instance: str | None = None
    provider_message: str | None = None
    errors: list[FaultView] | None = None
