"""Prices: the most particular rate that a model states, and at most what a request leaves open can cost."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.price_notes import quote
from stillmotion.modelgates.pricing import Ask, price
from stillmotion.requests.video_request import VideoRequest
from tests.support.fakes import MODEL, a_request
from tests.support.template import ROOT

RATES = {
    "per-video-second": "0.10",
    "per-video-second-1080p": "0.20",
    "per-video-second-without-audio": "0.05",
    "per-video-second-1080p-with-audio": "0.40",
}
SUPPORTED = {"supported_durations": [4, 6, 8], "supported_resolutions": ["720p", "1080p"]}


def model(rates: dict[str, str] | None = None, **changes: Any) -> VideoModel:
    return VideoModel(id=MODEL, pricing_skus=RATES if rates is None else rates, **(SUPPORTED | changes))


def at_most(model: VideoModel, request: VideoRequest) -> Decimal | None:
    return quote(model, Ask.of(request)).at_most


@pytest.mark.parametrize(
    ("asked", "usd"),
    [
        ({"duration": 4}, "0.20"),
        ({"duration": 4, "audio": True}, "0.40"),
        ({"duration": 4, "resolution": "1080p", "audio": True}, "1.60"),
        ({"duration": 4, "resolution": "1080P", "audio": False}, "0.80"),  # neither name is more specific
        ({"duration": None}, "0.20"),
    ],
)
def test_the_most_particular_rate_that_fits_is_taken(asked: dict[str, Any], usd: str) -> None:
    assert price(model(), Ask(frames=1, **asked)).at_least == Decimal(usd)


@pytest.mark.parametrize(
    ("asked", "usd"),
    [
        ({"duration": 4, "resolution": "720p", "generate_audio": False}, "0.20"),
        ({"duration": 4, "resolution": "720p"}, "0.40"),
        ({"duration": 4, "generate_audio": False}, "0.80"),
        ({"duration": 4}, "1.60"),
        ({"duration": None}, "3.20"),
        ({"duration": 4, "size": "1920x1080"}, "1.60"),
    ],
)
def test_what_a_request_leaves_open_counts_as_the_dearest(asked: dict[str, Any], usd: str) -> None:
    assert at_most(model(), a_request(**asked)) == Decimal(usd)


@pytest.mark.parametrize("rates", [{}, {"per-image": "1"}, {"per-video-second": "free"}, {"per-video-second": "-1"}])
def test_a_price_that_is_not_stated_is_not_made_up(rates: dict[str, str]) -> None:
    assert at_most(model(rates), a_request()) is None


def test_a_price_for_each_video_needs_no_duration() -> None:
    flat = model({"per-video": "0.50", "per-video-second": "9"}, supported_durations=None)
    assert at_most(flat, a_request(duration=None)) == Decimal("0.50")
    assert at_most(model(supported_durations=None), a_request(duration=None)) is None


RECORDED = {
    entry["id"].partition("/")[2]: VideoModel.model_validate(entry)
    for entry in json.loads((ROOT / "local" / "simulator" / "recorded_models.json").read_text())["data"]
}
UNPRICEABLE = {"flux-video-edit", "flux-video-upscale", "avatar-iv", "aleph-2"}


@pytest.mark.parametrize(
    ("name", "asked", "at_most", "at_least"),
    [
        ("veo-3.1-lite", Ask(4, "720p", frames=1), "0.20", "0.12"),
        ("veo-3.1-fast", Ask(4, "1080p", audio=False), "0.40", "0.40"),
        ("veo-3.1", Ask(8, size="3840x2160", audio=True), "4.80", "4.80"),
        ("veo-3.1", Ask(8, size="2160x3840", audio=False), "3.20", "3.20"),
        ("veo-3.1", Ask(8, resolution="4K", audio=False), "3.20", "3.20"),
        ("kling-v3.0-std", Ask(3, "720p", audio=True, frames=1), "0.378", "0.378"),
        ("kling-v3.0-std", Ask(3, "720p", audio=False, frames=1), "0.252", "0.252"),
        ("wan-2.6", Ask(5, "1080p", frames=1), "0.75", "0.75"),
        ("grok-imagine-video", Ask(5, "480p", frames=1), "0.252", "0.252"),
        ("seedance-2.0", Ask(5, "720p", "16:9", audio=False), "0.756", "0.756"),
        ("seedance-2.0", Ask(5, "720p", audio=False), "0.99225", "0.42525"),
        ("hailuo-3", Ask(5, "2K", references=3), "0.77", "0.77"),
        ("heygen-video-1", Ask(5, "768p", references=1), "0.30", "0.30"),
        ("flux-3-video", Ask(5, "1080p", video_input=True, continues=True), "2.65", "2.65"),
    ],
)
def test_a_recorded_model_costs_what_its_contract_says(name: str, asked: Ask, at_most: str, at_least: str) -> None:
    found = price(RECORDED[name], asked)
    assert (found.at_most, found.at_least) == (Decimal(at_most), Decimal(at_least))
    assert found.reason is None


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_model_has_a_price_or_says_why_not(name: str) -> None:
    found = price(RECORDED[name], Ask(frames=1))
    assert (found.at_most is None) == (found.reason is not None) == (name in UNPRICEABLE)
    assert found.unread == ()


def test_the_minimum_is_shown_where_the_rest_is_unknown() -> None:
    found = price(RECORDED["aleph-2"], Ask(5))
    assert (found.at_most, found.at_least) == (None, Decimal("0.56"))


def test_what_is_left_open_is_named() -> None:
    assert price(RECORDED["veo-3.1-lite"], Ask(4, "720p", frames=1)).open_points == ("sound",)
    assert price(RECORDED["veo-3.1-lite"], Ask(frames=1)).open_points == ("duration", "resolution", "sound")
    assert price(RECORDED["wan-2.6"], Ask(5, "480p", frames=1)).open_points == ("mode",)


@pytest.mark.parametrize("name", sorted(RECORDED.keys() - UNPRICEABLE))
def test_a_closed_request_never_costs_more_than_the_open_one(name: str) -> None:
    offered = RECORDED[name]
    found = price(offered, Ask(frames=1))
    assert found.at_most is not None
    assert found.at_least is not None
    for seconds in offered.supported_durations or ():
        for resolution in offered.supported_resolutions or ():
            for audio in (False, True) if offered.generate_audio else (False,):
                closed = price(offered, Ask(seconds, resolution, audio=audio, frames=1))
                assert closed.at_least is not None
                assert closed.at_most is not None
                assert found.at_least <= closed.at_least <= closed.at_most <= found.at_most


@pytest.mark.parametrize(
    ("size", "tier"), [("2560x1440", "2k"), ("1920x1088", "1080p"), ("99998x720", "720p"), ("1080x1920", "1080p")]
)
def test_a_size_costs_what_its_tier_costs(size: str, tier: str) -> None:
    tiers = {"720p": "0.1", "1080p": "0.2", "2k": "0.4", "4k": "0.8"}
    listed = model({f"duration_seconds_{name}": usd for name, usd in tiers.items()})
    assert price(listed, Ask(4, size=size)).at_most == Decimal(tiers[tier]) * 4


def test_a_tier_known_only_by_its_price_counts_for_open_resolutions() -> None:
    listed = model({"duration_seconds": "0.1", "duration_seconds_1080p": "1"}, supported_resolutions=None)
    assert price(listed, Ask(4)).at_most == 4


@pytest.mark.parametrize("value", ["1E+999999999", "1E+400", "NaN", "-1", "free", "", "1001", "Infinity"])
def test_a_value_that_is_no_price_spoils_only_the_requests_it_applies_to(value: str) -> None:
    listed = model({"duration_seconds_720p": "0.1", "duration_seconds_1080p": value})
    assert price(listed, Ask(4, "720p")).at_most == Decimal("0.4")
    assert price(listed, Ask(4, "1080p")).at_most is None
    assert price(listed, Ask(4)).at_most is None


def test_a_name_that_is_not_understood_is_reported() -> None:
    assert price(model({"duration_seconds": "0.1", "moon_phase": "5"}), Ask(4)).unread == ("moon_phase",)


def test_a_request_with_a_reference_of_any_kind_is_priced_as_one() -> None:
    request = a_request(
        model="heygen/heygen-video-1",
        duration=5,
        resolution="768p",
        frame_images=None,
        input_references=[{"type": "audio_url", "audio_url": {"url": "https://a.example/a.mp3"}}],
    )
    assert at_most(RECORDED["heygen-video-1"], request) == Decimal("0.30")


def test_one_number_among_the_prices_does_not_take_the_others_away() -> None:
    listed = VideoModel.model_validate(
        {"id": MODEL, "supported_durations": [4], "pricing_skus": {"duration_seconds": 0.1, "odd": None}}
    )
    assert price(listed, Ask(4)).at_most == Decimal("0.4")


def test_an_open_ratio_counts_as_the_dearest_that_the_model_states() -> None:
    listed = model({"video_tokens": "0.000007"}, supported_aspect_ratios=["16:9", "21:9"])
    asked = [price(listed, Ask(5, "720p", ratio)).at_most for ratio in (None, "21:9", "16:9")]
    assert asked == [Decimal("0.99225"), Decimal("0.99225"), Decimal("0.756")]


def test_tokens_without_stated_durations_have_no_price() -> None:
    listed = model({"video_tokens": "0.000007"}, supported_durations=None)
    assert price(listed, Ask(5, "720p", "16:9")).at_most is None


def test_a_stated_tier_without_a_rate_leaves_the_price_unknown() -> None:
    listed = model({"duration_seconds_720p": "0.1"})
    assert price(listed, Ask(4, "720p")).at_most == Decimal("0.4")
    assert price(listed, Ask(4, size="1280x720")).at_most == Decimal("0.4")
    for asked in (Ask(4), Ask(4, "1080p"), Ask(4, size="1920x1080")):
        found = price(listed, asked)
        assert (found.at_most, found.reason) == (None, "its price list has no rate for 1080p without sound")


@pytest.mark.parametrize(("makes_sound", "usd"), [(True, "0.8"), (False, None), (None, None)])
def test_only_sound_that_can_happen_needs_a_rate(makes_sound: bool | None, usd: str | None) -> None:
    listed = model({"duration_seconds_with_audio": "0.2"}, generate_audio=makes_sound)
    assert price(listed, Ask(4)).at_most == (Decimal(usd) if usd else None)


def test_a_point_that_does_not_change_the_price_is_not_named() -> None:
    assert price(RECORDED["kling-v3.0-std"], Ask(3, audio=False, frames=1)).open_points == ()
    assert price(RECORDED["wan-2.7"], Ask(4, frames=1)).open_points == ()
    assert price(RECORDED["seedance-2.0"], Ask(5, "720p")).open_points == ("size",)
    assert price(RECORDED["seedance-1-5-pro"], Ask(5, "720p", "16:9")).open_points == ("sound",)


def test_a_model_that_states_no_tiers_may_make_one_that_no_price_names() -> None:
    listed = model({"duration_seconds": "0.3", "duration_seconds_1080p": "0.1"}, supported_resolutions=None)
    assert price(listed, Ask(4)).at_most == Decimal("1.2")
    assert price(listed, Ask(4)).at_least == Decimal("0.4")
    sizes = model({"duration_seconds_720p": "0.3"}, supported_resolutions=None, supported_sizes=["1280x720"])
    assert price(sizes, Ask(4)).at_most == Decimal("1.2")


@pytest.mark.parametrize(("asked", "priced"), [("2K", "1440p"), ("1440p", "2k"), ("4K", "2160p"), ("1K", "1024p")])
def test_two_names_of_a_tier_are_the_same_tier(asked: str, priced: str) -> None:
    listed = model({"duration_seconds": "0.1", f"duration_seconds_{priced}": "0.5"}, supported_resolutions=[asked])
    assert price(listed, Ask(4, asked)).at_most == 2


def test_pixels_of_a_size_that_is_not_listed_are_even_and_whole() -> None:
    listed = model({"video_tokens": "0.00001"}, supported_resolutions=["480p"])
    assert price(listed, Ask(4, "480p", "16:9")).at_most == Decimal("0.3843")  # 854x480


def test_a_size_of_the_highest_tier_has_its_price() -> None:
    rates = {"duration_seconds_4k": "0.4", "duration_seconds_8k": "1.6"}
    sizes = {"supported_sizes": ["3840x2160", "7680x4320"], "supported_resolutions": ["4K", "8K"]}
    found = [
        at_most(model(rates, **sizes), a_request(duration=4, **{name: value}))
        for name, value in (("size", "3840x2160"), ("size", "7680x4320"), ("resolution", "8K"))
    ]
    assert found == [Decimal("1.6"), Decimal("6.4"), Decimal("6.4")]
