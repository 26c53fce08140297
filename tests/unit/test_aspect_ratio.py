"""The clip's shape follows the picture, unless the caller says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from stillmotion.requests.aspect_ratio import Shaped, shape_request, share_lost
from stillmotion.requests.media import Picture
from stillmotion.requests.picture_header import PictureHeader
from stillmotion.requests.video_request import parse_request

VEO = ["16:9", "9:16"]
WAN = ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9"]


def shaped(sizes: dict[str, tuple[int, int] | None], offered: list[str] | None, **fields: Any) -> Shaped:
    """The shape of a request with a picture of each frame type, in this order."""
    frames = [{"image_url": {"url": f"https://pictures.example/{kind}.png"}, "frame_type": kind} for kind in sizes]
    request = parse_request({"model": "a/b", "prompt": "p", "frame_images": frames} | fields)
    pictures = [
        Picture(f"#/frame_images/{at}/image_url/url", "image/png", None if size is None else PictureHeader(*size))
        for at, size in enumerate(sizes.values())
    ]
    return shape_request(request, offered, pictures)


@pytest.mark.parametrize(
    ("size", "offered", "ratio", "lost"),
    [
        ((1920, 1080), VEO, "16:9", None),
        ((1080, 1920), VEO, "9:16", None),
        ((1366, 768), VEO, "16:9", None),
        ((900, 1600), WAN, "9:16", None),
        ((1000, 1000), WAN, "1:1", None),
        ((1000, 1000), VEO, "16:9", "44%"),
        ((4032, 3024), WAN, "4:3", None),
        ((3000, 2000), WAN, "4:3", "11%"),
        ((1200, 300), WAN, "21:9", "42%"),
        ((1200, 300), ["16:9", "21:9", "9:21"], "21:9", "42%"),
        ((300, 1200), ["16:9"], "16:9", "86%"),
        ((1600, 900), ["auto", "16:9", "match_input"], "16:9", None),
    ],
)
def test_the_nearest_ratio_is_asked_for_and_a_loss_told(
    size: tuple[int, int], offered: list[str], ratio: str, lost: str | None
) -> None:
    found = shaped({"first_frame": size}, offered)
    assert found.request.aspect_ratio == ratio
    assert found.chosen == {"aspect_ratio": ratio}
    assert [f"{lost} of the picture" in warning for warning in found.warnings] == ([] if lost is None else [True])
    assert all(f"{size[0]}x{size[1]} and the clip {ratio}" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("named", "size", "lost"),
    [
        ({"aspect_ratio": "16:9"}, (900, 1600), "68%"),
        ({"aspect_ratio": "9:16"}, (900, 1600), None),
        ({"aspect_ratio": "16:9"}, (1366, 768), None),
        ({"aspect_ratio": "16:9"}, None, None),
        ({"size": "1280x720"}, (640, 640), "44%"),
        ({"size": "1280x720"}, (640, 360), None),
    ],
)
def test_what_the_caller_names_is_sent_as_it_is(
    named: dict[str, str], size: tuple[int, int] | None, lost: str | None
) -> None:
    found = shaped({"first_frame": size}, WAN, **named)
    assert found.request == parse_request(found.request.as_given())
    assert (found.request.aspect_ratio, found.request.size) == (named.get("aspect_ratio"), named.get("size"))
    assert found.chosen == {}
    assert [f"{lost} of the picture" in warning for warning in found.warnings] == ([] if lost is None else [True])


@pytest.mark.parametrize("name", ["size", "ratio", "aspectRatio", "aspect_ratio"])
def test_a_shape_that_is_passed_on_to_the_model_counts_as_named(name: str) -> None:
    passed = {"options": {"slug": {"parameters": {name: "1:1"}}}}
    assert shaped({"first_frame": (900, 1600)}, VEO, provider=passed).chosen == {}


def test_the_first_frame_decides_wherever_it_stands() -> None:
    found = shaped({"last_frame": (1600, 900), "first_frame": (900, 1600)}, VEO)
    assert found.chosen == {"aspect_ratio": "9:16"}
    [warning] = found.warnings
    assert warning.startswith("/frame_images/0/image_url/url is 1600x900 and the clip 9:16: 68% of the picture")


def test_a_last_frame_alone_decides() -> None:
    assert shaped({"last_frame": (900, 1600)}, VEO).chosen == {"aspect_ratio": "9:16"}


@pytest.mark.parametrize("offered", [None, [], ["auto"]])
def test_nothing_is_chosen_where_the_model_states_no_ratio(offered: list[str] | None) -> None:
    found = shaped({"first_frame": (900, 1600)}, offered)
    assert (found.request.aspect_ratio, found.chosen, found.warnings) == (None, {}, [])


def test_a_picture_whose_size_cannot_be_read_is_told() -> None:
    found = shaped({"first_frame": None}, VEO)
    assert found.chosen == {}
    assert ["could not be read" in warning for warning in found.warnings] == [True]


def test_a_request_without_frame_images_is_left_alone() -> None:
    request = parse_request({"model": "a/b", "prompt": "p"})
    assert shape_request(request, VEO, []) == Shaped(request, {}, [])


def test_what_is_lost_does_not_depend_on_which_side_is_cut() -> None:
    assert share_lost((1600, 900), "9:16") == pytest.approx(1 - 81 / 256)
    assert share_lost((900, 1600), "16:9") == pytest.approx(1 - 81 / 256)
    assert share_lost((1920, 1080), "1280x720") == 0
