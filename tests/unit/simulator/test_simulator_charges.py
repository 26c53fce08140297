"""What the service charges: the figures of the API's contract, by a request's defaults, for every listed model."""

from decimal import Decimal
from typing import Any

import pytest

from local.simulator.catalogue import Catalogue, read_catalogue, read_model
from local.simulator.charges import Made, NoPriceError, charge
from local.simulator.errors import ApiError
from local.simulator.validation import check_request
from tests.unit.simulator.support import frame

RECORDED = Catalogue(read_catalogue())
IMAGE = "https://example.com/a.png"
FIRST = {"frame_images": [frame(IMAGE)]}
REFERENCE = {"type": "image_url", "image_url": {"url": IMAGE}}
VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}


def cost(model: str, **fields: Any) -> str:
    """Return what a request costs at the recorded prices, as text without zeros at its end."""
    plan = check_request({"model": model, "prompt": "x", **fields}, RECORDED, strict=True)
    return f"{plan.cost.normalize():f}"


@pytest.mark.parametrize(
    ("model", "fields", "wanted"),
    [
        ("google/veo-3.1-lite", {"duration": 4, "resolution": "720p", **FIRST}, "0.2"),
        ("google/veo-3.1-lite", {"duration": 4, "resolution": "720p", "generate_audio": False}, "0.12"),
        ("google/veo-3.1-fast", {"duration": 4, "resolution": "1080p", "generate_audio": False}, "0.4"),
        ("google/veo-3.1", {"duration": 8, "size": "3840x2160", "generate_audio": True}, "4.8"),
        ("google/veo-3.1", {"duration": 8, "size": "2160x3840", "generate_audio": False}, "3.2"),
        ("google/veo-3.1", {"duration": 8, "size": "1920x1080", "generate_audio": False}, "1.6"),
        ("kwaivgi/kling-v3.0-std", {"duration": 3, "generate_audio": True, **FIRST}, "0.378"),
        ("kwaivgi/kling-v3.0-std", {"duration": 3, "generate_audio": False, **FIRST}, "0.252"),
        ("alibaba/wan-2.6", {"duration": 5, "resolution": "1080p", **FIRST}, "0.75"),
        ("alibaba/wan-2.6", {"duration": 5, "resolution": "1080p"}, "0.6"),
        ("x-ai/grok-imagine-video", {"duration": 5, "resolution": "480p", **FIRST}, "0.252"),
        (
            "bytedance/seedance-2.0",
            {"duration": 5, "resolution": "720p", "aspect_ratio": "16:9", "generate_audio": False},
            "0.756",
        ),
        ("bytedance/seedance-2.0", {"duration": 5, "resolution": "720p", "aspect_ratio": "21:9"}, "0.99225"),
        ("bytedance/seedance-2.0", {"duration": 4, "size": "3840x2160"}, "3.1104"),
        # The first listed sizes: nine pixels in sixteen of a square of 480 lines.
        ("bytedance/seedance-2.0", {"duration": 4}, "0.1512"),
        ("bytedance/seedance-2.5", {"duration": 4, "resolution": "480p", "aspect_ratio": "4:3"}, "0.4224360"),
        ("bytedance/seedance-1-5-pro", {"duration": 4, "size": "1280x720", "generate_audio": False}, "0.10368"),
        ("bytedance/seedance-1-5-pro", {"duration": 4, "size": "1280x720"}, "0.20736"),
        ("minimax/hailuo-3", {"duration": 5, "resolution": "2K", "input_references": [REFERENCE] * 3}, "0.77"),
        ("heygen/heygen-video-1", {"duration": 5, "resolution": "768p", "input_references": [REFERENCE]}, "0.3"),
        (
            "black-forest-labs/flux-3-video",
            {"duration": 5, "resolution": "1080p", "previous_job_id": "vgen-1"},
            "2.65",
        ),
        # Nothing is said about the length, so a clip of 4 s is made; at least 0.56.
        ("runway/aleph-2", {}, "1.12"),
        ("runway/aleph-2", {"duration": 1}, "0.56"),
        # 1280x720 for 4 s: megapixels by seconds.
        ("black-forest-labs/flux-video-upscale", {"creativity": 0}, "0.27648"),
        ("black-forest-labs/flux-video-upscale", {"creativity": 1}, "0.387072"),
        # 5 s of video go in: 720x720 for 4 + 5 s at the rate with a video.
        ("bytedance/seedance-2.0-mini", {"duration": 4, "size": "720x720", "input_references": [VIDEO]}, "0.229635"),
    ],
)
def test_charge_is_that_of_the_contract(model: str, fields: dict[str, Any], wanted: str) -> None:
    assert Decimal(cost(model, **fields)) == Decimal(wanted)


