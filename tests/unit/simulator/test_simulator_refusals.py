"""What the API refuses, with which status, and which parameter it names."""

from typing import Any

import pytest

from local.simulator import Simulator
from tests.unit.simulator.support import Client, frame

IMAGE = "https://example.com/a.png"


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer", "Bearer ", "Basic mg-local-key", "mg-local-key"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/videos"), ("GET", "/api/v1/videos/x"), ("GET", "/api/v1/videos/x/content?index=0")],
)
def test_calls_without_the_right_key_are_refused(sim: Simulator, method: str, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = Client(sim, key=None).call(method, path, {} if method == "POST" else None, **headers)
    assert answer.status == 401
    document = answer.json()
    assert document["error"]["code"] == 401
    assert set(document["error"]) == {"code", "message", "metadata"}
    assert document["user_id"] is None


def test_the_key_can_be_set(sim: Simulator, client: Client) -> None:
    sim.settings(api_key="rotated")
    assert client.submit().status == 401
    client.key = sim.api_key
    assert client.submit().status == 202


@pytest.mark.parametrize(
    ("parameter", "fields"),
    [
        ("prompt", {"prompt": ""}),
        ("prompt", {"prompt": None}),
        ("prompt", {"prompt": 7}),
        ("duration", {"duration": 5}),
        ("duration", {"duration": "4"}),
        ("duration", {"duration": True}),
        ("duration", {"model": "simulator/states-nothing", "duration": 0}),
        ("duration", {"model": "simulator/states-nothing", "duration": 61}),
        ("resolution", {"resolution": "4K"}),
        ("resolution", {"model": "simulator/states-nothing", "resolution": "721p"}),
        ("aspect_ratio", {"aspect_ratio": "1:1"}),
        ("aspect_ratio", {"model": "simulator/states-nothing", "aspect_ratio": "5:4"}),
        ("size", {"model": "simulator/sizes-only", "size": "640x360"}),
        ("size", {"size": "640x360"}),
        ("size", {"model": "simulator/states-nothing", "size": "wide"}),
        ("size", {"model": "simulator/states-nothing", "size": "9000x9000"}),
        ("size", {"size": "1280x720", "resolution": "720p"}),
        ("generate_audio", {"generate_audio": "yes"}),
        ("generate_audio", {"model": "minimax/hailuo-2.3", "generate_audio": True}),
        ("seed", {"seed": 1.5}),
        ("frame_images", {"frame_images": {}}),
        ("frame_images[0]", {"frame_images": ["x"]}),
        ("frame_images[0].type", {"frame_images": [{**frame(IMAGE), "type": "image"}]}),
        ("frame_images[0].frame_type", {"frame_images": [frame(IMAGE, "middle_frame")]}),
        ("frame_images[0].image_url.url", {"frame_images": [{**frame(IMAGE), "image_url": IMAGE}]}),
        ("frame_images[0].image_url.url", {"frame_images": [frame("s3://bucket/key.png")]}),
        ("frame_images[0].image_url.url", {"frame_images": [frame("data:text/plain;base64,AAAA")]}),
        ("frame_images[1].frame_type", {"frame_images": [frame(IMAGE), frame(IMAGE)]}),
        ("frame_images[0].frame_type", {"model": "simulator/text-only", "frame_images": [frame(IMAGE)]}),
        ("frame_images[0].frame_type", {"model": "minimax/hailuo-2.3", "frame_images": [frame(IMAGE, "last_frame")]}),
        ("input_references[0].type", {"input_references": [{"type": "text"}]}),
        ("input_references[0].image_url.url", {"input_references": [{"type": "image_url"}]}),
        ("input_references[0].audio_url.url", {"input_references": [{"type": "audio_url", "audio_url": 3}]}),
        ("provider.options", {"provider": {"options": []}}),
        ("provider.options.google.parameters", {"provider": {"options": {"google": {"parameters": 1}}}}),
        (
            "provider.options.google.parameters.steps",
            {"provider": {"options": {"google": {"parameters": {"steps": 1}}}}},
        ),
        ("callback_url", {"callback_url": "http://example.com/hook"}),
        ("callback_url", {"callback_url": "ftp://localhost/hook"}),
        ("callback_url", {"callback_url": "https://[broken"}),
        ("previous_job_id", {"previous_job_id": "vgen-unknown"}),
        ("session_id", {"session_id": "x" * 257}),
        ("user", {"user": 1}),
        ("trace", {"trace": "abc"}),
        ("upscale_factor", {"upscale_factor": 2}),
        ("upscale_factor", {"model": "simulator/upscaler", "upscale_factor": 5}),
        ("upscale_factor", {"model": "simulator/upscaler", "upscale_factor": "2"}),
        ("creativity", {"creativity": 1}),
        ("metadata", {"metadata": {}}),
    ],
)
def test_bad_parameter_is_named(sim: Simulator, client: Client, parameter: str, fields: dict[str, Any]) -> None:
    answer = client.submit(**fields)
    assert answer.status == 400
    error = answer.json()["error"]
    assert error["code"] == 400
    assert error["metadata"]["parameter"] == parameter
    assert f"'{parameter}'" in error["message"]
    assert sim.jobs() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe"])
def test_bodies_that_are_no_json_object_are_refused(client: Client, body: bytes) -> None:
    assert client.call("POST", "/api/v1/videos", body).status == 400


def test_model_is_required_and_must_exist(client: Client) -> None:
    missing = client.call("POST", "/api/v1/videos", {"prompt": "x"})
    assert (missing.status, missing.json()["error"]["metadata"]) == (400, {"parameter": "model"})
    assert client.submit(model="acme/none").status == 404


def test_what_the_models_allow_is_accepted(client: Client) -> None:
    upscale = {"model": "simulator/upscaler", "prompt": "x", "upscale_factor": 2.5, "creativity": 3}
    assert client.call("POST", "/api/v1/videos", upscale).status == 202
    image_alone = {"model": "simulator/image-alone", "frame_images": [frame(IMAGE)]}
    assert client.call("POST", "/api/v1/videos", image_alone).status == 202
    passed = {"google": {"parameters": {"negativePrompt": "rain"}}}
    everything = {"session_id": "s", "user": "u", "trace": {"a": 1}, "seed": 3, "provider": {"options": passed}}
    assert (
        client.submit(**everything, input_references=[{"type": "video_url", "video_url": {"url": "x"}}]).status == 202
    )


def test_unknown_fields_pass_where_the_service_is_lenient(sim: Simulator, client: Client) -> None:
    sim.settings(strict_fields=False)
    assert client.submit(metadata={}).status == 202


def test_unknown_jobs_and_addresses_are_not_found(client: Client) -> None:
    for path in ("/api/v1/videos/none", "/api/v1/videos/none/content?index=0", "/api/v2/else"):
        answer = client.call("GET", path)
        assert answer.status == 404
        assert answer.json()["error"]["code"] == 404
    assert client.call("DELETE", "/api/v1/videos").status == 405


def test_content_of_an_unfinished_job_is_a_conflict(sim: Simulator, client: Client) -> None:
    sim.settings(seconds_to_ready=100)
    job = client.accepted()
    assert client.call("GET", f"/api/v1/videos/{job['id']}/content?index=0").status == 409


def test_credits_run_out(sim: Simulator, client: Client) -> None:
    sim.settings(credits_usd=0.41)
    assert [client.submit(duration=4).status for _ in range(3)] == [202, 202, 402]
    assert sim.settings()["credits_usd"] == 0.01
    assert len(sim.jobs()) == 2


def test_moderation_refuses_a_word(sim: Simulator, client: Client) -> None:
    sim.settings(moderation_word="explosion")
    answer = client.submit(prompt="a large Explosion")
    assert answer.status == 403
    assert answer.json()["error"]["metadata"]["reasons"] == ["content_policy"]
    assert sim.jobs() == []


def test_a_body_over_fifty_mebibytes_is_too_large(client: Client) -> None:
    body = b'{"model": "x", "prompt": "' + b"a" * (50 * 1024 * 1024) + b'"}'
    for headers in ({}, {"Transfer_Encoding": "chunked"}):
        answer = client.call("POST", "/api/v1/videos", body, **headers)
        assert (answer.status, answer.json()["error"]["code"]) == (413, 413)
