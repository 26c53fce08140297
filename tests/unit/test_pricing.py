"""Prices: the most particular rate that a model states, and at most what a request leaves open can cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.pricing import estimate, estimate_request
from tests.fakes import MODEL, a_request

pytestmark = pytest.mark.unit

RATES = {
    "per-video-second": "0.10",
    "per-video-second-1080p": "0.20",
    "per-video-second-without-audio": "0.05",
    "per-video-second-1080p-with-audio": "0.40",
}
SUPPORTED = {"supported_durations": [4, 6, 8], "supported_resolutions": ["720p", "1080p"]}


def model(rates: dict[str, str] | None = None, **changes: Any) -> VideoModel:
    return VideoModel(id=MODEL, pricing_skus=RATES if rates is None else rates, **(SUPPORTED | changes))


@pytest.mark.parametrize(
    ("asked", "price"),
    [
        ({"duration": 4}, "0.20"),
        ({"duration": 4, "audio": True}, "0.40"),
        ({"duration": 4, "resolution": "1080p", "audio": True}, "1.60"),
        ({"duration": 4, "resolution": "1080P", "audio": False}, "0.20"),
        ({"duration": None}, "0.20"),
    ],
)
def test_the_most_particular_rate_that_fits_is_taken(asked: dict[str, Any], price: str) -> None:
    assert estimate(model(), **asked) == Decimal(price)


@pytest.mark.parametrize(
    ("asked", "price"),
    [
        ({"duration": 4, "resolution": "720p", "generate_audio": False}, "0.20"),
        ({"duration": 4, "resolution": "720p"}, "0.40"),
        ({"duration": 4, "generate_audio": False}, "0.20"),
        ({"duration": 4}, "1.60"),
        ({"duration": None}, "3.20"),
        ({"duration": 4, "size": "1920x1080"}, "1.60"),
    ],
)
def test_what_a_request_leaves_open_counts_as_the_dearest(asked: dict[str, Any], price: str) -> None:
    assert estimate_request(model(), a_request(**asked)) == Decimal(price)


@pytest.mark.parametrize("rates", [{}, {"per-image": "1"}, {"per-video-second": "free"}, {"per-video-second": "-1"}])
def test_a_price_that_is_not_stated_is_not_made_up(rates: dict[str, str]) -> None:
    assert estimate_request(model(rates), a_request()) is None


def test_a_price_for_each_video_needs_no_duration() -> None:
    flat = model({"per-video": "0.50", "per-video-second": "9"}, supported_durations=None)
    assert estimate_request(flat, a_request(duration=None)) == Decimal("0.50")
    assert estimate_request(model(supported_durations=None), a_request(duration=None)) is None
