"""Likeness of a clip's ends to their pictures: pictures of all shapes, the right one and another one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from local.simulator.pictures import landscape
from stillmotion.inspection.clip import Limits, watch
from stillmotion.inspection.likeness import compare, psnr, ssim
from stillmotion.inspection.report import Likeness, Thresholds, unlike
from tests.support.clips import clip, encoded, picture
from tests.support.stretching import Bytes

EXPECTED = Thresholds(psnr_db=25, ssim=0.75)


def transparent() -> bytes:
    image = landscape("lake", 640, 360).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return encoded(image)


def palette() -> bytes:
    return encoded(landscape("lake", 640, 360).quantize(64))


SHAPES: dict[str, tuple[Callable[[], bytes], float]] = {
    "landscape": (lambda: picture("lake", 1600, 900), 0.0),
    "portrait": (lambda: picture("lake", 900, 1600), 0.6836),
    "square": (lambda: picture("lake", 800, 800), 0.4375),
    "panorama": (lambda: picture("lake", 3000, 500), 0.7037),
    "almost": (lambda: picture("lake", 1366, 768), 0.0),
    "alpha": (transparent, 0.0),
    "palette": (palette, 0.0),
    "gif": (lambda: picture("lake", 640, 360, "GIF"), 0.0),
    "cmyk": (lambda: encoded(landscape("lake", 640, 360).convert("CMYK"), "JPEG", quality=95), 0.0),
    "webp": (lambda: picture("lake", 640, 360, "WEBP"), 0.0),
    "tiny": (lambda: picture("lake", 16, 16), 0.4375),
    "large": (lambda: encoded(landscape("lake", 4000, 2250).resize((8000, 6000)), "JPEG", quality=90), 0.25),
}
"""How a picture of each shape is made, and the share of it that a 16:9 clip loses."""


def first_frame(content: bytes) -> Image.Image:
    return watch(Bytes(clip(content)), Limits()).first


@pytest.mark.parametrize("shape", SHAPES)
def test_the_right_picture_is_recognised(shape: str) -> None:
    make, lost = SHAPES[shape]
    content = make()
    found = compare("first_frame", first_frame(content), content)
    assert found.psnr_db is not None
    assert found.psnr_db > 30
    assert found.lost_share == pytest.approx(lost, abs=0.002)
    assert list(unlike(found, EXPECTED)) == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_says(orientation: int) -> None:
    content = picture("lake", 640, 360, "JPEG", exif=orientation)
    upright = compare("first_frame", first_frame(content), picture("lake", 640, 360))
    found = compare("first_frame", first_frame(content), content)
    assert found.psnr_db is not None
    assert upright.psnr_db is not None
    assert found.psnr_db > 30
    assert upright.psnr_db > 30, "the clip itself is upright"
    assert found.lost_share == 0.0


def test_sixteen_bits_a_pixel_are_read() -> None:
    grey = landscape("lake", 640, 360).convert("L")
    sixteen = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257)
    found = compare("first_frame", grey.resize((320, 180), Image.Resampling.LANCZOS).convert("RGB"), encoded(sixteen))
    assert found.psnr_db is not None
    assert found.psnr_db > 45


@pytest.mark.parametrize("other", ["hill", "sea", "snow", "wood"])
def test_another_picture_is_warned_of(other: str) -> None:
    found = compare("last_frame", first_frame(picture("lake")), picture(other))
    (said,) = unlike(found, EXPECTED)
    assert said.startswith("The last frame does not look like the given picture: PSNR ")


def test_a_squeezed_picture_counts_as_shown_whole() -> None:
    given = landscape("lake", 650, 360)  # 1.5 % wider than the frame
    found = compare("first_frame", given.resize((320, 180), Image.Resampling.LANCZOS), encoded(given))
    assert (found.framing, found.lost_share, found.psnr_db) == ("whole", 0.0, 100.0)


def test_a_cropped_picture_counts_as_cropped() -> None:
    given = landscape("lake", 650, 360)
    frame = given.crop((5, 0, 645, 360)).resize((320, 180), Image.Resampling.LANCZOS)
    found = compare("first_frame", frame, encoded(given))
    assert found.framing == "centre_crop"
    assert found.lost_share == pytest.approx(10 / 650, abs=0.0001)
    assert found.psnr_db is not None
    assert found.psnr_db > 45


@pytest.mark.parametrize("content", [b"", b"no picture", picture()[:200], b"GIF89a\xff\xff\xff\xff"])
def test_a_damaged_picture_is_not_compared_and_said(content: bytes) -> None:
    found = compare("first_frame", Image.new("RGB", (64, 36)), content)
    assert found.psnr_db is None
    assert str(found.problem).startswith("The picture cannot be opened")
    assert list(unlike(found, EXPECTED)) == []


def test_a_picture_of_too_many_pixels_is_not_opened() -> None:
    content = encoded(Image.new("1", (20_000, 6_000)))
    assert "too many" in str(compare("first_frame", Image.new("RGB", (64, 36)), content).problem)


def test_psnr_and_ssim_have_their_known_values() -> None:
    grey, lighter = Image.new("RGB", (64, 64), (100, 100, 100)), Image.new("RGB", (64, 64), (110, 110, 110))
    assert psnr(grey, grey) == 100.0
    assert psnr(grey, lighter) == pytest.approx(28.13, abs=0.01)  # 20 log10(255 / 10)
    # Without any structure only the means count: (2ab + c) / (a² + b² + c), c = (0.01 · 255)².
    assert ssim(grey, lighter) == pytest.approx((2 * 100 * 110 + 6.5025) / (100**2 + 110**2 + 6.5025), abs=0.001)
    assert ssim(grey.resize((4, 4)), grey.resize((4, 4))) == pytest.approx(1.0)


def test_one_measure_below_its_threshold_is_enough() -> None:
    alike = Likeness("first_frame", psnr_db=40.0, ssim=0.5, framing="whole", lost_share=0.0)
    assert list(unlike(alike, Thresholds(psnr_db=25, ssim=0.75)))
    assert not list(unlike(alike, Thresholds(psnr_db=25, ssim=0.4)))
    assert list(unlike(alike, Thresholds(psnr_db=41, ssim=0.4)))
