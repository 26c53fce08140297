"""Images: checked before anything is paid, made fetchable without becoming public."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
import urllib3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from moto import mock_aws

from stillmotion.errors import ImageNotUsable, StorageFailed
from stillmotion.outbound.address_guard import origin
from stillmotion.outbound.guarded_client import GuardedClient
from stillmotion.requests import media
from stillmotion.requests.media import Images
from stillmotion.requests.video_request import VideoRequest, parse_request
from tests.support.wire import Script, Wire, answer, hang_up, reset, silence

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
FIRST = "#/frame_images/0/image_url/url"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client(
            "s3", "us-east-1", config=Config(signature_version="s3v4", retries={"total_max_attempts": 1})
        )
        client.create_bucket(Bucket="pictures")
        yield client


def prepared(s3: Any, *trusted: Wire, **options: Any) -> Images:
    timeout = urllib3.Timeout(connect=0.5, read=0.3)
    return Images(s3, "pictures", GuardedClient([origin(wire.url) for wire in trusted], timeout), **options)


def request(*urls: str, **fields: Any) -> VideoRequest:
    kinds = ("first_frame", "last_frame")
    frames = [
        {"type": "image_url", "image_url": {"url": url}, "frame_type": kind}
        for url, kind in zip(urls, kinds, strict=False)
    ]
    return parse_request({"model": "m", "prompt": "p", **({"frame_images": frames} if frames else {}), **fields})


def refused(images: Images, *urls: str) -> str:
    """Why the first of these images will not do."""
    with pytest.raises(ImageNotUsable) as error:
        images.check(request(*urls))
    assert error.value.faults[0].pointer == FIRST
    assert "nothing was submitted" in str(error.value)
    return error.value.faults[0].detail


def put(s3: Any, key: str = "a.png", body: bytes = PNG, content_type: str = "image/png") -> str:
    s3.put_object(Bucket="pictures", Key=key, Body=body, ContentType=content_type)
    return f"s3://pictures/{key}"


def data_url(body: bytes, content_type: str = "image/png") -> str:
    return f"data:{content_type};base64,{base64.b64encode(body).decode()}"


def test_a_request_without_images_is_checked_without_calls() -> None:
    prepared(None).check(request())
    assert (
        prepared(None).upload_inline_media(request(), "vid_1")
        == prepared(None).with_fetchable_urls(request())
        == request()
    )


@pytest.mark.parametrize(
    "script",
    [
        answer(200, PNG, Content_Type="image/png"),
        answer(206, PNG[:64], Content_Type="IMAGE/JPEG; charset=binary", Content_Range="bytes 0-63/208"),
        answer(200, b"x", length=10**9, Content_Type="image/webp"),
    ],
)
def test_a_usable_image_is_checked_by_its_first_bytes(script: bytes) -> None:
    with Wire([script]) as wire:
        prepared(None, wire).check(request(f"{wire.url}/a.png?X-Amz-Signature=SECRET"))
    [seen] = wire.seen
    assert seen.line.startswith("GET /a.png?X-Amz-Signature=SECRET ")
    assert seen.headers["range"] == "bytes=0-65535"


UNUSABLE: dict[str, tuple[Script, str]] = {
    "404": (answer(404), "HTTP 404"),
    "403": (answer(403, b"<Error/>", Content_Type="application/xml"), "HTTP 403"),
    "204": (answer(204), "HTTP 204"),
    "500": (answer(500), "HTTP 500"),
    "html": (answer(200, b"<html>", Content_Type="text/html; charset=utf-8"), "is text/html, not image/*"),
    "video": (answer(200, b"x", Content_Type="video/mp4"), "is video/mp4, not image/*"),
    "opaque": (answer(200, PNG, Content_Type="binary/octet-stream"), "is binary/octet-stream, not image/*"),
    "no type": (answer(200, PNG), "is of no stated type"),
    "redirect": (answer(302, Location="https://a.example/?token=SECRET"), "answers a redirect (HTTP 302)"),
    "silence": (silence, "did not answer"),
    "reset": (reset, "did not answer"),
    "end": (hang_up, "did not answer"),
}


@pytest.mark.parametrize(("script", "why"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_image_is_refused_with_reason_and_redacted_address(script: Script, why: str) -> None:
    with Wire([script]) as wire, pytest.raises(ImageNotUsable) as error:
        prepared(None, wire).check(request(f"{wire.url}/a.png?X-Amz-Signature=SECRET"))
    [fault] = error.value.faults
    assert why in fault.detail
    assert fault.given == f"{wire.url}/a.png?…"
    assert "SECRET" not in f"{error.value} {error.value.as_record()}"


def test_an_inner_address_is_not_even_tried() -> None:
    with Wire([answer(200, PNG, Content_Type="image/png")]) as wire:
        assert "only https is fetched" in refused(prepared(None), f"{wire.url}/a.png")
        assert "not on the public internet" in refused(prepared(None), f"https://127.0.0.1:{wire.port}/a.png")
        assert "has no address" in refused(prepared(None), "https://pictures.invalid/a.png")
        assert "password" in refused(prepared(None), "https://user:SECRET@pictures.example/a.png")
    assert wire.connections == 0


def test_every_bad_image_is_reported_at_once() -> None:
    with Wire([answer(404)]) as wire, pytest.raises(ImageNotUsable) as error:
        prepared(None, wire).check(request(f"{wire.url}/a.png", "http://10.0.0.1/b.png"))
    assert [fault.pointer for fault in error.value.faults] == [FIRST, "#/frame_images/1/image_url/url"]


def test_images_that_trickle_in_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    enough = threading.Event()

    def trickle(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not enough.wait(0.05):
            connection.sendall(b"y")

    monkeypatch.setattr(media, "PROBE_DEADLINE_SECONDS", 0.3)
    started = time.monotonic()
    with Wire([trickle]) as wire:
        more = [{"type": "image_url", "image_url": {"url": wire.url}}] * 8
        with pytest.raises(ImageNotUsable) as error:
            prepared(None, wire).check(request(wire.url, wire.url, input_references=more))
        took = time.monotonic() - started
        enough.set()
    assert ["did not answer within" in fault.detail for fault in error.value.faults] == [True] * 10
    assert took < 2  # far from ten times the deadline


def test_an_object_is_known_by_its_bytes_whatever_it_was_stored_as(s3: Any) -> None:
    for head, stored, known in (
        (PNG, "binary/octet-stream", "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(99), "text/plain", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBP", "application/octet-stream", "image/webp"),
        (b"unknown to us", "IMAGE/X-New", "image/x-new"),
    ):
        url = put(s3, "a", head, stored)
        prepared(s3).check(request(url))
        link = prepared(s3).with_fetchable_urls(request(url)).frame_images[0].image_url.url
        assert parse_qs(urlsplit(link).query)["response-content-type"] == [known]


def test_a_presigned_link_delivers_the_private_object_with_its_real_type(s3: Any) -> None:
    url = put(s3, "drop/a b+c.png", content_type="binary/octet-stream").replace("s3:", "S3:")
    given = request(url, "https://pictures.example/b.png")
    sent = prepared(s3, link_seconds=600).with_fetchable_urls(given)
    link, other = (frame.image_url.url for frame in sent.frame_images)
    got = requests.get(link, timeout=5)
    assert (got.status_code, got.headers["content-type"], got.content) == (200, "image/png", PNG)
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["600"]
    assert other == "https://pictures.example/b.png"
    assert given.frame_images[0].image_url.url == url


def test_an_object_goes_inline_where_modelgates_cannot_reach_the_bucket(s3: Any) -> None:
    url = put(s3, content_type="binary/octet-stream")
    sent = prepared(s3, inline=True).with_fetchable_urls(request(url))
    assert sent.frame_images[0].image_url.url == data_url(PNG)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3://pictures/missing.png", "cannot be read from S3 (NoSuchKey)"),
        ("s3://elsewhere/a.png", "cannot be read from S3 (NoSuchBucket)"),
        ("s3://pictures", "not of the form s3://bucket/key"),
        ("s3://pictures/", "not of the form s3://bucket/key"),
        ("s3:///a.png", "not of the form s3://bucket/key"),
        ("s3://no such bucket!/a.png", "not of the form s3://bucket/key"),
        ("s3://pictures/empty", "cannot be read from S3"),
        ("s3://pictures/text", "is text/plain, not image/*"),
    ],
)
def test_an_object_that_is_no_image_is_refused_before_and_while_submitting(s3: Any, url: str, why: str) -> None:
    put(s3, "empty", b"")
    put(s3, "text", b"hello", "text/plain")
    assert why in refused(prepared(s3), url)
    with pytest.raises(ImageNotUsable, match="nothing was submitted"):
        prepared(s3).with_fetchable_urls(request(url))


def test_an_object_that_is_too_large_is_refused(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MAX_MEDIA_BYTES", len(PNG) - 1)
    assert "has 208 bytes, at most 207" in refused(prepared(s3), put(s3))


def fail(s3: Any, after: int = 0) -> None:
    """Let S3 refuse every call but the first few."""
    calls: list[str] = []

    def answering(request: Any, **_: Any) -> AWSResponse | None:
        calls.append(request.url)
        raw = SimpleNamespace(stream=lambda **_: iter([b"<Error><Code>SlowDown</Code></Error>"]))
        return AWSResponse(request.url, 503, {}, raw) if len(calls) > after else None

    s3.meta.events.register_first("before-send.s3", answering)


@pytest.mark.parametrize(("calls", "inline"), [(0, False), (0, True), (1, True)])
def test_s3_being_away_is_not_the_fault_of_the_caller(s3: Any, calls: int, inline: bool) -> None:
    given = request(put(s3))
    fail(s3, after=calls)
    with pytest.raises(StorageFailed, match="Try again"):
        prepared(s3, inline=inline).with_fetchable_urls(given)
    with pytest.raises(StorageFailed, match="Try again"):
        prepared(s3, inline=inline).check(given)
    with pytest.raises(StorageFailed, match="nothing was submitted"):
        prepared(s3).upload_inline_media(request(data_url(PNG)), "vid_1")


def test_image_data_is_moved_into_the_bucket_and_leaves_the_request(s3: Any) -> None:
    given = request(
        data_url(PNG, "image/jpeg"),
        input_references=[{"type": "audio_url", "audio_url": {"url": data_url(b"ID3...", "audio/mpeg")}}],
    )
    prepared(s3).check(given)
    settled = prepared(s3).upload_inline_media(given, "vid_1")
    assert [url for _, url in settled.media()] == [
        "s3://pictures/uploads/vid_1/frame_images-0.png",
        "s3://pictures/uploads/vid_1/input_references-0.mp3",
    ]
    stored = s3.get_object(Bucket="pictures", Key="uploads/vid_1/frame_images-0.png")
    assert (stored["ContentType"], stored["Body"].read()) == ("image/png", PNG)
    assert prepared(s3).upload_inline_media(settled, "vid_1") == settled


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("data:image/png,abc", "is not a data:image/…;base64,… address"),
        ("data:;base64,AAAA", "is not a data:image/…;base64,… address"),
        ("data:image/pngß;base64,AAAA", "is not a data:image/…;base64,… address"),
        ("data:image/png;base64,????", "is not valid base64"),
        ("data:image/png;base64,", "its bytes are no image we know"),
        (data_url(b"<html>"), "its bytes are no image we know"),
        (data_url(b"hello", "text/plain"), "is text/plain, not image/*"),
        (data_url(b"hello", "video/mp4"), "is video/mp4, not image/*"),
    ],
)
def test_data_that_is_no_image_is_refused(url: str, why: str) -> None:
    assert why in refused(prepared(None), url)
