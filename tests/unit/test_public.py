"""The views of a job's record that leave the stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pytest

from stillmotion.api.views import JobView, VideoLink, show_job
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.public import event_detail, http_view, sidecar, workflow_output
from stillmotion.jobs.record import SCHEMA_VERSION, Job, JobError, PriceEstimate, ProviderState, StoredVideo, Usage, now
from stillmotion.jobs.spend import Reservation
from tests.support.fakes import a_job

PLANTED = "planted-private-value"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Provider(ProviderState):
    private: str = PLANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usage(Usage):
    private: str = PLANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Video(StoredVideo):
    private: str = PLANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Error(JobError):
    private: str = PLANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Price(PriceEstimate):
    private: str = PLANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record(Job):
    """A record of a later release, with a private field at every level."""

    provider: _Provider = field(default_factory=_Provider)
    usage: _Usage = field(default_factory=_Usage)
    video: list[_Video] = field(default_factory=list)
    error: _Error | None = None
    price: _Price | None = None
    private: str = PLANTED


VIEWS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "http": http_view,
    "http with links": lambda job: show_job(job, lambda _: VideoLink("https://link.example/")),
    "event": event_detail,
    "sidecar": sidecar,
    "workflow": workflow_output,
}


def full_record(kind: type[Job] = Job) -> Job:
    """A record in which every field has a value."""
    video = {"bucket": "b", "key": "videos/1.mp4", "bytes": 8, "content_type": "video/mp4", "checksum": "sha256:0"}
    provider = {"job_id": "j", "generation_id": "g", "status": "completed", "polling_url": "/j", "error": "e"}
    given = a_job(Status.COMPLETED).as_json() | {
        "id": "vid_" + "0" * 26,
        "source": {"type": "batch", "batch_id": "b", "item_id": "i", "private": PLANTED},
        "owner": "arn:alice",
        "provider": provider,
        "polls": 3,
        "usage": {"cost_usd": 0.5, "may_have_cost_usd": 0.5},
        "estimated_cost_usd": 0.5,
        "price": {"at_most_usd": "0.50", "at_least_usd": "0.50", "basis": ["per-video"], "open": ["o"], "reason": "r"},
        "reserved": Reservation(day="2026-01-01", micro_usd=5),
        "video": [video],
        "error": {"code": "StorageFailed", "message": "m", "provider_message": "p", "faults": [{"pointer": "#/a"}]},
        "metadata": {"order": "7"},
        "warnings": ["w"],
        "execution_arn": "arn:execution",
        "claim": "claim-token",
        "published_at": now(),
        "completed_at": now(),
        "expires_at": 5,
    }
    return kind.parse(given)


@pytest.mark.parametrize("view", VIEWS)
def test_a_private_field_added_to_the_record_appears_in_no_view(view: str) -> None:
    record = full_record(_Record)
    assert json.dumps(record.as_json()).count(PLANTED) == 7
    assert PLANTED not in json.dumps(VIEWS[view](record))


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_holds_the_owner_the_claim_or_the_reservation(view: str) -> None:
    text = json.dumps(VIEWS[view](full_record()))
    assert "arn:alice" not in text
    assert "claim-token" not in text
    assert "micro_usd" not in text


@pytest.mark.parametrize("view", ["http", "http with links", "event", "sidecar"])
def test_a_view_of_the_whole_record_has_every_public_field(view: str) -> None:
    shown = VIEWS[view](full_record())
    required = set(JobView.model_fields) - {"resumable"}
    assert shown.keys() - {"schema_version"} == required
    assert shown["source"] == {"type": "batch", "batch_id": "b", "item_id": "i"}


@pytest.mark.parametrize("view", ["http", "http with links", "event", "sidecar"])
def test_a_view_fits_the_published_schema_when_that_is_closed(view: str) -> None:
    schema = _closed(JobView.model_json_schema())
    shown = VIEWS[view](full_record())
    assert shown.pop("schema_version", SCHEMA_VERSION) == SCHEMA_VERSION
    jsonschema.Draft202012Validator(schema).validate(shown)


def test_the_published_schema_stays_open_to_additions() -> None:
    assert "additionalProperties" not in JobView.model_json_schema()


def _closed(schema: Any) -> Any:
    """The schema with every object that names its properties closed to others."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    return closed | {"additionalProperties": False} if "properties" in schema else closed
