"""Clips and given pictures as S3 and the web give them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from stillmotion.errors import StorageFailed
from stillmotion.jobs.record import StoredVideo
from stillmotion.outbound.guarded_client import FetchFailed
from stillmotion.storage import given_pictures
from stillmotion.storage.given_pictures import GivenPictures, PictureGone
from stillmotion.storage.object_store import S3ObjectStore
from stillmotion.storage.stored_clips import ClipGone, StoredClips

VIDEO = StoredVideo(bucket="clips", key="videos/1.mp4", bytes=10, content_type="video/mp4", checksum="sha256:0")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="clips")
        client.put_object(Bucket="clips", Key=VIDEO.key, Body=b"0123456789")
        yield client


def test_a_clip_is_read_by_ranges(s3: Any) -> None:
    source = StoredClips(S3ObjectStore(s3)).open(VIDEO)
    assert (source.size, source.read(0, 4), source.read(8, 10)) == (10, b"0123", b"89")


def test_a_clip_that_is_overwritten_meanwhile_is_not_mixed(s3: Any) -> None:
    source = StoredClips(S3ObjectStore(s3)).open(VIDEO)
    s3.put_object(Bucket="clips", Key=VIDEO.key, Body=b"abcdefghij")
    with pytest.raises(StorageFailed, match=r"videos/1.mp4.*PreconditionFailed"):
        source.read(0, 4)


def test_a_clip_that_is_gone_is_said(s3: Any) -> None:
    s3.delete_object(Bucket="clips", Key=VIDEO.key)
    with pytest.raises(ClipGone, match=r"videos/1\.mp4"):
        StoredClips(S3ObjectStore(s3)).open(VIDEO)


def test_pictures_are_stored_with_their_type(s3: Any) -> None:
    StoredClips(S3ObjectStore(s3)).put_picture(VIDEO, "videos/1.webp", b"webp", "image/webp")
    assert s3.head_object(Bucket="clips", Key="videos/1.webp")["ContentType"] == "image/webp"


@dataclass
class Web:
    """A guarded client that answers as told."""

    status: int = 200
    body: bytes = b"picture"
    error: Exception | None = None

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Any]:
        if self.error is not None:
            raise self.error
        answer = io.BytesIO(self.body)
        answer.status = self.status  # type: ignore[attr-defined]
        yield answer


def given(s3: Any, **web: Any) -> GivenPictures:
    return GivenPictures(S3ObjectStore(s3), Web(**web))  # type: ignore[arg-type]


def test_pictures_come_from_s3_and_from_the_web(s3: Any) -> None:
    assert given(s3).read("s3://clips/videos/1.mp4") == b"0123456789"
    assert given(s3).read("https://pictures.example.com/a.png?signature=1") == b"picture"


@pytest.mark.parametrize(
    ("url", "web", "why"),
    [
        ("s3://clips/none.png", {}, "no such object"),
        ("s3://clips", {}, "InvalidName"),
        ("https://p.example.com/a?signature=SECRET", {"status": 403}, "HTTP 403"),
        ("https://p.example.com/a?signature=SECRET", {"error": FetchFailed("ReadTimeoutError")}, "FetchFailed"),
        ("https://p.example.com/a?signature=SECRET", {"error": ConnectionResetError()}, "ConnectionResetError"),
    ],
)
def test_a_picture_that_cannot_be_had_says_why(s3: Any, url: str, web: dict[str, Any], why: str) -> None:
    with pytest.raises(PictureGone, match=why) as raised:
        given(s3, **web).read(url)
    assert "SECRET" not in str(raised.value)


def test_a_picture_is_bounded_in_bytes_and_time(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put_object(Bucket="clips", Key="large.png", Body=bytes(101))
    monkeypatch.setattr(given_pictures, "MAX_MEDIA_BYTES", 100)
    with pytest.raises(PictureGone, match="more than 31,457,280 bytes"):
        given(s3, body=bytes(101)).read("https://p.example.com/a")
    with pytest.raises(PictureGone, match="more than"):
        given(s3).read("s3://clips/large.png")
    monkeypatch.setattr(given_pictures, "FETCH_SECONDS", -1.0)
    with pytest.raises(PictureGone, match="did not arrive"):
        given(s3).read("https://p.example.com/a")
