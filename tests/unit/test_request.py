"""The request model: what passes, and how everything else is refused by name."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stillmotion.errors import InvalidRequest
from stillmotion.requests.video_request import (
    MAX_FAULTS,
    MAX_FREE_FORM_BYTES,
    MAX_FREE_FORM_DEPTH,
    FrameImage,
    VideoRequest,
    parse_request,
)
from tests.support.fakes import FRAME_URL, a_request

BASE = {"model": "m", "prompt": "p"}


def nested(depth: int) -> Any:
    """A list in a list, so many times."""
    return [nested(depth - 1)] if depth else 1


PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 300
POINTER = re.compile(r"#(/([A-Za-z0-9._!$&'()*+,;=:@?-]|%[0-9A-F]{2}|~[01])*)*")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters(codec=None), max_size=4)
    | st.sampled_from(
        [PICTURE, FRAME_URL + "?sig=secret", " HTTPS://x.example/?sig=secret", "first_frame", "image_url"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*VideoRequest.model_fields, "callback_url", "type", "image_url", "url", "frame_type"])
near_requests = st.dictionaries(names | st.text(), json_values, max_size=5).map(lambda given: BASE | given)
free_form = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    # Whole characters only: half a surrogate pair is refused.
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
urls = st.sampled_from([FRAME_URL, "s3://pictures/a key/ü.png", PICTURE])
references = st.lists(
    st.tuples(st.sampled_from(["image_url", "audio_url", "video_url"]), urls).map(
        lambda made: {"type": made[0], made[0]: {"url": made[1]}}
    ),
    min_size=1,
    max_size=4,
)
frames = st.permutations(["first_frame", "last_frame"]).flatmap(
    lambda types: st.lists(urls, min_size=1, max_size=2).map(
        lambda given: [
            {"type": "image_url", "image_url": {"url": url}, "frame_type": kind}
            for url, kind in zip(given, types, strict=False)
        ]
    )
)
good_requests = st.fixed_dictionaries(
    {"model": st.text(min_size=1, max_size=20), "prompt": st.text(min_size=1, max_size=50)},
    optional={
        "duration": st.integers(1, 600),
        "resolution": st.sampled_from(["360p", "720p", "1080p", "1K", "4K", "8K"]),
        "aspect_ratio": st.sampled_from(["16:9", "9:16", "1:1", "4:5", "21:9"]),
        "generate_audio": st.booleans(),
        "seed": st.integers(0, 2**63 - 1),
        "frame_images": frames,
        "input_references": references,
        "trace": st.dictionaries(st.text(max_size=8), free_form, max_size=3),
        "provider": st.dictionaries(
            st.text(max_size=8), st.dictionaries(st.text(max_size=8), free_form, max_size=3), max_size=2
        ).map(lambda options: {"options": {slug: {"parameters": values} for slug, values in options.items()}}),
        "upscale_factor": st.floats(0.1, 8),
        "creativity": st.integers(),
        "session_id": st.text(min_size=1, max_size=20),
        "metadata": st.dictionaries(
            st.from_regex(r"[A-Za-z0-9_.:/ -]{1,64}", fullmatch=True), st.text(max_size=50), max_size=20
        ),
    },
)


def refusal(data: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        parse_request(data)
    return refused.value


def faults(**changes: Any) -> dict[str, Any]:
    """The faults of a request with some fields changed, by pointer."""
    return {fault.pointer: fault for fault in refusal(BASE | changes).faults}


@given(good_requests)
def test_a_request_survives_json_record_and_parsing_unchanged(data: dict[str, Any]) -> None:
    request = parse_request(json.loads(json.dumps(data)))
    again = parse_request(json.loads(json.dumps(request.as_given())))
    assert again == request
    assert again.as_given() == request.as_given()
    assert again.body() == request.body()
    for name in data.keys() & {"trace", "provider"}:
        assert json.dumps(request.body()[name], sort_keys=True) == json.dumps(data[name], sort_keys=True)
    assert "metadata" not in request.body()


@pytest.mark.slow
@given(json_values | near_requests)
@example(BASE | {"duration": float("nan")})
@example(BASE | {"upscale_factor": float("inf")})
@example(BASE | {"prompt": "\ud800", "\ud800": 1})
@example(BASE | {"input_references": [{"type": PICTURE}, 5, {}, {"type": "image_url", PICTURE: 1}]})
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_value_parses_or_is_refused_with_pointers(data: Any) -> None:
    try:
        parse_request(data)
        return
    except InvalidRequest as error:
        refused = error
    assert refused.faults
    assert all(POINTER.fullmatch(fault.pointer) for fault in refused.faults)
    told = json.dumps(refused.as_record(), allow_nan=False)
    assert "secret" not in told
    assert PICTURE[:100] not in told


@pytest.mark.parametrize("data", [None, 5, "text", [], [BASE]])
def test_what_is_no_object_is_refused_as_such(data: Any) -> None:
    [fault] = refusal(data).faults
    assert (fault.pointer, fault.given) == ("#", type(data).__name__)


def test_every_wrong_field_is_named_with_value_and_remedy() -> None:
    found = faults(
        model=None,
        duration="4",
        resolution="high",
        frame_images=[{"image_url": {"url": "ftp://x?sig=1"}, "frame_type": "middle"}, {"frame_type": "last_frame"}],
        input_references=[{"type": "smell_url"}, {}],
        provider={"options": {"google": 5}},
        colour="blue",
    )
    assert set(found) == {
        "#/model",
        "#/duration",
        "#/resolution",
        "#/frame_images/0/image_url/url",
        "#/frame_images/0/frame_type",
        "#/frame_images/1/image_url",
        "#/input_references/0/type",
        "#/input_references/1/type",
        "#/provider/options/google",
        "#/colour",
    }
    assert found["#/duration"].given == "4"
    assert found["#/resolution"].given == "high"
    assert "for example 720p or 4K" in found["#/resolution"].detail
    assert found["#/frame_images/0/frame_type"].allowed == ["first_frame", "last_frame"]
    assert found["#/frame_images/0/image_url/url"].given == "ftp://x?…"
    assert found["#/input_references/0/type"].allowed == ["image_url", "audio_url", "video_url"]
    assert "is missing" in found["#/frame_images/1/image_url"].detail


def test_the_text_of_a_refusal_tells_every_fault_and_what_to_do() -> None:
    told = refusal({"prompt": "p", "duration": 0, "colour": 1, "metadata": {"größe/~": 1}}).detail
    assert all(f"{place}: " in told for place in ("/model", "/duration", "/colour", "/metadata/größe/~"))
    assert "#" not in told
    assert told.endswith("Correct this and send the request again; nothing was submitted.")


def test_an_unknown_field_is_refused_by_name_and_the_known_ones_are_given() -> None:
    fault = faults(colour="blue")["#/colour"]
    assert fault.allowed == sorted(VideoRequest.model_fields)
    assert "callback_url" not in fault.allowed
    [inner] = faults(frame_images=[{"image_url": {"url": FRAME_URL}, "frame_type": "last_frame", "x": 1}]).values()
    assert (inner.pointer, inner.allowed) == ("#/frame_images/0/x", sorted(FrameImage.model_fields))


def test_a_callers_callback_address_is_refused_with_advice() -> None:
    found = faults(callback_url="https://me.example/hook?token=secret", duration=0)
    assert "Video Generation Completed" in found["#/callback_url"].detail
    assert "event bus" in found["#/callback_url"].detail
    assert found["#/callback_url"].given is None
    assert "#/duration" in found


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"size": "1280x720", "resolution": "720p"}, "#/size"),
        ({"size": "1280x720", "aspect_ratio": "16:9"}, "#/size"),
        ({"prompt": None}, "#/prompt"),
        ({"size": "1280 x 720"}, "#/size"),
        ({"size": "0x720"}, "#/size"),
        ({"frame_images": []}, "#/frame_images"),
        ({"trace": {"x": float("nan")}}, "#/trace"),
        ({"trace": {"x": "\ud800"}}, "#/trace"),
        ({"trace": {"x": nested(MAX_FREE_FORM_DEPTH)}}, "#/trace"),
        ({"trace": {"x": nested(260)}}, "#/trace"),
        ({"provider": {"options": {"a": {"parameters": {"x": nested(260)}}}}}, "#/provider"),
        ({"trace": {"x": "x" * MAX_FREE_FORM_BYTES}}, "#/trace"),
        ({"provider": {"options": {"x": {"parameters": {"x": "x" * MAX_FREE_FORM_BYTES}}}}}, "#/provider"),
        ({"metadata": {"a?b": "x"}}, "#/metadata/a?b"),
        ({"metadata": {"a": 5}}, "#/metadata/a"),
        ({"metadata": {"a": "x" * 513}}, "#/metadata/a"),
        ({"metadata": {str(at): "x" for at in range(21)}}, "#/metadata"),
        ({"upscale_factor": float("inf")}, "#/upscale_factor"),
        ({"seed": -1}, "#/seed"),
        ({"duration": True}, "#/duration"),
        ({"duration": 4.5}, "#/duration"),
        ({"session_id": "x" * 257}, "#/session_id"),
    ],
)
def test_a_wrong_value_is_refused_with_its_pointer(changes: dict[str, Any], pointer: str) -> None:
    assert set(faults(**changes)) == {pointer}


def test_two_images_for_one_end_are_refused() -> None:
    frame = {"image_url": {"url": FRAME_URL}, "frame_type": "last_frame"}
    found = faults(frame_images=[frame, frame], size="1280x720", resolution="720p")
    assert set(found) == {"#/frame_images/1/frame_type", "#/size"}


@pytest.mark.parametrize("field", ["frame_images", "input_references", "previous_job_id"])
def test_a_prompt_may_be_missing_where_there_is_something_to_start_from(field: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": FRAME_URL}}
    start = {
        "frame_images": [picture | {"frame_type": "first_frame"}],
        "input_references": [picture],
        "previous_job_id": "job-0",
    }
    assert parse_request({"model": "m", field: start[field]}).prompt is None


@pytest.mark.slow
def test_a_deeply_nested_value_is_refused_and_no_traceback() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert set(faults(trace={"x": deep})) == {"#/trace"}
    assert set(faults(colour=deep)) == {"#/colour"}


def test_of_many_faults_the_first_are_listed_and_the_rest_counted() -> None:
    refused = refusal(BASE | {f"field-{at}-{'x' * 200}": 1 for at in range(1000)})
    assert len(refused.faults) == MAX_FAULTS
    assert f"and {1000 - MAX_FAULTS} more" in refused.detail
    assert len(json.dumps(refused.as_record())) < 50_000


def test_every_address_is_found_and_can_be_replaced_by_its_pointer() -> None:
    sound = {"type": "audio_url", "audio_url": {"url": "https://a.example/s.mp3"}}
    request = a_request(input_references=[sound])
    places = dict(request.media())
    assert list(places) == ["#/frame_images/0/image_url/url", "#/input_references/0/audio_url/url"]
    changed = request.with_media({"#/input_references/0/audio_url/url": "s3://b/k"})
    assert dict(changed.media()) == places | {"#/input_references/0/audio_url/url": "s3://b/k"}
    assert changed.model_copy(update={"input_references": request.input_references}) == request


@pytest.mark.parametrize("given", [{"resolution": "1440p", "aspect_ratio": "4:5"}, {"resolution": "8K"}])
def test_models_may_list_other_resolutions_and_ratios(given: dict[str, str]) -> None:
    assert parse_request(BASE | given).as_given().items() >= given.items()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resolution", "720"),
        ("resolution", "p720"),
        ("aspect_ratio", "16x9"),
        ("aspect_ratio", "0:9"),
        ("size", "１280x720"),
        ("resolution", "７20p"),
    ],
)
def test_what_cannot_be_a_resolution_or_ratio_is_refused(field: str, value: str) -> None:
    assert set(faults(**{field: value})) == {f"#/{field}"}


def test_what_is_nested_as_deep_as_is_taken_can_be_recorded() -> None:
    taken = parse_request(BASE | {"trace": {"x": nested(MAX_FREE_FORM_DEPTH - 2)}})
    assert json.loads(json.dumps(taken.as_given()))["trace"] == taken.trace
