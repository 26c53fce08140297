"""Job ids, and the parts of a record that leave the house."""

from __future__ import annotations

import json
import re
import time
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.errors import ERRORS
from stillmotion.jobs.fields import MalformedRecord
from stillmotion.jobs.lifecycle import STATUS_OF_ERROR, TERMINAL, Status
from stillmotion.jobs.public import http_view, workflow_output
from stillmotion.jobs.record import Job, ProviderState, Usage, derived_job_id, new_job_id, now, record_expiry
from stillmotion.modelgates.job import ProviderJob
from tests.support.fakes import a_job, a_request

ID = re.compile(r"vid_[0-9a-hjkmnp-tv-z]{26}")


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_the_same_parts_always_give_the_same_id(parts: list[str]) -> None:
    assert ID.fullmatch(derived_job_id(*parts))
    assert derived_job_id(*parts) == derived_job_id(*parts)


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_different_keys_of_a_scope_give_different_ids(one: tuple[str, str], other: tuple[str, str]) -> None:
    # A scope is ours and never holds a null character.
    one, other = (one[0].replace("\x00", ""), one[1]), (other[0].replace("\x00", ""), other[1])
    assert (derived_job_id(*one) == derived_job_id(*other)) == (one == other)


def test_a_key_that_no_encoding_knows_gives_an_id_too() -> None:
    assert ID.fullmatch(derived_job_id("event-id", "\ud800"))


def test_a_derived_id_never_changes_between_releases() -> None:
    assert derived_job_id("http", "arn:aws:iam::123456789012:user/alice", "order-7") == "vid_6t0mpgxvt7f50ngxccfn361hfd"


def test_fresh_ids_differ_and_sort_by_time() -> None:
    first = new_job_id()
    time.sleep(0.002)
    rest = {new_job_id() for _ in range(1000)}
    assert len(rest) == 1000
    assert all(ID.fullmatch(made) and made > first for made in rest)


def test_a_record_is_kept_for_ninety_days() -> None:
    assert record_expiry() == pytest.approx(time.time() + 90 * 86400, abs=5)


def test_every_error_with_a_status_of_its_own_exists_and_ends_the_job() -> None:
    assert set(STATUS_OF_ERROR) <= set(ERRORS)
    assert set(STATUS_OF_ERROR.values()) <= TERMINAL
    assert {status for status in Status if a_job(status).terminal} == TERMINAL


def test_the_age_of_a_record_is_counted_from_its_last_change() -> None:
    assert 0 <= a_job().age_seconds < 5
    assert a_job(updated_at="2020-01-01T00:00:00.000Z").age_seconds > 86400
    assert now().endswith("Z")


def test_what_callers_see_holds_nothing_private_and_no_signature() -> None:
    frame = {"image_url": {"url": "https://b.example/cat.png?X-Amz-Signature=secret"}, "frame_type": "first_frame"}
    reference = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 100}}
    request = a_request(frame_images=[frame], input_references=[reference], trace={"ticket": "a?b"})
    job = a_job(request=request.as_given(), owner="arn:alice", expires_at=5, published_at=now(), metadata={"a": "b"})
    shown = http_view(job)
    told = json.dumps(shown)
    assert "secret" not in told
    assert "QUJD" * 20 not in told
    assert not shown.keys() & {"owner", "request_hash", "published_at", "expires_at"}
    assert shown["request"]["frame_images"][0]["image_url"]["url"] == "https://b.example/cat.png?…"
    assert shown["request"]["trace"] == {"ticket": "a?b"}
    assert shown["metadata"] == {"a": "b"}
    assert job.request["frame_images"][0]["image_url"]["url"].endswith("secret")


def test_the_workflow_output_has_only_the_stored_videos_fields() -> None:
    job = a_job(Status.COMPLETED, completed_at=now(), usage=Usage(cost_usd=0.5), metadata={"a": "b"})
    assert set(workflow_output(job)) == {"id", "status", "model", "video", "usage", "metadata", "completed_at"}


