"""How a clip's frame is compared with the picture that it was made of."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from local.clip import psnr, share_lost
from local.simulator import fit
from local.simulator.pictures import landscape


@pytest.mark.parametrize(
    ("size", "lost"), [((1280, 720), 0.0), ((1280, 732), 0.016), ((900, 1600), 0.684), ((1280, 1280), 0.4375)]
)
def test_the_share_that_a_frame_leaves_out_is_told(size: tuple[int, int], lost: float) -> None:
    frame = np.zeros((720, 1280, 3), dtype=np.uint8)
    assert share_lost(frame, Image.new("RGB", size)) == pytest.approx(lost, abs=0.001)


@pytest.mark.parametrize("size", [(1280, 720), (1280, 732), (1600, 910)])
def test_a_picture_of_nearly_the_frames_shape_is_compared_whole(size: tuple[int, int]) -> None:
    picture = landscape("whole", *size)
    stretched = np.asarray(picture.resize((1280, 720), Image.Resampling.LANCZOS))
    assert psnr(stretched, picture) > 60
    assert psnr(np.asarray(fit(picture, 1280, 720)), picture) > 60


def test_of_another_shape_the_centre_is_compared() -> None:
    picture = landscape("centre", 900, 1600)
    middle = picture.crop((0, 547, 900, 1053)).resize((1280, 720), Image.Resampling.LANCZOS)
    assert psnr(np.asarray(middle), picture) > 40
    assert psnr(np.asarray(picture.resize((1280, 720))), picture) < 25
