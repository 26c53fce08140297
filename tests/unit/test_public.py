"""The views of a job's record that leave the stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import jsonschema
import pytest

from stillmotion.api.batch_views import BatchSummaryView, BatchView, show_batch
from stillmotion.api.views import JobView, VideoLink, show_job
from stillmotion.batches.item import BatchItem
from stillmotion.batches.outcome import outcome_of
from stillmotion.batches.public import error_facts, summary_facts
from stillmotion.batches.record import Batch, BatchStatus, BatchSummary, Manifest, Order
from stillmotion.errors import InternalError
from stillmotion.inspection.report import Facts, Likeness, VideoReport
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.public import event_detail, http_view, sidecar, workflow_output
from stillmotion.jobs.record import SCHEMA_VERSION, Job, JobError, PriceEstimate, ProviderState, StoredVideo, Usage, now
from stillmotion.jobs.spend import Reservation
from stillmotion.stepfunctions.video_tasks import failure_output
from stillmotion.storage.sidecars import drop_failure
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
    "failed workflow": lambda job: json.loads(failure_output(job, InternalError("m"))["cause"]),
    "dropped object": drop_failure,
    "batch item": lambda job: outcome_of(1, BatchItem("b", "i"), job),
    "failed batch item": lambda job: outcome_of(1, BatchItem("b", "i"), replace(job, status=Status.FAILED)),
}


INSPECTION = {
    "inspected_at": now(),
    "videos": [
        VideoReport(
            facts=Facts(
                "mp4",
                "h264",
                "yuv420p",
                1280,
                720,
                96,
                24.0,
                4.0,
                True,
                "aac",
                True,
                1_850_000,
                8,
                False,
                "it ends early",
            ),
            likeness=(
                Likeness("first_frame", 41.5, 0.98, "whole", 0.0),
                Likeness("last_frame", problem="The picture is gone."),
            ),
            pictures={"poster": "videos/1.jpg", "last_frame": "videos/1-last.jpg", "preview": "videos/1.webp"},
            warnings=("The clip does not decode to its end.",),
        ).as_record()
    ],
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
        "purged_at": "2026-01-02T00:00:00.000Z",
        "warnings": ["w"],
        "inspection": INSPECTION,
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


def test_a_dropped_objects_failure_names_the_object_and_the_error() -> None:
    drop = {"type": "drop", "bucket": "b", "key": "drop/a.png", "version": "v"}
    shown = drop_failure(replace(full_record(), source=drop | {"private": PLANTED}))
    assert shown["source"] == drop
    assert (shown["code"], shown["detail"], shown["provider_message"]) == ("StorageFailed", "m", "p")
    assert shown["errors"] == [{"pointer": "#/a"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summary(BatchSummary):
    private: str = PLANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order(Order):
    private: str = PLANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch(Batch):
    """A batch's record of a later release, with a private field at every level."""

    order: _Order
    summary: _Summary | None = None
    private: str = PLANTED


BATCH_VIEWS: dict[str, Callable[[Batch], dict[str, Any]]] = {
    "http": lambda batch: show_batch(batch, lambda _: {}, lambda _: "https://x.example/results"),
    "summary and event": lambda batch: summary_facts(batch.summary) if batch.summary else {},
    "error": lambda batch: error_facts(batch.error or {}),
}


def full_batch(kind: type[Batch] = Batch) -> Batch:
    """A batch's record in which every field has a value."""
    error = {"code": "BatchStopped", "message": "m", "retryable": False, "private": PLANTED}
    summary = {
        "id": "b",
        "run": 2,
        "status": "stopped",
        "manifest": "s3://b/rows.csv",
        "items": 10,
        "done": 4,
        "failed": 3,
        "skipped": 2,
        "not_run": 1,
        "failed_by_reason": {"InvalidRequest": 3},
        "cost_usd": 0.5,
        "duration_seconds": 1.5,
        "started_at": now(),
        "ended_at": now(),
        "results": "s3://b/batches/b/results.jsonl",
        "error": error,
    }
    order = {"manifest": "s3://b/rows.csv", "batch_id": "b", "budget_usd": 7, "defaults": {"model": "order-default"}}
    given = {
        "id": "b",
        "run": 2,
        "status": "stopped",
        "order": order,
        "manifest": {"bucket": "b", "key": "rows.csv"},
        "execution_arn": "arn:e",
        "owner": "arn:alice",
        "delivery": "event-7",
        "items": 10,
        "error": error,
        "prepared": {"to_run": 7, "skipped": 2, "failed": 1},
        "estimated_cost_usd": 2.5,
        "summary": summary,
    }
    given["manifest"] |= {"etag": "etag-1", "version": "version-1"}
    return kind.parse(given)


