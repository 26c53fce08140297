"""The API's answers as schemas, from which its OpenAPI document is made."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from stillmotion.job import JobError, ProviderState, Status, StoredVideo, Usage

Timestamp = Field(description="ISO-8601, UTC", examples=["2026-11-22T12:00:00.000Z"])


class VideoOutput(StoredVideo):
    """One stored output; ``url`` is a presigned link, good for an hour unless the stack says otherwise."""

    s3_uri: str
    url: str


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
    video: list[VideoOutput]
    error: JobError | None = None
    metadata: dict[str, str]
    execution_arn: str | None = None
    created_at: str = Timestamp
    updated_at: str = Timestamp
    completed_at: str | None = None


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


class DryRun(BaseModel):
    """A request that would be taken, and its estimated price in USD (``null`` where the model does not say)."""

    dry_run: bool
    model: str
    estimated_cost_usd: float | None
    warnings: list[str]


class PricedModel(BaseModel):
    """A model that can do what was asked. ``null`` lists are not stated by the model, which never means none."""

    id: str
    name: str | None
    description: str | None
    supported_resolutions: list[str] | None
    supported_aspect_ratios: list[str] | None
    supported_sizes: list[str] | None
    supported_durations: list[int] | None
    supported_frame_images: list[str] | None
    generate_audio: bool | None
    seed: bool | None
    pricing_skus: dict[str, str] | None
    estimated_cost_usd: float | None = Field(description="USD for the asked clip; null where the model does not say")


class ModelList(BaseModel):
    """Models, in ModelGates' order or cheapest first."""

    data: list[PricedModel]


class UploadOrder(BaseModel):
    """What is going to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    content_type: str = Field(examples=["image/jpeg"])


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
    """An error, as RFC 9457 has it; ``code`` is its name everywhere in Stillmotion."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str | None = None
    provider_message: str | None = None
    errors: list[FaultView] | None = None
