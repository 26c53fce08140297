"""What a model states, and what that refuses."""

from __future__ import annotations

from typing import Any

import pytest

from stillmotion.errors import ProviderUnavailable, UnknownModel, UnsupportedByModel
from stillmotion.modelgates.models import FRESH_SECONDS, STALE_SECONDS, ModelCatalogue, VideoModel, check
from tests.support.fakes import FRAME_URL, MODEL, a_request

STATED: dict[str, Any] = {
    "supported_durations": [8, 4, 6],
    "supported_resolutions": ["720p", "1080p"],
    "supported_aspect_ratios": ["16:9", "9:16"],
    "supported_sizes": ["1280x720"],
    "supported_frame_images": ["first_frame"],
    "generate_audio": False,
    "seed": False,
    "upscale_factor": {"min": 1, "max": 4},
    "creativity": [1, 2],
    "allowed_passthrough_parameters": ["style"],
}


def model(**stated: Any) -> VideoModel:
    return VideoModel(id=MODEL, **stated)


def frame(kind: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": FRAME_URL}, "frame_type": kind}


@pytest.mark.parametrize(
    ("changes", "pointer", "given", "allowed"),
    [
        ({"duration": 5}, "#/duration", 5, [4, 6, 8]),
        ({"resolution": "4K"}, "#/resolution", "4K", ["720p", "1080p"]),
        ({"aspect_ratio": "1:1"}, "#/aspect_ratio", "1:1", ["16:9", "9:16"]),
        ({"size": "1920x1080"}, "#/size", "1920x1080", ["1280x720"]),
        ({"creativity": 3}, "#/creativity", 3, [1, 2]),
        ({"generate_audio": True}, "#/generate_audio", True, [False]),
        ({"seed": 7}, "#/seed", 7, None),
        ({"upscale_factor": 8.0}, "#/upscale_factor", 8.0, None),
        (
            {"frame_images": [frame("first_frame"), frame("last_frame")]},
            "#/frame_images/1/frame_type",
            "last_frame",
            ["first_frame"],
        ),
        (
            {"provider": {"options": {"a/b": {"parameters": {"mood": 1, "style": 2}}}}},
            "#/provider/options/a~1b/parameters/mood",
            "mood",
            ["style"],
        ),
    ],
)
def test_what_the_model_states_it_lacks_is_refused_by_name(
    changes: dict[str, Any], pointer: str, given: Any, allowed: Any
) -> None:
    with pytest.raises(UnsupportedByModel) as refused:
        check(a_request(**changes), model(**STATED))
    [fault] = refused.value.faults
    assert (fault.pointer, fault.given, fault.allowed) == (pointer, given, allowed)
    assert f"{fault.place} {fault.detail}" in refused.value.detail
    assert "nothing was submitted" in refused.value.detail


def test_every_unsupported_field_is_named_at_once() -> None:
    wanted = {"duration": 5, "resolution": "4K", "aspect_ratio": "1:1", "seed": 1, "generate_audio": True}
    with pytest.raises(UnsupportedByModel) as refused:
        check(a_request(**wanted), model(**STATED))
    assert {fault.pointer for fault in refused.value.faults} == {f"#/{name}" for name in wanted}


def test_what_the_model_does_not_state_refuses_nothing() -> None:
    wanted = {"duration": 5, "resolution": "4K", "aspect_ratio": "1:1", "seed": 1, "generate_audio": True}
    check(a_request(**wanted, upscale_factor=9.0, creativity=9), model())
    check(a_request(size="640x480"), model())


def test_a_request_within_the_limits_passes() -> None:
    check(a_request(duration=8, resolution="720p", generate_audio=False, upscale_factor=4.0), model(**STATED))


def test_pass_through_parameters_are_allowed_only_where_listed() -> None:
    with pytest.raises(UnsupportedByModel) as refused:
        check(a_request(provider={"options": {"x": {"parameters": {"style": 1}}}}), model())
    assert refused.value.faults[0].allowed == []
    assert "nothing" in refused.value.faults[0].detail


class Listing:
    """A model list that can be down, and a clock."""

    def __init__(self) -> None:
        self.calls, self.now, self.down = 0, 1000.0, False

    def __call__(self) -> list[VideoModel]:
        self.calls += 1
        if self.down:
            raise ProviderUnavailable("no list")
        return [VideoModel(id="google/veo-3.1", canonical_slug="google/veo-3.1-2026"), VideoModel(id="openai/sora-2")]


@pytest.fixture
def listing() -> Listing:
    return Listing()


@pytest.fixture
def catalogue(listing: Listing) -> ModelCatalogue:
    return ModelCatalogue(listing, clock=lambda: listing.now)


def test_the_list_is_fetched_once_while_it_is_fresh(listing: Listing, catalogue: ModelCatalogue) -> None:
    for _ in range(3):
        assert catalogue.find("google/veo-3.1").id == "google/veo-3.1"
    listing.now += FRESH_SECONDS
    catalogue.all()
    assert listing.calls == 2


def test_an_older_list_serves_while_modelgates_is_down_but_not_for_ever(
    listing: Listing, catalogue: ModelCatalogue
) -> None:
    catalogue.all()
    listing.down = True
    listing.now += STALE_SECONDS - 1
    assert len(catalogue.all()) == 2
    listing.now += 1
    with pytest.raises(ProviderUnavailable):
        catalogue.all()


def test_without_any_list_nothing_is_found(listing: Listing, catalogue: ModelCatalogue) -> None:
    listing.down = True
    with pytest.raises(ProviderUnavailable):
        catalogue.find("google/veo-3.1")


def test_a_model_is_found_by_its_canonical_slug_too(catalogue: ModelCatalogue) -> None:
    assert catalogue.find("google/veo-3.1-2026").id == "google/veo-3.1"
    assert catalogue.same("google/veo-3.1-2026", "google/veo-3.1")
    assert not catalogue.same("google/veo-3.1", "openai/sora-2")


@pytest.mark.parametrize(("slug", "near"), [("google/veo3.1", "google/veo-3.1"), ("zzz", "openai/sora-2")])
def test_an_unknown_model_is_refused_with_names_that_would_do(catalogue: ModelCatalogue, slug: str, near: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        catalogue.find(slug)
    [fault] = refused.value.faults
    assert (fault.pointer, fault.given) == ("#/model", slug)
    assert fault.allowed == ["google/veo-3.1", "openai/sora-2"]
    assert near in refused.value.detail
