"""Choosing a model from the recorded list, and the price in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stillmotion.errors import PriceUnknown, SpendLimitReached, UnsupportedByModel
from stillmotion.generation.defaults import Defaults
from stillmotion.generation.limits import BILLED_PARAMETERS, Limits
from stillmotion.generation.model_choice import Wish, choose, offers
from stillmotion.modelgates.models import ModelCatalogue, VideoModel
from stillmotion.modelgates.price_notes import quote
from stillmotion.modelgates.pricing import Ask
from tests.support.fakes import a_request
from tests.support.recorded import recorded_models

RECORDED = recorded_models()
MODELS = tuple(RECORDED.values())
FIRST = ("first_frame",)


@pytest.mark.parametrize(
    ("wish", "model", "seconds", "usd"),
    [
        (Wish(FIRST, audio=False), "google/veo-3.1-lite", 4, "0.20"),
        (Wish(FIRST), "x-ai/grok-imagine-video", 4, "0.282"),
        (Wish((*FIRST, "last_frame"), audio=False), "google/veo-3.1-lite", 4, "0.20"),
        (Wish(FIRST, resolution="4K", audio=False), "google/veo-3.1-fast", 4, "1.00"),
        (Wish(FIRST, 8, "1080p", audio=True), "google/veo-3.1-lite", 8, "0.64"),
        (Wish((*FIRST, "last_frame"), 5, audio=False), "bytedance/seedance-1-5-pro", 5, "0.3827250"),
    ],
)
def test_the_cheapest_that_states_everything_is_chosen(wish: Wish, model: str, seconds: int, usd: str) -> None:
    chosen = choose(MODELS, wish)
    assert chosen is not None
    assert (chosen.model, chosen.duration, chosen.quote.at_most) == (model, seconds, Decimal(usd))


@pytest.mark.parametrize("wish", [Wish(FIRST, 99), Wish(FIRST, resolution="360p"), Wish(FIRST, size="10x10")])
def test_what_no_model_states_is_not_chosen(wish: Wish) -> None:
    assert choose(MODELS, wish) is None


def test_editors_upscalers_and_avatars_are_never_chosen() -> None:
    silent = [model for model in MODELS if not model.supported_frame_images]
    assert {model.id for model in silent} == {
        "black-forest-labs/flux-video-edit",
        "black-forest-labs/flux-video-upscale",
        "heygen/avatar-iv",
        "runway/aleph-2",
    }
    assert choose(silent, Wish(FIRST)) is None
    assert choose(silent, Wish()) is None
    assert choose([model.model_copy(update={"supported_durations": [4]}) for model in silent], Wish()) is None


def test_the_reason_names_the_next_one_and_its_price() -> None:
    chosen = choose(MODELS, Wish(FIRST, audio=False))
    assert chosen is not None
    assert chosen.reason == (
        "the cheapest of 26 models that state a first frame; next is x-ai/grok-imagine-video with 0.282 USD for 4 s"
    )


def test_equal_prices_are_decided_by_the_price_of_a_second() -> None:
    rates = {"per-video": "0.40"}
    same: dict[str, Any] = {"supported_frame_images": list(FIRST), "pricing_skus": rates}
    short = VideoModel(id="a", supported_durations=[4], **same)
    long = VideoModel(id="b", supported_durations=[5], **same)
    assert getattr(choose([short, long], Wish(FIRST)), "model", None) == "b"


def test_a_model_is_compared_at_its_longest_where_all_are_short() -> None:
    one = VideoModel(
        id="a", supported_durations=[1, 3], supported_frame_images=list(FIRST), pricing_skus={"per-video-second": "0.1"}
    )
    assert getattr(choose([one], Wish(FIRST)), "duration", None) == 3


def test_the_list_keeps_models_that_state_nothing_with_their_reason() -> None:
    listed = {offer.model.id: offer.quote for offer in offers(MODELS, Wish(FIRST), by_price=True)}
    assert len(listed) == 30
    assert listed["runway/aleph-2"].reason == "it states no durations: the length follows the input"
    assert list(listed)[-4:] == sorted(list(listed)[-4:])
    assert all(listed[name].at_most is None for name in list(listed)[-4:])


@pytest.mark.parametrize(
    ("name", "ask", "notes"),
    [
        (
            "google/veo-3.1-lite",
            Ask(4, "720p", frames=1),
            ["sound is on by default with this model: 0.20 USD; without sound 0.12 USD"],
        ),
        ("google/veo-3.1-lite", Ask(4, "720p", audio=False, frames=1), []),
        (
            "bytedance/seedance-2.0",
            Ask(5, "720p", audio=False, frames=1),
            ["aspect_ratio is open: 0.99225 USD at most (21:9); 0.42525 USD with 1:1"],
        ),
        ("minimax/hailuo-3", Ask(frames=1), ["duration is open: 1.95 USD at most (15 s); 0.65 USD with 5 s"]),
    ],
)
def test_open_points_say_what_would_be_cheaper(name: str, ask: Ask, notes: list[str]) -> None:
    assert list(quote(RECORDED[name], ask).notes) == notes


def test_a_price_in_json_is_exact() -> None:
    assert quote(RECORDED["google/veo-3.1-lite"], Ask(4, "720p", frames=1)).to_json() == {
        "at_most_usd": "0.20",
        "at_least_usd": "0.12",
        "basis": ["duration_seconds_with_audio_720p"],
        "open": ["sound is on by default with this model: 0.20 USD; without sound 0.12 USD"],
        "reason": None,
    }


@pytest.mark.parametrize("limits", [Limits(per_job_usd=Decimal(9)), Limits(daily_usd=Decimal(9))])
@pytest.mark.parametrize("name", ["black-forest-labs/flux-video-edit", "heygen/avatar-iv", "runway/aleph-2"])
def test_what_cannot_be_priced_is_refused_where_a_limit_holds(name: str, limits: Limits) -> None:
    request = a_request(model=name, duration=None)
    with pytest.raises(PriceUnknown):
        limits.check(request, RECORDED[name])
    assert Limits().check(request, RECORDED[name]).at_most is None


def test_an_unread_price_name_is_refused_where_a_limit_holds() -> None:
    model = RECORDED["google/veo-3.1-lite"]
    odd = model.model_copy(update={"pricing_skus": {**(model.pricing_skus or {}), "surge_fee": "1"}})
    with pytest.raises(PriceUnknown, match="surge_fee"):
        Limits(per_job_usd=Decimal(9)).check(a_request(duration=4), odd)
    assert Limits().check(a_request(duration=4), odd).reason is not None


@pytest.mark.parametrize("name", sorted(BILLED_PARAMETERS))
def test_parameters_that_change_the_bill_are_refused_where_a_limit_holds(name: str) -> None:
    request = a_request(duration=4, provider={"options": {"google": {"parameters": {name: 1}}}})
    model = RECORDED["google/veo-3.1-lite"]
    with pytest.raises(PriceUnknown) as refused:
        Limits(per_job_usd=Decimal(9)).check(request, model)
    assert refused.value.faults[0].pointer == f"#/provider/options/google/parameters/{name}"
    assert Limits().check(request, model).certain


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        ({"model": "google/veo-3.1", "duration": 8, "size": "3840x2160", "generate_audio": False}, "3.20"),
        ({"model": "google/veo-3.1", "duration": 8, "size": "3840x2160"}, "4.80"),
        ({"model": "google/veo-3.1-lite", "duration": 4, "resolution": "720p"}, "0.20"),
        ({"model": "kwaivgi/kling-v3.0-std", "duration": 3, "resolution": "720p", "generate_audio": False}, "0.252"),
    ],
)
def test_a_limit_holds_to_the_micro_dollar(changes: dict[str, Any], usd: str) -> None:
    request, model = a_request(**changes), RECORDED[changes["model"]]
    assert Limits(per_job_usd=Decimal(usd)).check(request, model).at_most == Decimal(usd)
    with pytest.raises(SpendLimitReached):
        Limits(per_job_usd=Decimal(usd) - Decimal("0.000001")).check(request, model)


def defaults(default_model: str = "") -> Defaults:
    return Defaults(ModelCatalogue(lambda: MODELS), default_model)


FRAME = {"type": "image_url", "image_url": {"url": "s3://b/a.png"}, "frame_type": "first_frame"}


@pytest.mark.parametrize(
    ("default", "asked", "model", "seconds"),
    [
        ("google/veo-3.1", {}, "google/veo-3.1", None),
        ("google/veo-3.1", {"duration": 5}, "x-ai/grok-imagine-video", 5),
        ("", {}, "google/veo-3.1-lite", 4),
        ("", {"duration": 15.0}, "x-ai/grok-imagine-video", 15.0),
        ("google/veo-3.1-lite", {"duration": 5.0}, "x-ai/grok-imagine-video", 5.0),
        ("gone/model", {"resolution": "480p"}, "bytedance/seedance-1-5-pro", 4),
        ("google/veo-3.1-lite", {"model": "runway/gen-4.5"}, "runway/gen-4.5", None),
    ],
)
def test_a_request_without_a_model_gets_one(
    default: str, asked: dict[str, Any], model: str, seconds: int | None
) -> None:
    whole = defaults(default).complete({"frame_images": [FRAME], **asked})
    assert (whole["model"], whole.get("duration"), whole["generate_audio"]) == (model, seconds, False)


def test_sound_that_is_asked_for_is_kept() -> None:
    assert defaults().complete({"frame_images": [FRAME], "generate_audio": True})["generate_audio"] is True


def test_a_request_that_no_model_states_is_refused() -> None:
    with pytest.raises(UnsupportedByModel, match="a first frame, 99 s"):
        defaults("google/veo-3.1-lite").complete({"frame_images": [FRAME], "duration": 99})


@pytest.mark.parametrize("odd", [{"frame_images": 7}, {"frame_images": [None]}, {"duration": "4"}, {"resolution": []}])
def test_what_cannot_be_read_is_left_to_the_checks(odd: dict[str, Any]) -> None:
    assert defaults().complete(odd).items() >= odd.items()


@pytest.mark.parametrize(
    ("picture", "usd"),
    [((1920, 1080), "0.756"), ((1000, 1000), "0.42525"), ((3440, 1440), "0.99225"), (None, "0.99225")],
)
def test_the_price_follows_the_pictures_shape(picture: tuple[int, int] | None, usd: str) -> None:
    wish = Wish(FIRST, 5, "720p", audio=False, picture=picture)
    [offer] = offers([RECORDED["bytedance/seedance-2.0"]], wish)
    assert offer.quote.at_most == Decimal(usd)
