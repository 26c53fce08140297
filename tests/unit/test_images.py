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
from stillmotion.requests import media, probe
from stillmotion.requests.media import Images, transparency_warnings
from stillmotion.requests.owned_names import Names
from stillmotion.requests.video_request import VideoRequest, parse_request
from stillmotion.requests.whose_pictures import InputBucket
from stillmotion.storage.object_store import S3ObjectStore
from tests.support.pictures import CUT_OFF, MP4, NO_PICTURES, PICTURES, picture
from tests.support.wire import Ranges, Script, Wire, answer, hang_up, reset, silence

PNG = picture("PNG")
BUCKET, EVERYTHING = InputBucket("pictures", "shared/"), Names(("",))
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
    guarded = GuardedClient([origin(wire.url) for wire in trusted], timeout)
    return Images(S3ObjectStore(s3), BUCKET, guarded, **options)


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
        images.check(request(*urls), EVERYTHING)
    assert error.value.faults[0].pointer == FIRST
    assert "nothing was submitted" in str(error.value)
    return error.value.faults[0].detail


def put(s3: Any, key: str = "a.png", body: bytes = PNG, content_type: str = "image/png") -> str:
    s3.put_object(Bucket="pictures", Key=key, Body=body, ContentType=content_type)
    return f"s3://pictures/{key}"


def data_url(body: bytes, content_type: str = "image/png") -> str:
    return f"data:{content_type};base64,{base64.b64encode(body).decode()}"


def test_a_request_without_images_is_checked_without_calls() -> None:
    prepared(None).check(request(), EVERYTHING)
    assert (
        prepared(None).upload_inline_media(request(), "vid_1", None)
        == prepared(None).with_fetchable_urls(request())
        == request()
    )


@pytest.mark.parametrize(
    "script",
    [
        answer(200, PNG, Content_Type="image/png"),
        answer(206, PNG, Content_Type="IMAGE/JPEG; charset=binary", Content_Range=f"bytes 0-{len(PNG) - 1}/{len(PNG)}"),
        answer(206, PNG, Content_Type="image/png", Content_Range=f"bytes 0-{len(PNG) - 1}/*"),
    ],
    ids=["200", "206", "206 of unknown length"],
)
def test_a_usable_image_is_checked_by_its_first_bytes(script: bytes) -> None:
    with Wire([script]) as wire:
        prepared(None, wire).check(request(f"{wire.url}/a.png?X-Amz-Signature=SECRET"), EVERYTHING)
    [seen] = wire.seen
    assert seen.line.startswith("GET /a.png?X-Amz-Signature=SECRET ")
    assert seen.headers["range"] == "bytes=0-262143"


UNUSABLE: dict[str, tuple[Script, str]] = {
    "404": (answer(404), "HTTP 404"),
    "403": (answer(403, b"<Error/>", Content_Type="application/xml"), "HTTP 403"),
    "204": (answer(204), "HTTP 204"),
    "500": (answer(500), "HTTP 500"),
    "page": (answer(200, b"<html>", Content_Type="text/html; charset=utf-8"), "is an HTML page (served as text/html)"),
    "page with a wrong label": (answer(200, b"<html>", Content_Type="image/jpeg"), "is an HTML page, not a picture"),
    "video": (answer(200, MP4, Content_Type="video/mp4"), "is an MP4 video (served as video/mp4), not a picture"),
    "opaque": (answer(200, PNG, Content_Type="binary/octet-stream"), "is served as binary/octet-stream, not image/*"),
    "no type": (answer(200, PNG), "is served as no stated type, not image/*"),
    "empty": (answer(200, b"", Content_Type="image/png"), "is empty (0 bytes)"),
    "no range of nothing": (answer(416, Content_Type="image/png", Content_Range="bytes */0"), "is empty (0 bytes)"),
    "cut short": (
        answer(200, PNG[:200], length=len(PNG), Content_Type="image/png", Connection="close"),
        "did not answer",
    ),
    "too large": (answer(200, PNG + bytes(262144), length=2**31, Content_Type="image/png"), "has 2,147,483,648 bytes"),
    "too large a range": (
        answer(206, PNG, Content_Type="image/png", Content_Range="bytes 0-65535/2147483648"),
        "has 2,147,483,648 bytes, at most 31,457,280",
    ),
    "redirect": (answer(302, Location="https://a.example/?token=SECRET"), "answers a redirect (HTTP 302)"),
    "silence": (silence, "did not answer"),
    "reset": (reset, "did not answer"),
    "end": (hang_up, "did not answer"),
}


