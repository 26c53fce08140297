"""A picture's first bytes tell its size as it is looked at, and whether it has transparency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.requests.picture_header import PictureHeader, read_header
from tests.support.pictures import heic, picture

TURNED = dict.fromkeys((1, 2, 3, 4), (160, 90)) | dict.fromkeys((5, 6, 7, 8), (90, 160))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "size"), TURNED.items())
def test_a_size_is_given_as_the_picture_is_looked_at(kind: str, orientation: int, size: tuple[int, int]) -> None:
    assert read_header(picture(kind, orientation=orientation)) == PictureHeader(*size)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
def test_the_first_bytes_are_enough(kind: str) -> None:
    whole = picture(kind, (1600, 900))
    found = read_header(whole[: 64 * 1024])
    assert found is not None
    assert found.size == (1600, 900)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_photo_of_tiles_has_the_size_of_the_whole(quarters: int) -> None:
    size = (3024, 4032) if quarters % 2 else (4032, 3024)
    assert read_header(heic((4032, 3024), quarters)[:600]) == PictureHeader(*size)


def test_a_size_behind_a_long_preview_is_found() -> None:
    jpeg = picture("JPEG", (1600, 900))
    previews = b"".join(b"\xff\xe2\xff\xff" + bytes(65533) for _ in range(3))
    assert read_header(jpeg[:2] + previews + jpeg[2:]) == PictureHeader(1600, 900)
    assert read_header((jpeg[:2] + previews)[:100_000]) is None


@pytest.mark.parametrize(
    ("kind", "mode", "transparent"),
    [
        ("PNG", "RGBA", True),
        ("PNG", "LA", True),
        ("PNG", "RGB", False),
        ("WEBP", "RGBA", True),
        ("WEBP", "RGB", False),
        ("AVIF", "RGBA", True),
        ("AVIF", "RGB", False),
        ("GIF", "RGBA", True),
        ("GIF", "RGB", False),
        ("JPEG", "RGB", False),
    ],
)
def test_transparency_is_noticed(kind: str, mode: str, transparent: bool) -> None:
    found = read_header(picture(kind, mode=mode))
    assert found is not None
    assert found.transparent is transparent


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_do_no_harm(head: bytes) -> None:
    found = read_header(head)
    assert found is None or min(found.size) > 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
@given(data=st.data())
def test_a_broken_picture_does_no_harm(kind: str, data: st.DataObject) -> None:
    whole = bytearray(picture(kind)[:400])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(12, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found = read_header(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    assert found is None or min(found.size) > 0


@pytest.mark.parametrize("seen", [1.0, 0.5])
def test_exif_behind_the_picture_is_read_or_awaited(seen: float) -> None:
    """WebP keeps it at the end: of a large file only the beginning is read, and a shape that may be turned is none."""
    whole = picture("WEBP", (1600, 900), orientation=6)
    found = read_header(whole[: int(len(whole) * seen)])
    assert found == (PictureHeader(900, 1600) if seen == 1 else None)


def test_what_does_not_begin_as_a_png_has_no_size() -> None:
    """Xcode's PNG begins with a part of its own; its bytes are no size."""
    whole = picture("PNG")
    assert read_header(whole[:8] + b"\x00\x00\x00\x04CgBI" + bytes(8) + whole[8:]) is None
