"""A batch's functions and their memory: no list of items, whatever their number."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stillmotion.batches import prepare
from stillmotion.batches.collect import Collecting
from stillmotion.batches.order import parse_order
from stillmotion.batches.prepare import Limits, Preparing
from stillmotion.batches.record import Batch, BatchStatus, Manifest
from stillmotion.errors import InvalidRequest, PriceUnknown, StorageFailed
from stillmotion.modelgates.models import ModelCatalogue, VideoModel
from stillmotion.ports import ObjectStore, OpenLines
from stillmotion.requests.whose_pictures import InputBucket
from stillmotion.storage.lines_writer import LinesWriter
from stillmotion.storage.object_store import S3ObjectStore
from tests.support.fakes import MODEL

MANY = 100_000
RUNS = 2
PART = 5 * 2**20


class Bucket:
    """S3 that counts what it is given and forgets it; ``breaks`` names the call that fails."""

    def __init__(self, rows: int = 0, breaks: str = "") -> None:
        self.rows, self.breaks = rows, breaks
        self.calls: list[str] = []
        self.bytes = 0

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        def call(**arguments: Any) -> dict[str, Any]:
            self.calls.append(name)
            if name == self.breaks:
                raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, name)
            self.bytes += len(arguments.get("Body", b""))
            return {"UploadId": "u", "ETag": "e", "Body": self}

        return call

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        for at in range(self.rows):
            yield json.dumps({"model": MODEL, "prompt": f"row {at}", "duration": 4}).encode() + b"\n"


class Shelf:
    """A batch store that keeps records and counts outcomes."""

    def find(self, batch_id: str) -> Batch | None:
        return self.saved

    def get(self, batch_id: str, caller: str | None = None, *, operator: bool = False) -> Batch:
        raise AssertionError("it has the record")

    def claim(self, batch: Batch) -> bool:
        raise AssertionError("it is claimed")

    def __init__(self, outcomes: int = 0) -> None:
        self.saved: Batch | None = None
        self._outcomes = outcomes

    def save(self, batch: Batch) -> None:
        self.saved = batch

    def record(self, batch_id: str, run: int, outcomes: Iterable[Mapping[str, Any]]) -> None:
        assert list(outcomes) == []

    def outcomes(self, batch_id: str, run: int) -> Iterator[dict[str, Any]]:
        for row in range(self._outcomes):
            yield {"row": row, "item_id": f"item-{row}", "status": "done", "cost_usd": 0.1, "job_id": "vid_" + "x" * 26}


class Nobody:
    """A job store without jobs; a bus that nobody listens to."""

    def find_many(self, job_ids: Collection[str]) -> dict[str, Any]:
        assert len(job_ids) <= 100
        return {}

    def tell(self, detail_type: str, facts: Mapping[str, Any], execution_arn: str | None = None) -> None:
        assert facts["items"] == MANY


def a_batch(**changes: Any) -> Batch:
    order = parse_order({"manifest": "s3://pictures/rows.jsonl"} | changes)
    return Batch(id="b", order=order, manifest=Manifest(bucket="p", key="rows.jsonl", etag="e"), execution_arn="arn:e")


def ports(client: Any) -> tuple[ObjectStore, OpenLines]:
    return S3ObjectStore(client), partial(LinesWriter, client)


def preparing(bucket: Bucket, shelf: Shelf) -> Preparing:
    models = [VideoModel(id=MODEL, pricing_skus={"per-video-second": "0.03"})]
    limits = Limits("clips", 20, 100)
    objects, lines = ports(bucket)
    return Preparing(
        shelf, Nobody(), ModelCatalogue(lambda: models), objects, lines, limits, InputBucket("pictures", "shared/")
    )


def peak(work: Callable[[], object]) -> int:
    """The most memory that the work held at once, in bytes: the least of a few runs, as other threads only add."""
    found = []
    for _ in range(RUNS):
        tracemalloc.start()
        try:
            work()
            found.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(found)


@pytest.mark.slow
def test_preparing_keeps_a_few_bytes_of_each_row() -> None:
    def prepare(rows: int) -> tuple[int, int]:
        def once() -> None:
            nonlocal bucket, shelf
            bucket, shelf = Bucket(rows), Shelf()
            preparing(bucket, shelf).prepare(a_batch())

        bucket, shelf = Bucket(), Shelf()
        used = peak(once)
        assert shelf.saved is not None
        assert (shelf.saved.items, shelf.saved.prepared["to_run"]) == (rows, rows)
        assert shelf.saved.estimated_cost_usd == pytest.approx(rows * 0.12)
        return used - 2 * bucket.bytes, bucket.bytes

    (few, _), (many, written) = prepare(1000), prepare(6000)
    # The hash and count of each item id. Nothing of the list stays but a part of at most 8 MiB, here all of it.
    assert many - few < 5000 * 200
    assert written > 5000 * 200


@pytest.mark.slow
def test_collecting_a_hundred_thousand_outcomes_keeps_none_of_them() -> None:
    bucket, shelf = Bucket(), Shelf(MANY)
    batch = a_batch().changed(status=BatchStatus.RUNNING, items=MANY)
    objects, lines = ports(bucket)
    used = peak(lambda: Collecting(shelf, objects, lines, "clips", Nobody()).collect(batch))
    assert shelf.saved is not None
    assert shelf.saved.summary is not None
    assert (shelf.saved.summary.done, shelf.saved.summary.not_run) == (MANY, 0)
    assert shelf.saved.summary.cost_usd == pytest.approx(MANY / 10)
    assert used < 20 * 2**20
    assert bucket.calls.count("upload_part") > 1


def test_more_rows_than_one_batch_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepare.MAX_ITEMS == MANY
    monkeypatch.setattr(prepare, "MAX_ITEMS", 150)
    bucket = Bucket(151)
    with pytest.raises(InvalidRequest, match="more than 150 rows"):
        preparing(bucket, Shelf()).prepare(a_batch())
    assert bucket.calls == ["get_object"]


def test_a_price_that_is_not_known_cannot_keep_a_budget() -> None:
    bucket = Bucket(3)
    made = preparing(bucket, Shelf())
    made._catalogue = ModelCatalogue(lambda: [VideoModel(id=MODEL)])
    with pytest.raises(PriceUnknown, match="3 of 3 items cannot be priced"):
        made.prepare(a_batch(budget_usd=100))
    assert "put_object" not in bucket.calls


def test_a_parameter_that_changes_the_bill_cannot_keep_a_budget() -> None:
    bucket = Bucket(1)
    billed = {"provider": {"options": {"google": {"parameters": {"sampleCount": 4}}}}}
    made = preparing(bucket, Shelf())
    [entry] = made._catalogue.all()
    made._catalogue = ModelCatalogue(
        lambda: [entry.model_copy(update={"allowed_passthrough_parameters": ["sampleCount"]})]
    )
    with pytest.raises(PriceUnknown, match="1 of 1 items cannot be priced"):
        made.prepare(a_batch(budget_usd=100, defaults=billed))


@pytest.mark.parametrize("lines", [0, 1, 3000])
def test_a_short_list_is_one_object(lines: int) -> None:
    bucket: Any = Bucket()
    with LinesWriter(bucket, "clips", "k", PART) as writer:
        for at in range(lines):
            writer.write({"row": at})
    assert bucket.calls == ["put_object"]


def test_a_long_list_is_sent_in_parts_and_appears_when_it_is_whole() -> None:
    bucket: Any = Bucket()
    with LinesWriter(bucket, "clips", "k", PART) as writer:
        for _ in range(11):
            writer.write({"x": "x" * 2**20})
    assert bucket.calls == ["create_multipart_upload", *["upload_part"] * 3, "complete_multipart_upload"]


@pytest.mark.parametrize("breaks", ["create_multipart_upload", "upload_part", "complete_multipart_upload"])
def test_a_list_that_s3_does_not_take_leaves_no_parts_behind(breaks: str) -> None:
    bucket: Any = Bucket(breaks=breaks)

    def write() -> None:
        with LinesWriter(bucket, "clips", "k", PART) as writer:
            for _ in range(11):
                writer.write({"x": "x" * 2**20})

    with pytest.raises(StorageFailed):
        write()
    assert bucket.calls[-1] == ("create_multipart_upload" if breaks.startswith("create") else "abort_multipart_upload")


@pytest.mark.parametrize(
    ("lines", "left"), [(1, []), (7, ["create_multipart_upload", "upload_part", "abort_multipart_upload"])]
)
def test_a_list_that_is_given_up_leaves_nothing_behind(lines: int, left: list[str]) -> None:
    bucket: Any = Bucket()

    def write() -> None:
        with LinesWriter(bucket, "clips", "k", PART) as writer:
            for _ in range(lines):
                writer.write({"x": "x" * 2**20})
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert bucket.calls == left