@pytest.mark.parametrize(("script", "why"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_image_is_refused_with_reason_and_redacted_address(script: Script, why: str) -> None:
    with Wire([script]) as wire, pytest.raises(ImageNotUsable) as error:
        prepared(None, wire).check(request(f"{wire.url}/a.png?X-Amz-Signature=SECRET"), EVERYTHING)
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
        prepared(None, wire).check(request(f"{wire.url}/a.png", "http://10.0.0.1/b.png"), EVERYTHING)
    assert [fault.pointer for fault in error.value.faults] == [FIRST, "#/frame_images/1/image_url/url"]


def test_images_that_trickle_in_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    enough = threading.Event()

    def trickle(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not enough.wait(0.05):
            connection.sendall(b"y")

    monkeypatch.setattr(media, "PROBE_SECONDS", 0.3)
    started = time.monotonic()
    with Wire([trickle]) as wire:
        more = [{"type": "image_url", "image_url": {"url": wire.url}}] * 8
        with pytest.raises(ImageNotUsable) as error:
            prepared(None, wire).check(request(wire.url, wire.url, input_references=more), EVERYTHING)
        took = time.monotonic() - started
        enough.set()
    assert ["did not answer within" in fault.detail for fault in error.value.faults] == [True] * 10
    assert took < 2  # far from ten times the deadline


def test_an_object_is_known_by_its_bytes_whatever_it_was_stored_as(s3: Any) -> None:
    for head, stored, known in (
        (PNG, "binary/octet-stream", "image/png"),
        (picture("JPEG"), "text/plain", "image/jpeg"),
        (picture("WEBP"), "application/octet-stream", "image/webp"),
        (picture("AVIF"), "IMAGE/X-New", "image/avif"),
    ):
        url = put(s3, "a", head, stored)
        prepared(s3).check(request(url), EVERYTHING)
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
        ("s3://pictures/empty", "is empty (0 bytes)"),
        ("s3://pictures/text", "is text, not a picture"),
    ],
)
def test_an_object_that_is_no_image_is_refused_before_and_while_submitting(s3: Any, url: str, why: str) -> None:
    put(s3, "empty", b"")
    put(s3, "text", b"hello", "image/png")
    assert why in refused(prepared(s3), url)
    with pytest.raises(ImageNotUsable, match="nothing was submitted"):
        prepared(s3).with_fetchable_urls(request(url))


def test_an_object_that_is_too_large_is_refused(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MAX_MEDIA_BYTES", len(PNG) - 1)
    assert f"has {len(PNG):,} bytes, at most {len(PNG) - 1:,}" in refused(prepared(s3), put(s3))


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
        prepared(s3, inline=inline).check(given, EVERYTHING)
    with pytest.raises(StorageFailed, match="did not store"):
        prepared(s3).upload_inline_media(request(data_url(PNG)), "vid_1", None)


def test_image_data_is_moved_into_the_bucket_and_leaves_the_request(s3: Any) -> None:
    given = request(
        data_url(PNG, "image/jpeg"),
        input_references=[{"type": "audio_url", "audio_url": {"url": data_url(b"ID3...", "audio/mpeg")}}],
    )
    prepared(s3).check(given, EVERYTHING)
    settled = prepared(s3).upload_inline_media(given, "vid_1", None)
    assert [url for _, url in settled.media()] == [
        "s3://pictures/uploads/stack/vid_1/frame_images-0.png",
        "s3://pictures/uploads/stack/vid_1/input_references-0.mp3",
    ]
    stored = s3.get_object(Bucket="pictures", Key="uploads/stack/vid_1/frame_images-0.png")
    assert (stored["ContentType"], stored["Body"].read()) == ("image/png", PNG)
    assert prepared(s3).upload_inline_media(settled, "vid_1", None) == settled


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("data:image/png;base64", "is not a data:image/…;base64,… address"),
        ("data:image/png,abc", "is text, not a picture"),
        ("data:;base64,AAAA", "is neither JPEG, PNG"),
        ("data:image/png;base64,????", "is not valid base64"),
        ("data:image/png;base64,", "is empty (0 bytes)"),
    ],
)
def test_data_that_is_no_image_is_refused(url: str, why: str) -> None:
    assert why in refused(prepared(None), url)


