"""The pictures of a clip: JPEG of its ends, and a preview that stays small."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from local.simulator.pictures import landscape
from stillmotion.inspection.pictures import PREVIEW_BYTES, animated_preview, jpeg


def noise(number: int) -> Image.Image:
    return Image.frombytes("RGB", (320, 320), random.Random(number).randbytes(320 * 320 * 3))


def test_a_frame_becomes_a_jpeg_of_its_size() -> None:
    with Image.open(io.BytesIO(jpeg(landscape("lake", 640, 360)))) as image:
        assert (image.format, image.size) == ("JPEG", (640, 360))


def test_the_preview_plays_at_the_speed_of_the_clip() -> None:
    content = animated_preview([landscape(name, 320, 180) for name in "abcdefgh"], 8)
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.n_frames, image.size) == ("WEBP", 8, (320, 180))
        image.seek(1)
        image.load()
        assert image.info["duration"] == 125
        assert image.info["loop"] == 0
    assert len(content) < 100_000


@pytest.mark.slow
def test_even_noise_fits_into_the_limit() -> None:
    content = animated_preview([noise(number) for number in range(48)], 8)
    assert len(content) <= PREVIEW_BYTES
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames > 1


def test_a_limit_that_nothing_meets_gives_one_small_picture() -> None:
    content = animated_preview([noise(number) for number in range(3)], 8, limit=10)
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 1
