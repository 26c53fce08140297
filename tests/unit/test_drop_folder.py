"""What dropped objects ask for: fields, companions, addresses, notes, and which put is which job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws

from stillmotion.drops.companions import IMAGE_SUFFIXES, Companions, find_companions
from stillmotion.drops.fields import fields_of_metadata, with_plain_names
from stillmotion.drops.folder import Drop, DroppedRequest, Drops, note_key
from stillmotion.errors import InvalidRequest, StorageFailed, SubmitInProgress
from stillmotion.generation.defaults import Defaults
from stillmotion.generation.publish import Publishing
from stillmotion.jobs.drop_marks import DynamoDropMarks
from stillmotion.jobs.lifecycle import Status
from stillmotion.jobs.record import JobError
from stillmotion.modelgates.models import ModelCatalogue, VideoModel
from stillmotion.ports import Notes, ObjectFacts, ObjectStore
from stillmotion.requests.relative_addresses import whole_addresses
from stillmotion.stepfunctions.dropped_jobs import REPEATED_SECONDS, DroppedJobs
from stillmotion.stepfunctions.execution_input import DroppedObject, read_input
from tests.support.fakes import MemoryEvents, MemoryJobStore, a_job

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


class Folder:
    """A bucket in memory."""

    def __init__(self, **objects: bytes) -> None:
        self.objects: dict[str, tuple[bytes, Mapping[str, str]]] = {}
        for name, body in objects.items():
            self.put_object(f"drop/{name}", body)

    def put_object(self, key: str, body: bytes = PNG, **metadata: str) -> None:
        self.objects[key] = (body, {name.replace("__", "-"): value for name, value in metadata.items()})

    def head(self, _bucket: str, key: str) -> ObjectFacts | None:
        if key not in self.objects:
            return None
        body, metadata = self.objects[key]
        return ObjectFacts(f"etag-{hash(body)}", None, "image/png", len(body), metadata, put_at=1_000)

    def read(self, _bucket: str, key: str, _limit: int | None = None) -> bytes | None:
        return self.objects[key][0] if key in self.objects else None

    def first_bytes(self, bucket: str, key: str, count: int) -> tuple[ObjectFacts, bytes]:
        return cast(ObjectFacts, self.head(bucket, key)), self.objects[key][0][:count]

    def keys(self, _bucket: str, prefix: str) -> Iterator[str]:
        return (key for key in sorted(self.objects) if key.startswith(prefix))

    def dropped(self, key: str) -> DroppedRequest | None:
        return Drops(cast(ObjectStore, self)).read(Drop("pictures", f"drop/{key}", "v"))


def asked(folder: Folder, key: str) -> dict[str, Any]:
    found = folder.dropped(key)
    assert found is not None
    return found.asked


@pytest.mark.parametrize(
    ("metadata", "fields"),
    [
        ({"duration": "4.0", "seed": " 7 "}, {"duration": 4, "seed": 7}),
        ({"aspect-ratio": "9:16"}, {"aspect_ratio": "9:16"}),
        ({"aspect_ratio": "9:16"}, {"aspect_ratio": "9:16"}),
        ({"audio": "Yes"}, {"generate_audio": True}),
        ({"generate-audio": "false"}, {"generate_audio": False}),
        ({"audio": "true", "generate_audio": "1"}, {"generate_audio": True}),
        ({"metadata-order_id": "1", "metadata-a-b": "2"}, {"metadata": {"order_id": "1", "a-b": "2"}}),
        ({"mtime": "1700000000", "prompt": "=?utf-8?b?S8Okc2U=?="}, {"prompt": "Käse"}),
    ],
)
def test_user_metadata_become_fields_of_the_request(metadata: dict[str, str], fields: dict[str, Any]) -> None:
    assert fields_of_metadata(metadata) == fields


@pytest.mark.parametrize(
    ("metadata", "place"),
    [
        ({"duration": "4s"}, "#/duration"),
        ({"duration": "٤"}, "#/duration"),
        ({"audio": "loud"}, "#/generate_audio"),
        ({"audio": "true", "generate_audio": "false"}, "#/generate_audio"),
        ({"aspect-ratio": "9:16", "aspect_ratio": "16:9"}, "#/aspect_ratio"),
    ],
)
def test_user_metadata_of_no_sense_are_refused_by_name(metadata: dict[str, str], place: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        fields_of_metadata(metadata)
    assert [fault.pointer for fault in refused.value.faults] == [place]


@pytest.mark.parametrize("name", ["a.json", "request.json"])
def test_a_field_that_is_given_twice_refuses_the_drop(name: str) -> None:
    folder = Folder(**{name: b'{"prompt": "p", "duration": 4, "duration": 8}'})
    folder.put_object("drop/a.jpg")
    with pytest.raises(InvalidRequest, match="'duration' twice"):
        folder.dropped("a.jpg" if name == "a.json" else name)


def test_a_last_frame_that_the_sidecar_names_is_used() -> None:
    folder = Folder(**{"a.json": b'{"prompt": "p", "last_frame": "b.jpg"}'})
    folder.put_object("drop/a.jpg")
    frames = {one["frame_type"]: one["image_url"]["url"] for one in asked(folder, "a.jpg")["frame_images"]}
    assert frames == {"first_frame": "s3://pictures/drop/a.jpg", "last_frame": "s3://pictures/drop/b.jpg"}


def test_two_last_frames_refuse_the_drop() -> None:
    folder = Folder(**{"a.json": b'{"last_frame": "b.jpg"}', "a.last.jpg": PNG})
    folder.put_object("drop/a.jpg")
    with pytest.raises(InvalidRequest, match="is one too"):
        folder.dropped("a.jpg")


def test_a_first_frame_makes_json_a_whole_request() -> None:
    folder = Folder(**{"r.json": b'{"model": "m", "prompt": "p", "first_frame": "b.jpg"}'})
    [frame] = asked(folder, "r.json")["frame_images"]
    assert (frame["frame_type"], frame["image_url"]["url"]) == ("first_frame", "s3://pictures/drop/b.jpg")


def test_metadata_of_sidecar_and_object_are_joined() -> None:
    folder = Folder(**{"a.json": b'{"metadata": {"order_id": "1", "sku": "x"}, "audio": true, "prompt": "p"}'})
    folder.put_object("drop/a.jpg", metadata__sku="2", size="1280x720")
    found = asked(folder, "a.jpg")
    assert found["metadata"] == {"order_id": "1", "sku": "2"}
    assert (found["generate_audio"], found["prompt"], found["size"]) == (True, "p", "1280x720")


def test_a_sidecars_fields_yield_to_what_contradicts_them() -> None:
    folder = Folder(**{"a.json": b'{"resolution": "720p", "aspect_ratio": "16:9"}'})
    folder.put_object("drop/a.jpg", size="1280x720")
    assert {"resolution", "aspect_ratio"}.isdisjoint(asked(folder, "a.jpg"))
    with pytest.raises(InvalidRequest, match=r"'a\.json': /generate_audio"):
        with_plain_names({"audio": True, "generate_audio": False}, "a.json")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["UP.JPG", "UP.last.JPG"], ("UP.last.JPG", None)),
        (["UP.JPG", "up.LAST.png", "Up.Json"], ("up.LAST.png", "Up.Json")),
        (["UP.JPG", "UPPER.json", "U.json", "UP.last2.jpg"], (None, None)),
        (["e\u0301t\u00e9.jpg", "\u00e9te\u0301.json"], (None, "\u00e9te\u0301.json")),
    ],
)
def test_companions_are_found_by_any_spelling(names: list[str], found: tuple[str | None, str | None]) -> None:
    keys = [f"drop/{name}" for name in names]

    def listed(_bucket: str, prefix: str) -> Iterator[str]:
        return (key for key in keys if key.startswith(prefix))

    expected = Companions(*(name and f"drop/{name}" for name in found))
    assert find_companions(listed, "b", keys[0]) == expected


@pytest.mark.parametrize("names", [["a.last.tif"], ["a.last"], ["a.last.jpg", "A.last.jpg"], ["a.json", "a.JSON"]])
def test_companions_that_cannot_be_used_refuse_the_drop(names: list[str]) -> None:
    with pytest.raises(InvalidRequest, match=r"'drop/a\.jpg'"):
        Folder(**dict.fromkeys(["a.jpg", *names], b"{}")).dropped("a.jpg")


@pytest.mark.parametrize("key", ["x/Assets/a.jpg", "a.LAST.JPG", "a.last", ".hidden.jpg", "x/"])
def test_what_belongs_to_something_else_starts_nothing(key: str) -> None:
    assert Folder(**{key: PNG}).dropped(key) is None


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_picture_that_uploads_take_may_be_dropped(suffix: str) -> None:
    assert asked(Folder(**{f"a{suffix.upper()}": PNG}), f"a{suffix.upper()}")["frame_images"]


def test_other_names_are_judged_by_their_bytes() -> None:
    assert asked(Folder(picture=PNG), "picture")["frame_images"]
    for body, name in ((b"", "empty"), (b"<html><body>", "HTML"), (b"%PDF-1.7", "PDF")):
        with pytest.raises(InvalidRequest, match=f"is no picture but .*{name}"):
            Folder(**{"a.txt": body}).dropped("a.txt")


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("a b.png", "a b.png"),
        ("./sub//a.png", "sub/a.png"),
        ("sub\\a.png", "sub/a.png"),
        ("shot 1:2.png", "shot 1:2.png"),
        ("a#1?.png", "a#1?.png"),
    ],
)
def test_relative_paths_are_understood(given: str, whole: str) -> None:
    data = {"frame_images": [{"image_url": {"url": given}}]}
    assert whole_addresses(data, "s3://b/f/")["frame_images"][0]["image_url"]["url"] == f"s3://b/f/{whole}"


@pytest.mark.parametrize("address", ["https://x/a", "s3://b/a", "data:image/png;base64,AA", "HTTP://x/a", "", " "])
def test_addresses_are_left_as_they_are(address: str) -> None:
    data = {"input_references": [{"type": "image_url", "image_url": {"url": address}}]}
    assert whole_addresses(data, "s3://b/f/")["input_references"][0]["image_url"]["url"] == address


@pytest.mark.parametrize(
    "path", ["C:\\a.png", "c:/a.png", "/a.png", "\\\\server\\a.png", "../a.png", "x/..\\a", "x/", "."]
)
def test_paths_that_lead_elsewhere_are_refused_by_name(path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        whole_addresses({"frame_images": [{"image_url": {"url": path}}]}, "s3://b/f/")
    assert [fault.pointer for fault in refused.value.faults] == ["#/frame_images/0/image_url/url"]
    assert refused.value.detail.startswith("/frame_images/0/image_url/url: '")


def test_a_note_has_a_key_of_its_own_that_s3_takes() -> None:
    assert (note_key("a.gif"), note_key("a.jpg")) == ("failed/a.gif.json", "failed/a.jpg.json")
    exact = "x" * (1024 - len("failed/.json"))
    assert note_key(exact) == f"failed/{exact}.json"
    names = [f"{'ü' * 510}{end}" for end in "ab"] + [exact + "y"]
    keys = [note_key(name) for name in names]
    assert len(set(keys)) == 3
    assert all(1000 < len(key.encode()) <= 1024 for key in keys)


def test_an_event_of_an_object_that_was_replaced_starts_nothing() -> None:
    there = ObjectFacts("new", "v2", "", 1)
    assert Drop("b", "k", "v1", "new", "v1").is_replaced(there)
    assert not Drop("b", "k", "v2", "new", "v2").is_replaced(there)
    assert Drop("b", "k", "old-01", "old").is_replaced(ObjectFacts("new", None, "", 1))
    assert not Drop("b", "k", "new-01", "new").is_replaced(ObjectFacts("new", None, "", 1))


FIELDS = {"prompt": "by default", "duration": 8, "resolution": "720p", "aspect_ratio": "16:9"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model": "m/all"}, FIELDS),
        ({"model": "m/all", "size": "1280x720"}, {"prompt": "by default", "duration": 8}),
        ({"model": "m/tall"}, {"prompt": "by default"}),
        ({"model": "m/tall", "prompt": "own", "duration": 4}, {"prompt": "own", "duration": 4}),
        ({"model": "no/such"}, FIELDS),
    ],
)
def test_an_explicit_value_disables_the_defaults_it_rules_out(given: dict[str, Any], expected: dict[str, Any]) -> None:
    tall = VideoModel(
        id="m/tall", supported_durations=[4], supported_resolutions=["1080p"], supported_aspect_ratios=["9:16"]
    )
    defaults = Defaults(ModelCatalogue(lambda: [VideoModel(id="m/all"), tall]))
    assert defaults.complete(given, FIELDS) == given | expected | {"generate_audio": False}


class Marking:
    """Puts of one content, on a real table of marks."""

    def __init__(self) -> None:
        table = boto3.resource("dynamodb", "eu-central-1").create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.store, self.now = MemoryJobStore(), 10_000.0
        marks, nothing = DynamoDropMarks(table), cast(Any, None)
        self.jobs = DroppedJobs(nothing, nothing, {}, marks, self.store, lambda: self.now)

    def put(self, sequencer: str, put_at: int = 10_000, content: str = "c") -> tuple[DroppedObject, Any]:
        """What an event finds: its own put, and the job of an earlier one."""
        detail = {"bucket": {"name": "b"}, "object": {"key": "drop/a.jpg", "etag": "e", "sequencer": sequencer}}
        started = read_input({"detail-type": "Object Created", "source": "aws.s3", "detail": detail}, "arn:e")
        assert isinstance(started, DroppedObject)
        return started, self.jobs.earlier(started, DroppedRequest({}, True, content, put_at))


@pytest.fixture
def marking() -> Iterator[Marking]:
    with mock_aws():
        yield Marking()


def test_an_equal_put_is_the_earlier_ones_job_until_that_fails(marking: Marking) -> None:
    first, nothing = marking.put("01")
    assert nothing is None
    job = marking.store.put(a_job(Status.IN_PROGRESS, id=first.job_id))
    assert marking.put("02")[1] == job
    assert marking.put("02", content="other")[1] is None
    assert marking.put("02", 10_000 + REPEATED_SECONDS)[1] == job
    failed = JobError(code="GenerationFailed", message="m")
    marking.store.put(a_job(Status.FAILED, id=first.job_id, error=failed))
    third, nothing = marking.put("03")
    assert nothing is None
    again = marking.store.put(a_job(Status.QUEUED, id=third.job_id))
    assert marking.put("04")[1] == again


def test_an_equal_put_after_fifteen_minutes_is_a_new_job(marking: Marking) -> None:
    first, _ = marking.put("01")
    marking.store.put(a_job(Status.COMPLETED, id=first.job_id))
    assert marking.put("02", 10_001 + REPEATED_SECONDS)[1] is None
    assert marking.jobs.find(first) is not None


def test_an_equal_put_waits_for_one_that_is_on_its_way(marking: Marking) -> None:
    first, _ = marking.put("01")
    assert marking.put("01")[1] is None
    with pytest.raises(SubmitInProgress):
        marking.put("02")
    marking.store.put(a_job(Status.FAILED, id=first.refused_id, error=JobError(code="InvalidRequest", message="m")))
    assert marking.put("02")[1] is None


def test_a_put_that_was_lost_on_its_way_blocks_no_other(marking: Marking) -> None:
    marking.put("01")
    marking.now += 121
    assert marking.put("02")[1] is None


class Refusing(Notes):
    """Notes that S3 does not take."""

    def __init__(self, *, refused: bool) -> None:
        self._error = StorageFailed("S3 did not store it.")
        self._error.refused = refused

    def completed(self, job: Any) -> None:
        raise self._error

    failed = completed


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED])
def test_no_failure_of_a_note_holds_back_an_event(status: Status) -> None:
    store, events = MemoryJobStore(), MemoryEvents()
    job = store.put(a_job(status, published_at=None))
    with pytest.raises(StorageFailed):
        Publishing(store, events, Refusing(refused=False)).publish(job)
    assert len(events.names) == 1
    assert Publishing(store, events, Refusing(refused=True)).publish(job).published_at is not None
    assert len(events.names) == 2
