"""Preparing a batch: which rows are run, as what, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import pytest

from stillmotion.batches.item import BatchItem
from stillmotion.batches.prepare import Limits, Preparing
from stillmotion.batches.record import Batch, Manifest, Order
from stillmotion.errors import InvalidRequest
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import Job, JobError
from stillmotion.modelgates.models import ModelCatalogue, VideoModel
from stillmotion.ports import BatchStore, JobReader, ObjectStore, OpenLines
from stillmotion.requests.whose_pictures import InputBucket
from tests.support.fakes import a_job


class House:
    """Everything that preparing works on, in memory."""

    def __init__(self) -> None:
        self.manifest = b""
        self.models = [model("maker/cheap", "0.02"), model("maker/dear", "0.50")]
        self.jobs: dict[str, Job] = {}
        self.items: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []

    def chunks(self, *_: Any) -> Iterator[bytes]:
        yield self.manifest

    def find_many(self, job_ids: Collection[str]) -> dict[str, Job]:
        return {job_id: self.jobs[job_id] for job_id in job_ids if job_id in self.jobs}

    def record(self, _batch_id: str, _run: int, outcomes: Iterable[Mapping[str, Any]]) -> None:
        self.outcomes += map(dict, outcomes)

    def save(self, _batch: Batch) -> None: ...

    @contextmanager
    def lines(self, _bucket: str, _key: str) -> Iterator[House]:
        yield self

    def write(self, line: dict[str, Any]) -> None:
        self.items.append(line)

    def prepare(self, manifest: str, name: str = "rows.csv", **order: Any) -> Batch:
        self.manifest, self.items, self.outcomes = manifest.encode(), [], []
        preparing = Preparing(
            cast(BatchStore, self),
            cast(JobReader, self),
            ModelCatalogue(lambda: self.models),
            cast(ObjectStore, self),
            cast(OpenLines, self.lines),
            Limits("clips", 20, 100),
            InputBucket("p", "shared/"),
        )
        found = Manifest(bucket="p", key=name, etag="e")
        asked = Order(manifest=f"s3://p/{name}", **order)
        return preparing.prepare(Batch(id="b", order=asked, manifest=found, execution_arn="arn:e"))

    def ends(self, line: dict[str, Any], status: Status, **changes: Any) -> None:
        """The job of an item has this state now."""
        from stillmotion.generation.submit import request_hash
        from stillmotion.requests.video_request import parse_request

        item = BatchItem("b", line["item_id"], line["attempt"])
        known = request_hash(parse_request(line["request"]))
        self.jobs[item.job_id] = a_job(status, id=item.job_id, request=line["request"], request_hash=known, **changes)


def model(name: str, price: str) -> VideoModel:
    return VideoModel(
        id=name,
        supported_durations=[4, 8],
        supported_frame_images=["first_frame", "last_frame"],
        pricing_skus={"per-video-second": price},
    )


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize("table", ["first_frame\na.png\n", "item_id,first_frame\nA,a.png\n"])
def test_a_finished_row_is_skipped_when_another_model_would_be_chosen(house: House, table: str) -> None:
    house.prepare(table)
    [line] = house.items
    assert line["request"]["model"] == "maker/cheap"
    house.ends(line, Status.COMPLETED)
    house.models = [model("maker/cheap", "0.90"), model("maker/dear", "0.50")]
    batch = house.prepare(table)
    assert house.items == []
    assert [outcome["status"] for outcome in house.outcomes] == ["skipped"]
    assert batch.prepared == {"to_run": 0, "skipped": 1, "failed": 0}


def test_a_row_under_way_goes_on_with_its_own_request(house: House) -> None:
    house.prepare("first_frame\na.png\n")
    [line] = house.items
    house.ends(line, Status.IN_PROGRESS)
    house.models = [model("maker/cheap", "0.90"), model("maker/dear", "0.50")]
    batch = house.prepare("first_frame\na.png\n")
    assert [again["request"] for again in house.items] == [line["request"]]
    assert batch.estimated_cost_usd == 0


def test_a_row_that_failed_for_good_is_chosen_for_anew(house: House) -> None:
    house.prepare("first_frame\na.png\n")
    [line] = house.items
    house.ends(line, Status.FAILED, error=JobError(code="GenerationFailed", message="m"))
    house.models = [model("maker/cheap", "0.90"), model("maker/dear", "0.50")]
    house.prepare("first_frame\na.png\n")
    [again] = house.items
    assert (again["attempt"], again["request"]["model"]) == (2, "maker/dear")


def test_every_invalid_row_is_recorded_under_its_item_id_with_its_line(house: House) -> None:
    table = "item_id,prompt,first_frame,duration\r\n1,p,a.png,4.0\r\n\r\n2,p,a.png,4s\r\n3,p,a.png,4,5\r\n,,,5\r\n"
    batch = house.prepare(table)
    assert batch.prepared == {"to_run": 1, "skipped": 0, "failed": 3}
    assert [line["request"]["duration"] for line in house.items] == [4]
    shown = [(outcome["item_id"], outcome["error"]["message"].partition(":")[0]) for outcome in house.outcomes]
    assert shown == [
        ("2", "Row 2 (line 4)"),
        ("3", "Row 3 (line 5) has 5 cells for 4 columns"),
        ("unusable-row-4", "Row 4 (line 6)"),
    ]


def test_two_unusable_item_ids_are_not_called_the_same(house: House) -> None:
    table = "".join(f"{'x' * 150}{end},a.png\n" for end in "ab")
    batch = house.prepare(f"item_id,first_frame\n{table}c,a.png\n")
    assert batch.prepared == {"to_run": 1, "skipped": 0, "failed": 2}
    with pytest.raises(InvalidRequest, match="item_id twice: 'c'"):
        house.prepare("item_id,first_frame\nc,a.png\nc,b.png\n")


def test_a_manifest_without_rows_is_refused(house: House) -> None:
    for table in ("", "prompt\n", "\n\n", "prompt\n,\n"):
        with pytest.raises(InvalidRequest, match="has no rows"):
            house.prepare(table)
