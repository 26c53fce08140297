"""Which keys of the input bucket an entry point may name."""

from __future__ import annotations

from typing import Any, cast

import pytest

from stillmotion.batches.record import Batch, Manifest, Order
from stillmotion.errors import ImageNotUsable
from stillmotion.outbound.guarded_client import GuardedClient
from stillmotion.ports import ObjectStore
from stillmotion.requests.media import Images
from stillmotion.requests.owned_names import Names, names_of, upload_prefix
from stillmotion.requests.whose_pictures import InputBucket
from tests.support.fakes import a_request

ALICE, BOB = "arn:aws:iam::123456789012:user/alice", "arn:aws:iam::123456789012:role/bob"
MINE, THEIRS = f"{upload_prefix(ALICE)}a.png", f"{upload_prefix(BOB)}a.png"
BUCKET = InputBucket("pictures", "shared/")
HTTP, EVENT, WORKFLOW = {"type": "http"}, {"type": "event"}, {"type": "workflow"}
DROP = {"type": "drop", "bucket": "pictures", "key": "drop/shop/cat.jpg"}


class NoS3:
    """No call to S3 is made: it has no methods."""


def check(url: str, names: Names) -> None:
    frame: dict[str, Any] = {"type": "image_url", "image_url": {"url": url}, "frame_type": "first_frame"}
    Images(cast(ObjectStore, NoS3()), BUCKET, GuardedClient()).check(a_request(frame_images=[frame]), names)


def test_an_owner_part_is_26_base_32_characters_of_the_arn() -> None:
    assert upload_prefix(ALICE) == "uploads/w7lr2ob3svl2towuym2gyubwla/"
    assert upload_prefix(None) == "uploads/stack/"


@pytest.mark.parametrize(
    ("source", "owner", "admitted", "refused"),
    [
        (HTTP, ALICE, [MINE], [THEIRS, "uploads/a.png", "drop/a.png", "videos/a.mp4", "sharedx/a.png", "shared"]),
        (HTTP, None, [], [MINE, "uploads/stack/vid_1/a.png"]),
        (EVENT, None, [], [MINE, "uploads/stack/vid_1/a.png", "drop/a.png", "batches/in/a.png"]),
        (DROP, None, ["drop/shop/a.png", "drop/shop/b/a.png"], ["drop/a.png", "drop/shop2/a.png", MINE]),
        (WORKFLOW, None, [MINE, THEIRS, "drop/a.png", "a.png"], ["videos/a.mp4", "failed/a.json"]),
        ({"type": "batch"}, ALICE, [MINE, "a.png"], ["videos/a.mp4"]),
        ({"type": "other"}, ALICE, [], [MINE]),
    ],
)
def test_each_entry_point_names_its_own(
    source: dict[str, str], owner: str | None, admitted: list[str], refused: list[str]
) -> None:
    names = names_of(source, owner)
    seen = {key: BUCKET.may_name("pictures", key, names) for key in [*admitted, *refused, "shared/a.png"]}
    assert seen == dict.fromkeys(admitted, True) | dict.fromkeys(refused, False) | {"shared/a.png": True}


@pytest.mark.parametrize("tail", ["", "/a.png", "a//b.png", "./a.png", "../a.png", "a/..", "a/../../x/a.png", "a/."])
@pytest.mark.parametrize("start", ["shared/", upload_prefix(ALICE)])
def test_keys_with_empty_or_dotted_segments_are_refused(start: str, tail: str) -> None:
    for names in (names_of(HTTP, ALICE), names_of(WORKFLOW, None)):
        assert not BUCKET.may_name("pictures", start + tail, names)
        assert not BUCKET.may_name("elsewhere", start + tail, names)


def test_case_does_not_hide_the_bucket_and_others_are_left_to_the_role() -> None:
    assert not BUCKET.may_name("Pictures", THEIRS, names_of(HTTP, ALICE))
    assert BUCKET.may_name("elsewhere", "a.png", names_of(EVENT, None))


@pytest.mark.parametrize("url", [f"s3://pictures/{THEIRS}", f"S3://PICTURES/{THEIRS}", "s3://pictures/shared/../a.png"])
def test_a_foreign_picture_is_refused_as_an_absent_one_without_a_call(url: str) -> None:
    with pytest.raises(ImageNotUsable, match=r"cannot be read from S3 \(NoSuchKey\)") as refused:
        check(url, names_of(HTTP, ALICE))
    assert [fault.given for fault in refused.value.faults] == [url]


@pytest.mark.parametrize("url", ["s3://arn:aws:s3:eu-central-1:123456789012:accesspoint:ap/a.png", "s3://a b/c.png"])
def test_what_is_no_bucket_is_no_address(url: str) -> None:
    with pytest.raises(ImageNotUsable, match="not of the form s3://bucket/key"):
        check(url, Names(("",)))


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"owner": ALICE, "source": "http"}, Names((upload_prefix(ALICE),))),
        ({"owner": ALICE}, Names((upload_prefix(ALICE),))),
        ({"source": "event"}, Names()),
        ({"source": "drop"}, Names(("batches/in/shop/",))),
        ({}, Names(("",), but=("videos/", "failed/"))),
    ],
)
def test_a_batchs_rows_name_what_its_order_may(fields: dict[str, Any], names: Names) -> None:
    manifest = Manifest(bucket="pictures", key="batches/in/shop/rows.csv", etag="e")
    batch = Batch(id="b", order=Order(manifest=manifest.address), manifest=manifest, execution_arn="arn", **fields)
    assert batch.names == names