def test_sound_is_on_unless_the_request_says_no_where_the_model_makes_it() -> None:
    for model in RECORDED.models:
        plan = check_request({"model": model.id, "prompt": "x"}, RECORDED, strict=True)
        assert plan.audio is (model.sound is True)
        assert plan.cost > 0
        assert plan.seconds == (model.durations or [4])[0]


def test_what_is_left_open_is_what_the_model_lists_first() -> None:
    plan = check_request({"model": "minimax/hailuo-3", "prompt": "x"}, RECORDED, strict=True)
    assert (plan.seconds, plan.width, plan.height) == (5, 3360, 1440)
    plan = check_request(
        {"model": "bytedance/seedance-2.5", "prompt": "x", "aspect_ratio": "4:3"}, RECORDED, strict=True
    )
    assert (plan.width, plan.height) == (752, 560)


def offer(**entry: Any) -> Catalogue:
    return Catalogue([read_model({"id": "a/b", **entry})])


def priced(catalogue: Catalogue, **fields: Any) -> Decimal:
    return check_request({"model": "a/b", "prompt": "x", "duration": 4, **fields}, catalogue, strict=True).cost


def test_a_mode_without_a_price_is_charged_as_another_mode() -> None:
    prices = {"text_to_video_duration_seconds_720p": "0.1", "image_to_video_duration_seconds_1080p": 0.3}
    catalogue = offer(pricing_skus=prices, supported_resolutions=["720p", "1080p", "4K"], supported_durations=[4])
    assert priced(catalogue, resolution="720p", input_references=[REFERENCE]) == Decimal("0.4")
    assert priced(catalogue, resolution="1080p") == Decimal("1.2")
    assert priced(catalogue, resolution="4K") == Decimal("1.2")


@pytest.mark.parametrize(
    "value", ["1E+400", "1E+999999999", "NaN", "Infinity", "-1", "1000.01", "free", True, None, {}]
)
def test_a_price_that_cannot_be_charged_stops_only_what_it_applies_to(value: Any) -> None:
    catalogue = offer(pricing_skus={"duration_seconds": "0.1", "duration_seconds_4k": value})
    assert priced(catalogue, resolution="720p") == Decimal("0.4")
    with pytest.raises(ApiError, match="duration_seconds_4k") as refusal:
        priced(catalogue, resolution="4K")
    assert refusal.value.status == 500


def test_prices_of_the_documentation_example_and_whole_clips_are_charged() -> None:
    by_second = offer(pricing_skus={"per-video-second": "0.1", "per-video-second-4k": "0.2"})
    assert priced(by_second, size="3840x2160") == Decimal("0.8")
    assert priced(by_second, size="1280x720") == Decimal("0.4")
    assert priced(offer(pricing_skus={"per-video": "0.25"})) == Decimal("0.25")
    assert priced(offer(pricing_skus={"generate": 0.5})) == Decimal("0.5")


def test_of_two_names_that_are_equally_special_the_dearer_counts() -> None:
    prices = {"duration_seconds": "0.1", "duration_seconds_with_audio": "0.2", "duration_seconds_720p": "0.3"}
    made = Made("text_to_video", "720p", 1280, 720, 4, sound=True)
    assert charge(prices, made) == Decimal("1.2")
    assert charge({**prices, "duration_seconds_with_audio_720p": "0.15"}, made) == Decimal("0.6")


def test_a_list_without_any_price_charges_nothing_and_says_so() -> None:
    with pytest.raises(NoPriceError, match="no price for 4 s of text_to_video at 720p"):
        charge({"something_new": "1"}, Made("text_to_video", "720p", 1280, 720, 4, sound=False))
