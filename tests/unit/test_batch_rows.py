"""From rows to requests, and what an earlier attempt means for the next run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.batches.item import AttemptState, BatchItem, attempt_state
from stillmotion.batches.manifest import Row
from stillmotion.batches.rows import InvalidRow, Rows, ValidRow, flattened, merged
from stillmotion.errors import InvalidRequest
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import JobError, ProviderState
from stillmotion.modelgates.models import ModelCatalogue, VideoModel
from stillmotion.stepfunctions.execution_input import BusEvent, Unreadable, read_input
from tests.support.fakes import MODEL, a_job

FOLDER = "s3://pictures/shoot/"
ARN = "arn:aws:states:eu-central-1:123456789012:execution:generate-video:one"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["model", "prompt", "duration", "item_id", "first_frame", "frame_images", "metadata", "metadata.a", "size", "trace"]
)


CHEAP, DEAR = (
    VideoModel(
        id=name,
        supported_durations=[4, 6, 8],
        supported_frame_images=["first_frame", "last_frame"],
        pricing_skus={"per-video-second": price},
    )
    for name, price in (("maker/cheap", "0.02"), ("maker/dear", "0.50"))
)


def rows_of(defaults: dict[str, Any] | None = None, *models: VideoModel, default_model: str = "") -> Rows:
    offered = models or (VideoModel(id=MODEL, supported_durations=[4, 6, 8]),)
    return Rows(ModelCatalogue(lambda: list(offered)), FOLDER, defaults or {}, default_model)


def read(row: Any, defaults: dict[str, Any] | None = None, problem: str = "") -> ValidRow | InvalidRow:
    return rows_of(defaults).read(Row(1, row, problem))


def wanted(data: dict[str, Any], defaults: dict[str, Any] | None = None) -> dict[str, Any]:
    found = read(data, defaults)
    assert isinstance(found, ValidRow), found
    return found.request.as_given()


def test_a_row_in_short_is_a_request_with_pictures_in_the_manifests_folder() -> None:
    row = {
        "model": MODEL,
        "first_frame": "a b.png",
        "last_frame": "https://x.example/y.png",
        "metadata.sku": "7",
        "item_id": 7,
    }
    found = read(row)
    assert isinstance(found, ValidRow)
    assert found.item_id == "7"
    assert found.request.metadata == {"sku": "7"}
    assert [frame.image_url.url for frame in found.request.frame_images or ()] == [
        "s3://pictures/shoot/a b.png",
        "https://x.example/y.png",
    ]


def test_a_row_beats_the_defaults_field_by_field() -> None:
    defaults = {"model": MODEL, "prompt": "by default", "duration": 4, "metadata": {"a": "1", "b": "2"}}
    assert wanted({}, defaults)["prompt"] == "by default"
    given = wanted({"prompt": "own", "metadata.b": "3", "duration": 8}, defaults)
    assert (given["prompt"], given["duration"], given["metadata"]) == ("own", 8, {"a": "1", "b": "3"})


def test_a_size_and_a_shape_never_contradict_across_row_and_defaults() -> None:
    shape, size = {"resolution": "720p", "aspect_ratio": "16:9"}, {"size": "1280x720"}
    assert merged(shape, size) == size
    assert merged(size, {"resolution": "720p"}) == {"resolution": "720p"}
    assert merged(shape, {}) == shape


def test_what_a_row_asks_for_names_it_and_its_order_of_keys_does_not() -> None:
    one, same = read({"model": MODEL, "prompt": "p"}), read({"prompt": "p"}, {"model": MODEL})
    other = read({"model": MODEL, "prompt": "q"})
    assert isinstance(one, ValidRow)
    assert isinstance(same, ValidRow)
    assert isinstance(other, ValidRow)
    assert one.content_id == same.content_id != other.content_id


@pytest.mark.parametrize(
    ("row", "code", "pointer"),
    [
        ({"model": MODEL}, "InvalidRequest", "#/prompt"),
        ({"model": MODEL, "prompt": "p", "colour": "red"}, "InvalidRequest", "#/colour"),
        ({"model": MODEL, "prompt": "p", "duration": "long"}, "InvalidRequest", "#/duration"),
        ({"model": MODEL, "prompt": "p", "duration": 5}, "UnsupportedByModel", "#/duration"),
        ({"model": "no/such", "prompt": "p"}, "UnknownModel", "#/model"),
        ({"model": MODEL, "first_frame": "a.png", "frame_images": []}, "InvalidRequest", "#/frame_images"),
        ({"model": MODEL, "prompt": "p", "item_id": ""}, "InvalidRequest", "#/item_id"),
        ({"model": MODEL, "prompt": "p", "item_id": True}, "InvalidRequest", "#/item_id"),
        ({"model": MODEL, "prompt": "p", "item_id": "a\nb"}, "InvalidRequest", "#/item_id"),
        ({"model": MODEL, "prompt": "p", "item_id": "x" * 129}, "InvalidRequest", "#/item_id"),
        ({"model": MODEL, "frame_images": [{"type": []}]}, "InvalidRequest", "#/frame_images/0/image_url"),
    ],
)
def test_a_row_that_cannot_be_taken_on_says_why(row: dict[str, Any], code: str, pointer: str) -> None:
    found = read(row)
    assert isinstance(found, InvalidRow)
    assert found.error.code == code
    assert pointer in [fault.pointer for fault in found.error.faults]


def test_a_row_that_could_not_be_read_says_so() -> None:
    found = read(None, problem="is not JSON")
    assert isinstance(found, InvalidRow)
    assert found.error.detail == "Row 1 is not JSON. Correct it; it was not submitted."


@given(st.dictionaries(fields, json_values, max_size=6))
def test_any_row_is_wanted_or_unusable(data: dict[str, Any]) -> None:
    assert isinstance(read(data, {"model": MODEL}), ValidRow | InvalidRow)


def test_frames_in_full_and_in_short_are_refused_together() -> None:
    with pytest.raises(InvalidRequest):
        flattened({"first_frame": "a.png", "frame_images": [{}]})


FIRST, LAST = (
    {"type": "image_url", "image_url": {"url": f"s3://pictures/shoot/{name}.png"}, "frame_type": f"{name}_frame"}
    for name in ("first", "last")
)


@pytest.mark.parametrize(
    ("defaults", "row"),
    [
        ({"last_frame": "last.png"}, {"first_frame": "first.png"}),
        ({"first_frame": "first.png"}, {"last_frame": "last.png"}),
        ({"first_frame": "other.png", "last_frame": "last.png"}, {"first_frame": "first.png", "last_frame": None}),
        ({"last_frame": "last.png"}, {"frame_images": [FIRST]}),
        ({"frame_images": [LAST, FIRST]}, {"prompt": "p"}),
        ({"frame_images": [FIRST]}, {"last_frame": "last.png"}),
    ],
)
def test_frames_of_defaults_join_those_of_the_row(defaults: dict[str, Any], row: dict[str, Any]) -> None:
    frames = wanted(row, {"model": MODEL} | defaults)["frame_images"]
    for frame in frames:
        frame["type"] = "image_url"
    assert sorted(frames, key=lambda frame: str(frame["frame_type"])) == [FIRST, LAST]


def test_objects_of_defaults_and_rows_are_joined_and_null_is_not_given() -> None:
    defaults = {
        "model": MODEL,
        "prompt": "p",
        "metadata": {"a": "1", "b": "2"},
        "provider": {"options": {"google": {"parameters": {"x": 1, "y": 2}}}},
    }
    row = {"prompt": None, "metadata": {"b": "3"}, "provider": {"options": {"google": {"parameters": {"y": 3}}}}}
    given = merged(flattened(defaults), flattened(row))
    assert given["prompt"] == "p"
    assert given["metadata"] == {"a": "1", "b": "3"}
    assert given["provider"] == {"options": {"google": {"parameters": {"x": 1, "y": 3}}}}


def test_metadata_given_in_two_ways_is_joined_or_refused() -> None:
    assert flattened({"metadata": {"a": "1"}, "metadata.b": "2"}) == {"metadata": {"a": "1", "b": "2"}}
    assert flattened({"metadata": "text", "metadata.b": "2"}) == {"metadata": "text"}
    with pytest.raises(InvalidRequest, match="'a' twice"):
        flattened({"metadata": {"a": "1"}, "metadata.a": "2"})


def test_a_row_that_names_no_model_gets_one_and_no_sound() -> None:
    chosen = rows_of(None, DEAR, CHEAP).read(Row(1, {"first_frame": "a.png"}))
    assert isinstance(chosen, ValidRow)
    asked = chosen.request.as_given()
    assert (asked["model"], asked["duration"], asked["generate_audio"]) == ("maker/cheap", 4, False)
    assert chosen.filled == {"model", "duration", "generate_audio"}
    by_default = rows_of(None, DEAR, CHEAP, default_model="maker/dear").read(Row(1, {"first_frame": "a.png"}))
    assert isinstance(by_default, ValidRow)
    assert by_default.model.id == "maker/dear"


def test_a_row_keeps_its_name_and_its_model_when_prices_change() -> None:
    row = Row(1, {"first_frame": "a.png"})
    first = rows_of(None, DEAR, CHEAP).read(row)
    later = rows_of(None, CHEAP.model_copy(update={"pricing_skus": {"per-video-second": "0.9"}}), DEAR)
    again = later.read(row)
    assert isinstance(first, ValidRow)
    assert isinstance(again, ValidRow)
    assert (first.model.id, again.model.id) == ("maker/cheap", "maker/dear")
    assert first.content_id == again.content_id
    kept = later.as_submitted(again, first.request.as_given())
    assert (kept.request, kept.model.id) == (first.request, "maker/cheap")
    gone = rows_of(None, DEAR).as_submitted(again, first.request.as_given())
    assert gone.request == first.request


@pytest.mark.parametrize(
    ("row", "item_id", "detail"),
    [
        (
            Row(3, {"item_id": 7.0, "model": MODEL, "prompt": "p", "duration": "4s"}, line=9),
            "7",
            "Row 3 (line 9): /duration: input should be a valid integer",
        ),
        (Row(3, None, "has 4 cells for 3 columns", 9, "A"), "A", "Row 3 (line 9) has 4 cells for 3 columns."),
        (Row(3, {"item_id": "a\tb"}, line=9), "a\N{REPLACEMENT CHARACTER}b", "Row 3 (line 9): item_id 'a"),
        (Row(3, {"item_id": "x" * 200}, line=9), "x" * 127 + "…", "must be 1 to 128 printable characters"),
        (
            Row(3, {"item_id": "i", "model": MODEL, "metadata.größe*": "1", "prompt": "p"}, line=9),
            "i",
            "/metadata/größe*: must consist of",
        ),
    ],
)
def test_an_invalid_row_keeps_its_item_id_and_says_its_line(row: Row, item_id: str, detail: str) -> None:
    found = rows_of().read(row)
    assert isinstance(found, InvalidRow)
    assert found.item_id == item_id
    assert detail in found.error.detail


def failed(code: str, **changes: Any) -> Any:
    return a_job(Status.FAILED, error=JobError(code=code, message="m"), **changes)


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (None, AttemptState.NEW),
        (a_job(Status.COMPLETED), AttemptState.DONE),
        (a_job(Status.SUBMIT_UNKNOWN), AttemptState.UNKNOWN),
        (a_job(Status.QUEUED), AttemptState.RESUMABLE),
        (a_job(Status.SUBMITTING), AttemptState.RESUMABLE),
        (a_job(Status.IN_PROGRESS), AttemptState.RESUMABLE),
        (a_job(Status.DELIVERING), AttemptState.RESUMABLE),
        (a_job(Status.TIMED_OUT, error=JobError(code="PollingTimedOut", message="m")), AttemptState.RESUMABLE),
        (failed("DownloadFailed"), AttemptState.RESUMABLE),
        (failed("StorageFailed"), AttemptState.RESUMABLE),
        (failed("StorageFailed", provider=ProviderState()), AttemptState.EXHAUSTED),
        (failed("NotAVideo"), AttemptState.EXHAUSTED),
        (failed("GenerationFailed"), AttemptState.EXHAUSTED),
        (failed("ProviderRejected", provider=ProviderState()), AttemptState.EXHAUSTED),
        (a_job(Status.CANCELLED), AttemptState.EXHAUSTED),
        (a_job(Status.EXPIRED), AttemptState.EXHAUSTED),
    ],
)
def test_only_what_has_failed_for_good_is_attempted_again(job: Any, expected: AttemptState) -> None:
    assert attempt_state(job) is expected


def test_an_attempt_is_one_job_and_another_attempt_another() -> None:
    first = BatchItem("b", "i")
    assert first.job_id == BatchItem("b", "i", 1, "alice").job_id
    others = {BatchItem("b", "i", 2).job_id, BatchItem("b", "j").job_id, BatchItem("c", "i").job_id}
    assert len({first.job_id, *others}) == 4


def test_an_execution_is_given_its_item() -> None:
    data = {"batch": {"id": "b", "item_id": "i", "attempt": 2, "owner": "alice"}, "request": {"model": "m"}}
    started = read_input(data, ARN)
    assert started.job_id == BatchItem("b", "i", 2).job_id
    assert started.request == {"model": "m"}
    assert started.source == {"type": "batch", "batch_id": "b", "item_id": "i"}
    assert (started.owner, started.refused().owner) == ("alice", "alice")
    assert started.refused().id == started.own_id != started.job_id


@pytest.mark.parametrize(
    "batch", [None, {}, {"id": "b"}, {"id": "", "item_id": "i"}, {"id": "b", "item_id": "i", "attempt": 0}, "b"]
)
def test_an_item_that_is_not_named_is_refused_and_still_leaves_a_record(batch: Any) -> None:
    started = read_input({"batch": batch, "request": {"model": "m"}}, ARN)
    assert isinstance(started, Unreadable)
    assert [fault.pointer for fault in started.error.faults] == ["#/batch"]
    assert started.refused().request == {"model": "m"}


def test_an_event_cannot_pass_for_an_item_of_a_batch() -> None:
    event = {
        "detail-type": "Video Generation Requested",
        "batch": {"id": "b", "item_id": "i"},
        "detail": {"model": "m"},
    }
    assert isinstance(read_input(event, ARN), BusEvent)
    assert read_input(event, ARN).request == {"model": "m"}
