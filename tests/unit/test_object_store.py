"""Objects in S3: what there is, what there is not, and which refusals are final."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ParamValidationError
from moto import mock_aws

from stillmotion.aws.errors import storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.ports import ObjectFacts, ObjectStore
from stillmotion.storage.object_store import S3ObjectStore
from tests.support.wire import Wire, answer, hang_up

pytestmark = pytest.mark.usefixtures("account")
BUCKET, KEY = "pictures", "drop/a b.png"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": client.meta.region_name})
        client.put_object(
            Bucket=BUCKET, Key=KEY, Body=b"0123456789", ContentType="Image/PNG", Metadata={"prompt": "push in"}
        )
        yield client


def test_the_facts_of_an_object_are_plain(s3: Any) -> None:
    there = s3.head_object(Bucket=BUCKET, Key=KEY)
    put_at = int(there["LastModified"].timestamp())
    wanted = ObjectFacts(there["ETag"].strip('"'), None, "image/png", 10, {"prompt": "push in"}, put_at)
    assert S3ObjectStore(s3).head(BUCKET, KEY) == wanted


def test_the_facts_of_a_version_name_it(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"new")["VersionId"]
    found = S3ObjectStore(s3).head(BUCKET, KEY)
    assert found is not None
    assert (found.version, found.size) == (version, 3)


def test_an_object_that_is_not_there_is_none(s3: Any) -> None:
    store = S3ObjectStore(s3)
    assert store.head(BUCKET, "missing") is None
    assert store.read(BUCKET, "missing") is None


def test_reading_stops_at_the_limit(s3: Any) -> None:
    store = S3ObjectStore(s3)
    assert store.read(BUCKET, KEY) == b"0123456789"
    assert store.read(BUCKET, KEY, 4) == b"0123"
    assert store.read(BUCKET, KEY, 40) == b"0123456789"


@pytest.mark.parametrize(("count", "expected"), [(4, b"0123"), (40, b"0123456789")])
def test_the_first_bytes_come_with_the_size_of_the_whole(s3: Any, count: int, expected: bytes) -> None:
    facts, head = S3ObjectStore(s3).first_bytes(BUCKET, KEY, count)
    assert (head, facts.size, facts.content_type) == (expected, 10, "image/png")


def test_chunks_are_those_of_the_etag_that_was_asked_for(s3: Any) -> None:
    store = S3ObjectStore(s3)
    facts = store.head(BUCKET, KEY)
    assert facts is not None
    assert list(store.chunks(BUCKET, KEY, facts.etag, 4)) == [b"0123", b"4567", b"89"]
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"other")
    with pytest.raises(StorageFailed) as refused:
        list(store.chunks(BUCKET, KEY, facts.etag, 4))
    assert refused.value.aws_code in ("PreconditionFailed", "412")


def test_what_is_put_is_there_under_its_type(s3: Any) -> None:
    store = S3ObjectStore(s3)
    store.put(BUCKET, "failed/a.json", b"{}", "application/json")
    found = store.head(BUCKET, "failed/a.json")
    assert found is not None
    assert (found.size, found.content_type) == (2, "application/json")


def test_a_link_names_the_object_its_time_and_its_type(s3: Any) -> None:
    link = urllib3.util.parse_url(S3ObjectStore(s3).link(BUCKET, KEY, 60, "image/png"))
    assert link.path is not None
    assert link.path.endswith("/drop/a%20b.png")
    assert "response-content-type=image%2Fpng" in str(link.query)
    assert "response-content-type" not in S3ObjectStore(s3).link(BUCKET, KEY, 60)


CALLS: dict[str, Callable[[ObjectStore, str], Any]] = {
    "head": lambda store, bucket: store.head(bucket, KEY),
    "read": lambda store, bucket: store.read(bucket, KEY),
    "first_bytes": lambda store, bucket: store.first_bytes(bucket, KEY, 5),
    "chunks": lambda store, bucket: list(store.chunks(bucket, KEY, "e", 5)),
    "put": lambda store, bucket: store.put(bucket, KEY, b"x", "text/plain"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_bucket_name_that_cannot_be_is_a_final_refusal(s3: Any, call: str) -> None:
    with pytest.raises(StorageFailed) as refused:
        CALLS[call](S3ObjectStore(s3), "no bucket/has this")
    assert (refused.value.refused, refused.value.aws_code) == (True, "InvalidName")


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("status", "refused"), [(403, True), (503, False), (500, False), (429, False), (0, False)])
def test_a_refusal_is_final_and_an_absence_is_not(call: str, status: int, refused: bool) -> None:
    with Wire([answer(status, b"") if status else hang_up]) as wire:
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        client = boto3.client("s3", endpoint_url=wire.url, config=config)
        with pytest.raises(StorageFailed) as failed:
            CALLS[call](S3ObjectStore(client), BUCKET)
    assert failed.value.refused is refused
    assert failed.value.aws_code


@pytest.mark.parametrize(
    ("code", "status", "refused"),
    [
        ("AccessDenied", 403, True),
        ("NoSuchBucket", 404, True),
        ("SlowDown", 503, False),
        ("RequestTimeout", 400, False),
        ("ThrottlingException", 400, False),
        ("ProvisionedThroughputExceededException", 400, False),
        ("InternalError", 500, False),
    ],
)
def test_a_throttled_call_is_not_refused_for_good(code: str, status: int, refused: bool) -> None:
    said: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with pytest.raises(StorageFailed) as failed, storage_errors("It did not work", "Do this."):
        raise ClientError(said, "GetObject")
    assert (failed.value.aws_code, failed.value.refused) == (code, refused)
    assert failed.value.detail == f"It did not work ({code}). Do this."


@pytest.mark.parametrize(
    ("error", "code", "refused"),
    [
        (ConnectTimeoutError(endpoint_url="https://s3"), "ConnectTimeoutError", False),
        (ParamValidationError(report="x"), "InvalidName", True),
    ],
)
def test_a_call_that_got_no_answer_is_named_by_its_failure(error: Exception, code: str, refused: bool) -> None:
    with pytest.raises(StorageFailed) as failed, storage_errors("It did not work"):
        raise error
    assert (failed.value.aws_code, failed.value.refused) == (code, refused)
    assert failed.value.detail == f"It did not work ({code}). Try again."


def test_an_error_that_is_not_of_aws_passes_as_it_is() -> None:
    with pytest.raises(KeyError), storage_errors("It did not work"):
        raise KeyError


@pytest.mark.slow
def test_keys_are_those_of_one_folder_on_any_number_of_pages(s3: Any) -> None:
    for number in range(1005):
        s3.put_object(Bucket=BUCKET, Key=f"many/{number:04}.png", Body=b"")
    s3.put_object(Bucket=BUCKET, Key="many/inner/x.png", Body=b"")
    found = list(S3ObjectStore(s3).keys(BUCKET, "many/"))
    assert found == [f"many/{number:04}.png" for number in range(1005)]
