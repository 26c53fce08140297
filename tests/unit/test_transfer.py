"""Streaming into S3: the bytes of the source, whole or not at all, in bounded memory."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import urllib3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.s3 import models as moto_s3

from stillmotion.errors import DownloadFailed, NotAVideo, StillmotionError, StorageFailed
from stillmotion.storage.video_store import MIN_VIDEO_BYTES, VideoStore
from tests.support.pictures import picture
from tests.support.wire import Wire, answer

PART = 300
HEAD = b"\x00\x00\x00\x18ftypmp42" + bytes(12)
NAMES = {"job-id": "vid_1", "model": "google/veo-3.1-lite"}
SAME_BUCKET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Source:
    """An open HTTP answer that hands its bytes out in pieces of given sizes, and may break."""

    def __init__(
        self,
        body: bytes,
        pieces: list[int] | None = None,
        breaks_at: int | None = None,
        **headers: str,
    ) -> None:
        self.headers = {"Content-Type": "video/mp4", "Content-Length": str(len(body))} | headers
        self._body, self._at, self._pieces, self._breaks_at = body, 0, pieces or [], breaks_at

    def read(self, amt: int | None = None) -> bytes:
        amount = len(self._body) if amt is None else amt
        if self._pieces:
            amount = min(amount, self._pieces.pop(0))
        if self._breaks_at is not None and self._at + amount > self._breaks_at:
            raise urllib3.exceptions.ProtocolError("connection broken")
        self._at += amount
        return self._body[self._at - amount : self._at]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(moto_s3, "S3_UPLOAD_PART_MIN_SIZE", 1)
    with mock_aws():
        client = boto3.client("s3", "us-east-1", config=Config(retries={"total_max_attempts": 1}))
        client.create_bucket(Bucket="clips")
        yield client


def store(s3: Any, part_bytes: int = PART, **options: Any) -> VideoStore:
    return VideoStore(s3, "clips", part_bytes=part_bytes, **options)


def video(size: int) -> bytes:
    return (HEAD + bytes(n % 251 for n in range(size)))[: max(size, len(HEAD))]


def held(s3: Any) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket="clips").get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket="clips", Key=one["Key"])["Body"].read() for one in listed}


def open_uploads(s3: Any) -> list[Any]:
    return s3.list_multipart_uploads(Bucket="clips").get("Uploads", [])


def answering(s3: Any, operation: str, reaction: Callable[[Any], Any]) -> Callable[[], None]:
    """Let S3 answer one operation in another way, be it done or not; call the result to undo it."""

    def before_send(request: Any, **_: Any) -> Any:
        return reaction(request)

    event = f"before-send.s3.{operation}"
    s3.meta.events.register_first(event, before_send)
    return lambda: s3.meta.events.unregister(event, before_send)


def refuse(request: Any) -> AWSResponse:
    raw = SimpleNamespace(stream=lambda **_: iter([b"<Error><Code>InternalError</Code></Error>"]))
    return AWSResponse(request.url, 500, {}, raw)


def time_out(request: Any) -> AWSResponse:
    raise ReadTimeoutError(endpoint_url=request.url)


def no_route(request: Any) -> AWSResponse:
    raise EndpointConnectionError(endpoint_url=request.url)


def die(request: Any) -> AWSResponse:
    raise KeyboardInterrupt


@pytest.mark.slow
@SAME_BUCKET
@given(
    size=st.integers(MIN_VIDEO_BYTES, 5 * PART)
    | st.sampled_from([PART - 1, PART, PART + 1, 2 * PART, 3 * PART, 3 * PART + 1]),
    pieces=st.lists(st.integers(1, 2 * PART), max_size=30),
    part_bytes=st.integers(MIN_VIDEO_BYTES, 2 * PART),
    announced=st.booleans(),
)
def test_the_stored_bytes_are_those_of_the_source_however_they_arrive(
    s3: Any, size: int, pieces: list[int], part_bytes: int, announced: bool
) -> None:
    body = video(size)
    source = Source(body, pieces)
    if not announced:
        del source.headers["Content-Length"]
    stored = store(s3, part_bytes).store(source, "videos/vid_1.mp4", NAMES)
    assert held(s3) == {"videos/vid_1.mp4": body}
    assert (stored.bytes, stored.checksum) == (len(body), f"sha256:{hashlib.sha256(body).hexdigest()}")
    assert open_uploads(s3) == []
    assert store(s3).find("videos/vid_1.mp4", "vid_1") == stored
    s3.delete_object(Bucket="clips", Key="videos/vid_1.mp4")


@pytest.mark.slow
@SAME_BUCKET
@given(
    size=st.integers(MIN_VIDEO_BYTES, 5 * PART),
    fault=st.sampled_from([refuse, time_out, no_route, die]),
    operation=st.sampled_from(["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]),
    breaks_at=st.none() | st.integers(0, 5 * PART),
    lies=st.integers(-3, 3),
)
def test_a_failure_leaves_a_whole_object_or_none_and_no_part(
    s3: Any, size: int, fault: Callable[[Any], Any], operation: str, breaks_at: int | None, lies: int
) -> None:
    body, key = video(size), "videos/vid_1.mp4"
    s3.delete_object(Bucket="clips", Key=key)
    source = Source(body, breaks_at=breaks_at, **{"Content-Length": str(len(body) + lies)})
    undo = answering(s3, operation, fault)
    try:
        store(s3).store(source, key, NAMES)
        failed = False
    except (StillmotionError, urllib3.exceptions.HTTPError, KeyboardInterrupt):
        failed = True
    undo()
    left = held(s3)
    # S3 may have done what it did not get to answer for; then the next delivery finds the object, and finds it whole.
    assert left == {key: body} or (failed and left == {})
    assert left == {} or lies == 0
    # An upload whose creation was not answered has no known id, and no parts.
    forgotten = open_uploads(s3)
    assert forgotten == [] or (operation, fault) == ("CreateMultipartUpload", refuse)
    for upload in forgotten:
        assert "Parts" not in s3.list_parts(Bucket="clips", Key=key, UploadId=upload["UploadId"])
        s3.abort_multipart_upload(Bucket="clips", Key=key, UploadId=upload["UploadId"])


def test_the_object_carries_its_type_and_names_its_job(s3: Any) -> None:
    for size, content_type in ((PART - 1, "video/mp4"), (3 * PART, "video/quicktime")):
        key = f"videos/{size}.mp4"
        stored = store(s3).store(Source(video(size), **{"Content-Type": f"{content_type}; x=y"}), key, NAMES)
        head = s3.head_object(Bucket="clips", Key=key)
        assert (head["ContentType"], head["Metadata"]) == (content_type, NAMES)
        assert (stored.bucket, stored.key, stored.content_type) == ("clips", key, content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "application/octet-stream", "BINARY/octet-stream", "application/mp4", "application/force-download"),
        *("text/plain; charset=utf-8", "text/html", "image/png", "video", "video/mp4\x01", "nonsense"),
    ],
)
def test_mp4_bytes_under_any_other_label_are_stored_as_mp4(s3: Any, content_type: str) -> None:
    source = Source(video(500), **{"Content-Type": content_type})
    assert store(s3).store(source, "a", NAMES).content_type == "video/mp4"


@pytest.mark.parametrize("size", [0, 3, 100, PART - 1, PART, 2 * PART, 2 * PART + 7])
def test_a_body_that_ends_before_its_announced_length_is_tried_again(s3: Any, size: int) -> None:
    with pytest.raises(DownloadFailed) as failed:
        store(s3).store(Source(video(size)[:size], **{"Content-Length": "5000"}), "a", NAMES)
    assert failed.value.retryable
    assert (held(s3), open_uploads(s3)) == ({}, [])


@pytest.mark.parametrize(
    "source",
    [
        Source(b'{"error": {"code": 500, "message": "no"}}' * 20, **{"Content-Type": "application/json"}),
        Source(b"<html>" * 200, **{"Content-Type": "text/html"}),
        Source(video(900), **{"Content-Type": "application/json"}),
        Source(video(900), **{"Content-Type": "application/problem+json; charset=utf-8"}),
        Source(picture("AVIF", (640, 360)), **{"Content-Type": "video/mp4"}),
        Source(picture("PNG"), **{"Content-Type": "video/mp4"}),
        Source(b'{"error": 1}' * 100),
        Source(b""),
        Source(HEAD),
        Source(bytes(900)),
    ],
    ids=[
        "json",
        "html",
        "json label",
        "problem label",
        "avif as video",
        "png as video",
        "json as video",
        "empty",
        "only a head",
        "zeros",
    ],
)
def test_what_is_no_mp4_is_not_stored(s3: Any, source: Source) -> None:
    with pytest.raises(NotAVideo):
        store(s3).store(source, "a", NAMES)
    assert (held(s3), open_uploads(s3)) == ({}, [])


@pytest.mark.parametrize("announced", ["2000", "", "many", "²", "2000, 2000"])
def test_an_oversized_video_is_refused_even_without_a_length(s3: Any, announced: str) -> None:
    with pytest.raises(NotAVideo, match="at most 1,000"):
        store(s3, max_bytes=1000).store(Source(video(2000), **{"Content-Length": announced}), "a", NAMES)
    assert (held(s3), open_uploads(s3)) == ({}, [])


def test_a_compressed_answer_is_not_held_to_its_compressed_length(s3: Any) -> None:
    body = video(3 * PART)
    script = answer(200, gzip.compress(body), Content_Type="video/mp4", Content_Encoding="gzip")
    with Wire([script]) as wire:
        got = urllib3.PoolManager().request("GET", wire.url, preload_content=False)
        store(s3).store(got, "a", NAMES)
    assert held(s3) == {"a": body}


def test_the_cause_is_reported_even_if_parts_cannot_be_removed(s3: Any) -> None:
    answering(s3, "AbortMultipartUpload", refuse)
    with pytest.raises(DownloadFailed):
        store(s3).store(Source(video(2 * PART), **{"Content-Length": "5000"}), "a", NAMES)


def crc32(data: bytes) -> str:
    return base64.b64encode(struct.pack(">I", binascii.crc32(data))).decode()


@pytest.mark.parametrize("size", [PART - 1, 3 * PART + 7])
def test_s3_holds_what_is_sent_against_checksums_and_size(s3: Any, size: int) -> None:
    sent: dict[str, list[dict[str, Any]]] = {}
    names = ("PutObject", "UploadPart", "CompleteMultipartUpload")
    for name in names:
        s3.meta.events.register_first(
            f"provide-client-params.s3.{name}",
            lambda params, model, **_: sent.setdefault(model.name, []).append(dict(params)),
        )
    body = video(size)
    store(s3).store(Source(body), "a", NAMES)
    if size < PART:
        assert [(put["Body"], put["ChecksumCRC32"]) for put in sent["PutObject"]] == [(body, crc32(body))]
        return
    parts = sent["UploadPart"]
    assert all(part["ChecksumCRC32"] == crc32(part["Body"]) for part in parts)
    [whole] = sent["CompleteMultipartUpload"]
    assert whole["MpuObjectSize"] == size == sum(len(part["Body"]) for part in parts)


def test_only_an_object_of_this_job_is_found(s3: Any) -> None:
    assert store(s3).find("a", "vid_1") is None
    s3.put_object(Bucket="clips", Key="a", Body=b"x", Metadata={"job-id": "vid_2"})
    assert store(s3).find("a", "vid_1") is None
    s3.put_object(Bucket="clips", Key="a", Body=b"x")
    assert store(s3).find("a", "vid_1") is None


@pytest.mark.parametrize("fault", [refuse, time_out, no_route])
def test_a_failed_lookup_is_not_an_absence(s3: Any, fault: Callable[[Any], Any]) -> None:
    answering(s3, "GetObject", fault)
    with pytest.raises(StorageFailed) as failed:
        store(s3).find("a", "vid_1")
    assert failed.value.retryable


class NullS3:
    """Takes parts and forgets them."""

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"UploadId": "u"}

    def upload_part(self, Body: bytes, **_: Any) -> dict[str, str]:  # noqa: N803 - named by boto3
        return {"ETag": "e"}

    def complete_multipart_upload(self, **_: Any) -> None: ...


class LateS3(NullS3):
    """Looks at a part when its upload begins and again when it ends, as a socket that sends slowly does."""

    def __init__(self) -> None:
        self.begun: dict[int, bytes] = {}
        self.ended: dict[int, bytes] = {}

    def upload_part(self, Body: bytes, PartNumber: int = 0, **_: Any) -> dict[str, str]:  # noqa: N803 - named by boto3
        self.begun[PartNumber] = bytes(Body)
        time.sleep(0.02)
        self.ended[PartNumber] = bytes(Body)
        return {"ETag": "e"}


def test_a_part_stays_as_it_is_until_s3_has_it() -> None:
    s3, body = LateS3(), video(13 * PART + 7)
    store(s3).store(Source(body), "a", NAMES)
    assert b"".join(s3.ended[number] for number in sorted(s3.ended)) == body
    assert s3.begun == s3.ended


class Endless:
    """A video of a given size that is made as it is read."""

    def __init__(self, size: int) -> None:
        self.headers = {"Content-Type": "video/mp4", "Content-Length": str(size)}
        self._left, self._head = size, HEAD

    def read(self, amt: int | None = None) -> bytes:
        piece = self._head + bytes(min(amt or 0, self._left, 65_536) - len(self._head))
        self._head = b""
        self._left -= len(piece)
        return piece


def test_memory_does_not_depend_on_the_size_of_the_video() -> None:
    peaks = []
    for size in (16 * 2**20, 64 * 2**20):
        tracemalloc.start()
        store(NullS3(), 2**20).store(Endless(size), "a", NAMES)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 8 * 2**20  # six parts, and what else there is, whatever the size
