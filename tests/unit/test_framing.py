"""Pictures whose shape is not the clip's are told, never refused."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stillmotion.requests.aspect_ratio import dimensions, shape_warnings
from stillmotion.requests.video_request import parse_request

FRAME = "#/frame_images/0/image_url/url"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_pictures_first_bytes_tell_its_dimensions(kind: str) -> None:
    picture = io.BytesIO()
    Image.effect_noise((1600, 900), 50).convert("RGB").save(picture, kind)
    assert dimensions(picture.getvalue()[: 64 * 1024]) == (1600, 900)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_do_no_harm(head: bytes) -> None:
    found = dimensions(head)
    assert found is None or min(found) > 0


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP", b"GIF89a", b"\0\0\0\x1cftypavif"]
)
@given(rest=st.binary(max_size=80))
def test_a_broken_picture_does_no_harm(start: bytes, rest: bytes) -> None:
    found = dimensions(start + rest)
    assert found is None or min(found) > 0


@pytest.mark.parametrize(
    ("asked", "size", "told"),
    [
        ({"aspect_ratio": "16:9"}, (1600, 1200), True),
        ({"aspect_ratio": "16:9"}, (1920, 1080), False),
        ({"aspect_ratio": "16:9"}, (1366, 768), False),
        ({"aspect_ratio": "9:16"}, (1920, 1080), True),
        ({"size": "1280x720"}, (640, 640), True),
        ({"size": "1280x720"}, (640, 360), False),
        ({}, (640, 640), False),
        ({"aspect_ratio": "16:9"}, None, False),
    ],
)
def test_a_shape_unlike_the_clips_is_reported(asked: dict[str, str], size: tuple[int, int] | None, told: bool) -> None:
    request = parse_request({"model": "a/b", "prompt": "p"} | asked)
    warnings = list(shape_warnings(request, [(FRAME, size)]))
    assert bool(warnings) is told
    assert all(FRAME in warning and str(size and size[0]) in warning for warning in warnings)
