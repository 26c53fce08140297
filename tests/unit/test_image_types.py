"""Bytes decide what a file is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.requests.image_types import describe, image_type, is_cut_off, is_mp4
from tests.support.pictures import CUT_OFF, MP4, NO_PICTURES, PICTURES, brands, picture

TAIL = 64 * 1024


@pytest.mark.parametrize(("data", "kind"), PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_is_known_by_its_bytes(data: bytes, kind: str) -> None:
    assert image_type(data) == kind
    assert not is_mp4(data)


@pytest.mark.parametrize(("data", "name"), NO_PICTURES.values(), ids=NO_PICTURES.keys())
def test_what_is_no_picture_is_named_and_something_is_advised(data: bytes, name: str) -> None:
    assert image_type(data) is None
    assert describe(data).name.startswith(name)
    assert describe(data).advice


@pytest.mark.parametrize("major", [b"isom", b"iso5", b"mp42", b"avc1", b"M4V ", b"dash", b"qt  ", b"3gp4"])
def test_an_mp4_is_no_picture_whatever_its_brand(major: bytes) -> None:
    assert is_mp4(brands(major, b"isom", b"iso6"))
    assert image_type(brands(major, b"isom", b"iso6")) is None


@pytest.mark.parametrize("data", CUT_OFF.values(), ids=CUT_OFF.keys())
def test_a_picture_whose_end_is_missing_is_noticed(data: bytes) -> None:
    assert is_cut_off(image_type(data) or "", data[:4096], data[-TAIL:], len(data))


WHOLE = {
    "jpeg": picture("JPEG", (2400, 1350)),
    "jpeg with a short trailer": picture("JPEG") + b"SEFT" + bytes(40),
    "jpeg with a film behind it": picture("JPEG") + MP4 * 40,
    "jpeg with zeros behind it": picture("JPEG") + bytes(2 * TAIL),
    "jpeg with another jpeg behind it": picture("JPEG") + picture("JPEG", (64, 64)),
    "png": picture("PNG", (900, 600)),
    "png with a trailer": picture("PNG") + b"more",
    "webp": picture("WEBP"),
    "gif": picture("GIF"),
    "bmp": picture("BMP"),
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_picture_is_never_called_cut_off(data: bytes) -> None:
    assert not is_cut_off(image_type(data) or "", data[:4096], data[-TAIL:], len(data))


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_have_a_name(data: bytes) -> None:
    assert image_type(data) is not None or describe(data).name


@given(st.text(max_size=200).filter(str.strip))
def test_text_is_never_taken_for_a_picture(text: str) -> None:
    assert image_type(b"BM" + text.encode()) is None


@pytest.mark.parametrize("header", [12, 40, 108, 124])
def test_a_bitmap_is_known_by_its_headers(header: int) -> None:
    start = b"BM" + (54 + 43200).to_bytes(4, "little") + bytes(4) + (14 + header).to_bytes(4, "little")
    sides = b"".join(side.to_bytes(2 if header == 12 else 4, "little") for side in (160, 90))
    depth = b"\x01\x00\x18\x00"
    whole = start + header.to_bytes(4, "little") + sides + depth + bytes(200)
    assert image_type(whole) == "image/bmp"
    assert image_type(whole.replace(b"\x01\x00\x18\x00", b"\x07\x00\x18\x00")) is None