@pytest.mark.parametrize("view", BATCH_VIEWS)
def test_a_private_field_added_to_a_batch_appears_in_no_view(view: str) -> None:
    record = full_batch(_Batch)
    assert json.dumps(record.as_json()).count(PLANTED) == 5
    assert PLANTED not in json.dumps(BATCH_VIEWS[view](record))


@pytest.mark.parametrize("view", BATCH_VIEWS)
def test_no_view_of_a_batch_holds_its_owner_its_order_or_its_delivery(view: str) -> None:
    text = json.dumps(BATCH_VIEWS[view](full_batch()))
    for private in ("arn:alice", "order-default", "event-7", "etag-1", "version-1"):
        assert private not in text


@pytest.mark.parametrize(("view", "model"), [("http", BatchView), ("summary and event", BatchSummaryView)])
def test_a_batch_view_has_every_public_field_and_fits_the_closed_schema(
    view: str, model: type[BatchView] | type[BatchSummaryView]
) -> None:
    shown = BATCH_VIEWS[view](full_batch())
    assert shown.keys() == model.model_fields.keys()
    jsonschema.Draft202012Validator(_closed(model.model_json_schema())).validate(shown)


def test_a_batchs_record_comes_back_from_json_as_it_was() -> None:
    batch = full_batch()
    assert Batch.parse(json.loads(json.dumps(batch.as_json()))) == batch
    fresh = Batch(
        id="b",
        order=Order(manifest="s3://b/k", defaults={"seed": None}, tolerated_failure_percentage=5.0),
        manifest=Manifest(bucket="b", key="k", etag="e"),
        execution_arn="arn:e",
    )
    assert Batch.parse(json.loads(json.dumps(fresh.as_json()))) == fresh
    assert (fresh.status, fresh.run) == (BatchStatus.PREPARING, 1)
    assert {one.name for one in fields(BatchSummary)} == set(BatchSummaryView.model_fields)


def _closed(schema: Any) -> Any:
    """The schema with every object that names its properties closed to others."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    return closed | {"additionalProperties": False} if "properties" in schema else closed


SECRET = "9f86d081884c7d659a2feaa0c55ad015"


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_repeats_a_secret_from_a_foreign_text(view: str) -> None:
    link = f"https://b.example/a.png?X-Amz-Signature={SECRET}"
    document = full_record().as_json() | {
        "provider": {"job_id": "j", "generation_id": f"Bearer {SECRET}", "polling_url": link, "error": link},
        "error": {"code": "GenerationFailed", "message": link, "provider_message": f"Authorization: Bearer {SECRET}"},
        "warnings": [link],
        "metadata": {"source": link},
        "request": {
            "model": "m",
            "prompt": f"like {link}",
            "trace": {"span": link},
            "provider": {"options": {"google": {"parameters": {"token": f"api_key={SECRET}"}}}},
            "frame_images": [{"image_url": {"url": link}}],
        },
    }
    assert SECRET not in json.dumps(VIEWS[view](Job.parse(document)))


def test_each_output_has_links_to_its_own_pictures() -> None:
    linked = show_job(full_record(), lambda video: VideoLink(f"https://link.example/{video.key}"))["video"][0]
    assert linked["url"] == "https://link.example/videos/1.mp4"
    assert linked["poster_url"] == "https://link.example/videos/1.jpg"
    assert linked["last_frame_url"] == "https://link.example/videos/1-last.jpg"
    assert linked["preview_url"] == "https://link.example/videos/1.webp"


def test_an_output_that_is_not_inspected_has_no_links_to_pictures() -> None:
    for inspection in (None, {"inspected_at": now(), "videos": [VideoReport(problem="It is gone.").as_record()]}):
        record = replace(full_record(), inspection=inspection)
        (shown,) = show_job(record, lambda _: VideoLink("l"))["video"]
        assert not {"poster_url", "last_frame_url", "preview_url"} & shown.keys()