class TestEveryWayIn:
    """Bytes decide, under any label and by any scheme."""

    @pytest.mark.parametrize(("body", "name"), NO_PICTURES.values(), ids=NO_PICTURES.keys())
    def test_what_is_no_picture_is_refused_by_name(self, s3: Any, body: bytes, name: str) -> None:
        with Wire([answer(200, body, Content_Type="image/jpeg")]) as wire:
            images = prepared(s3, wire)
            for url in (put(s3, "a.jpg", body, "image/jpeg"), data_url(body, "image/jpeg"), f"{wire.url}/a.jpg"):
                assert f"is {name}" in refused(images, url)

    @pytest.mark.parametrize(("body", "kind"), PICTURES.values(), ids=PICTURES.keys())
    def test_a_picture_is_taken_whatever_it_is_labelled(self, s3: Any, body: bytes, kind: str) -> None:
        with Wire([answer(200, body, Content_Type="image/x-anything")]) as wire:
            images = prepared(s3, wire)
            for url in (put(s3, "a", body, "text/html"), data_url(body, "application/pdf"), f"{wire.url}/a"):
                assert [found.content_type for found in images.check(request(url), EVERYTHING)] == [kind]

    @pytest.mark.parametrize("body", CUT_OFF.values(), ids=CUT_OFF.keys())
    def test_a_picture_that_is_cut_off_is_refused(self, s3: Any, body: bytes) -> None:
        with Wire([Ranges(body)]) as wire:
            images = prepared(s3, wire)
            for url in (put(s3, "a", body), data_url(body), f"{wire.url}/a"):
                assert "is cut off" in refused(images, url)

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    def test_the_end_of_a_large_picture_is_read_and_not_the_whole(self, s3: Any, kind: str) -> None:
        body = picture(kind, (1800, 1200))
        assert len(body) > probe.PROBE_BYTES + probe.TAIL_BYTES
        with Wire([Ranges(body)]) as wire:
            images = prepared(s3, wire)
            for url in (put(s3, "a", body), f"{wire.url}/a"):
                [found] = images.check(request(url), EVERYTHING)
                assert found.header is not None
                assert found.header.size == (1800, 1200)
        assert [seen.headers["range"] for seen in wire.seen] == [
            "bytes=0-262143",
            f"bytes={len(body) - probe.TAIL_BYTES}-{len(body) - 1}",
        ]

    def test_an_end_that_is_not_given_is_not_judged(self, s3: Any) -> None:
        body = picture("PNG", (900, 600))
        script = answer(206, body[:262144], Content_Type="image/png", Content_Range=f"bytes 0-262143/{len(body)}")
        with Wire([script]) as wire:
            assert len(prepared(s3, wire).check(request(f"{wire.url}/a"), EVERYTHING)) == 1


@pytest.mark.parametrize(
    ("kind", "body", "label", "why"),
    [
        ("audio", b"ID3\x04rest", "audio/mpeg", None),
        ("audio", b"\xff\xfb\x90rest", "audio/mpeg", None),
        ("audio", PNG, "audio/mpeg", "is image/png, not audio/*"),
        ("audio", b"", "audio/mpeg", "is empty (0 bytes)"),
        ("audio", b"ID3\x04rest", "binary/octet-stream", "is binary/octet-stream, not audio/*"),
        ("audio", b"ID3\x04rest", "audio/../../x", "is audio/../../x, not audio/*"),
        ("video", MP4, "binary/octet-stream", None),
        ("video", MP4, "video/mp4", None),
        ("video", PNG, "video/mp4", "is image/png, not video/*"),
        ("video", b"<html></html>", "video/mp4", "is an HTML page, not video"),
    ],
)
def test_sound_and_video_go_by_label_unless_their_bytes_contradict(
    s3: Any, kind: str, body: bytes, label: str, why: str | None
) -> None:
    for url in (put(s3, "a", body, label), data_url(body, label)):
        given = request(input_references=[{"type": f"{kind}_url", f"{kind}_url": {"url": url}}])
        if why is None:
            assert prepared(s3).check(given, EVERYTHING) == []
            continue
        with pytest.raises(ImageNotUsable) as error:
            prepared(s3).check(given, EVERYTHING)
        assert why in error.value.faults[0].detail


def test_transparency_is_told() -> None:
    given = request(data_url(picture("PNG", mode="RGBA")), data_url(PNG))
    [warning] = transparency_warnings(prepared(None).check(given, EVERYTHING))
    assert warning.startswith(f"{FIRST.removeprefix('#')} has transparency.")