@pytest.mark.parametrize(
    ("changes", "place", "wanted"),
    [
        ({"status": "sleeping"}, "Job.status", "one of queued, submitting"),
        ({"polls": "3"}, "Job.polls", "a whole number"),
        ({"polls": True}, "Job.polls", "a whole number"),
        ({"polls": 1.5}, "Job.polls", "a whole number"),
        ({"polls": None}, "Job.polls", "a whole number"),
        ({"usage": {"cost_usd": "0.25"}}, "Job.usage.cost_usd", "a number"),
        ({"usage": [0.25]}, "Job.usage", "an object"),
        ({"error": {"code": "X", "message": 7}}, "Job.error.message", "text"),
        ({"error": {"code": "X", "message": "m", "retryable": 1}}, "Job.error.retryable", "true or false"),
        ({"error": {"code": "X", "message": "m", "faults": [5]}}, "Job.error.faults[0]", "an object"),
        ({"video": {"bucket": "b"}}, "Job.video", "a list"),
        ({"metadata": {"a": 1}}, "Job.metadata.a", "text"),
        ({"source": {1: "http"}}, "Job.source", "an object"),
        ({"owner": 7}, "Job.owner", "text"),
    ],
)
def test_a_malformed_record_is_refused_by_field(changes: dict[str, Any], place: str, wanted: str) -> None:
    with pytest.raises(MalformedRecord) as refused:
        Job.parse(a_job().as_json() | changes)
    assert str(refused.value).startswith(f"{place} must be {wanted}")
    assert "0.25" not in str(refused.value)


@pytest.mark.parametrize("name", ["id", "status", "request", "created_at"])
def test_a_record_without_a_required_field_is_refused(name: str) -> None:
    stored = a_job().as_json()
    del stored[name]
    with pytest.raises(MalformedRecord, match=f"^Job.{name} is missing"):
        Job.parse(stored)


def test_a_record_as_json_has_no_unknown_fields_and_keeps_callers_nulls() -> None:
    job = a_job(Status.QUEUED, request={"model": "m", "trace": {"a": None, "b": [None]}})
    stored = job.as_json()
    assert stored["status"] == "queued"
    assert stored["request"] == {"model": "m", "trace": {"a": None, "b": [None]}}
    assert (stored["usage"], stored["provider"], stored["video"], stored["polls"]) == ({}, {}, [], 0)
    assert not stored.keys() & {"owner", "error", "reserved", "completed_at", "estimated_cost_usd"}
    assert Job.parse(json.loads(json.dumps(stored))) == job


def test_a_first_answer_gives_the_job_its_id_and_address() -> None:
    answer = ProviderJob("job-7", "pending", "gen-1", "/poll/7", "said so", cost_usd=0.5)
    state = ProviderState(
        job_id="job-7", generation_id="gen-1", status="pending", polling_url="/poll/7", error="said so"
    )
    assert a_job(Status.SUBMITTING).with_answer(answer) == {"provider": state, "usage": Usage(cost_usd=0.5)}


def test_a_later_answer_keeps_the_id_the_address_and_what_it_does_not_say() -> None:
    known = ProviderState(job_id="job-7", generation_id="gen-1", status="pending", polling_url="/poll/7", error="e")
    job = a_job(provider=known, usage=Usage(cost_usd=0.5))
    later = job.with_answer(ProviderJob("job-8", "completed", polling_url="/poll/8"))
    assert later == {"provider": replace(known, status="completed"), "usage": Usage(cost_usd=0.5)}


def test_an_answer_about_another_job_replaces_what_was_known() -> None:
    known = ProviderState(job_id="job-7", generation_id="gen-1", status="pending", polling_url="/poll/7", error="e")
    found = ProviderJob("job-9", "completed", polling_url="/poll/9", cost_usd=0.25)
    changes = a_job(Status.SUBMIT_UNKNOWN, provider=known).with_answer(found, as_id="job-8")
    assert changes["provider"] == ProviderState(job_id="job-8", status="completed", polling_url="/poll/9")
    assert changes["usage"] == Usage(cost_usd=0.25)


def test_a_record_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        a_job().polls = 5  # type: ignore[misc]


def test_a_record_of_an_older_or_newer_release_can_be_read() -> None:
    job = Job.parse(a_job().as_json() | {"a_field_of_tomorrow": 1, "provider": {"job_id": "x", "more": 1}})
    assert job.provider == ProviderState(job_id="x")
    assert a_job(request={}).model == "unknown"
