"""An estimate is never less than what the simulated service charges for any reading of a request.

The service charges by code that shares nothing with the estimate. Where a request leaves nothing open they are equal.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.simulator.catalogue import Catalogue, Model, read_catalogue, read_model
from local.simulator.validation import check_request
from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.pricing import Ask, Price, price
from stillmotion.requests.video_request import VideoRequest

CATALOGUE = Catalogue(read_catalogue())
UNPRICEABLE = {
    "black-forest-labs/flux-video-edit",
    "black-forest-labs/flux-video-upscale",
    "heygen/avatar-iv",
    "runway/aleph-2",
}
PRICED = sorted(model.id for model in CATALOGUE.models if model.id not in UNPRICEABLE)
IMAGE = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}
CLOSED, OPEN, CLOSINGS = 120, 25, 8
"""Requests tried for each model, and ways in which an open one is closed."""

type Body = dict[str, Any]


def charged(body: Body, catalogue: Catalogue = CATALOGUE) -> Decimal:
    return check_request(body, catalogue, strict=True).cost


def estimated(body: Body, model: Model) -> Price:
    return price(VideoModel.model_validate(model.offered), Ask.of(VideoRequest.model_validate(body)))


def lengths(model: Model) -> list[int]:
    """The shortest, a middle one and the longest."""
    listed = sorted(model.durations or ())
    return sorted({listed[0], listed[len(listed) // 2], listed[-1]}) if listed else []


def shapes(model: Model) -> list[Body]:
    """Every size, and every tier with every ratio."""
    sizes: list[Body] = [{"size": size} for size in model.sizes or ()]
    both = product(model.resolutions or (), model.ratios or ())
    return sizes + [{"resolution": resolution, "aspect_ratio": ratio} for resolution, ratio in both]


def sounds(model: Model) -> list[Body]:
    return [{"generate_audio": sound} for sound in ([False] if model.sound is False else [False, True])]


def pictures(model: Model) -> list[Body]:
    """Nothing, one frame, all frame types, references, and a frame with references."""
    frames = [{**IMAGE, "frame_type": frame_type} for frame_type in model.frame_types or ()]
    references = {"input_references": [IMAGE] * 3}
    with_frames: list[Body] = [{"frame_images": frames[: count + 1]} for count in range(len(frames))]
    return [
        {},
        *with_frames,
        {"input_references": [IMAGE]},
        references,
        *({**one, **references} for one in with_frames),
    ]


def closed(model: Model) -> list[Body]:
    """Requests that say everything, spread evenly over all that there are for a model."""
    parts = list(product(lengths(model), shapes(model), sounds(model), pictures(model)))
    picked = parts if len(parts) <= CLOSED else random.Random(model.id).sample(parts, CLOSED)
    return [
        {"model": model.id, "prompt": "x", "duration": seconds, **shape, **sound, **given}
        for seconds, shape, sound, given in picked
    ]


def opened(model: Model, body: Body, chance: random.Random) -> Body:
    """The request without some of what it says about length, shape and sound."""
    points = [name for name in ("duration", "resolution", "aspect_ratio", "size", "generate_audio") if name in body]
    return {name: value for name, value in body.items() if name not in chance.sample(points, chance.randint(1, 3))}


def closings(model: Model, body: Body, chance: random.Random) -> Iterator[Body]:
    """Some of the requests that say everything and agree with an open one."""
    kept = {name: value for name, value in body.items() if name in ("resolution", "aspect_ratio", "size")}
    fitting = [shape for shape in shapes(model) if kept.items() <= shape.items()]
    for _ in range(CLOSINGS):
        length = {"duration": chance.choice(model.durations or ())}
        yield {**length, **chance.choice(sounds(model)), **chance.choice(fitting), **body}


@pytest.mark.parametrize("name", PRICED)
def test_a_closed_request_is_charged_what_was_estimated(name: str) -> None:
    model = offered(name)
    equal = 0
    for body in closed(model):
        estimate, cost = estimated(body, model), charged(body)
        assert estimate.at_most is not None, body
        assert estimate.at_most >= cost, body
        if not estimate.open_points:
            assert estimate.at_least == estimate.at_most == cost, body
            equal += 1
    assert equal >= 2


@pytest.mark.parametrize("name", PRICED)
def test_an_open_request_is_never_charged_more_than_estimated(name: str) -> None:
    model, chance = offered(name), random.Random(name)
    for complete in chance.choices(closed(model), k=OPEN):
        body = opened(model, complete, chance)
        estimate = estimated(body, model)
        assert estimate.at_most is not None, body
        assert estimate.at_least is not None, body
        costs = [charged(reading) for reading in [body, complete, *closings(model, body, chance)]]
        assert estimate.at_most >= max(costs), body
        assert estimate.open_points or len(set(costs)) == 1, body
        if "mode" not in estimate.open_points:
            assert estimate.at_least <= min(costs), body


def test_a_continued_job_is_never_charged_more_than_estimated() -> None:
    priced = 0
    for name in PRICED:
        model = offered(name)
        for complete in closed(model)[:20]:
            body = {**complete, "previous_job_id": "vgen-1"}
            estimate, cost = estimated(body, model), charged(body)
            counts_tokens = any("token" in sku for sku in model.prices)
            assert (estimate.at_most is None) == counts_tokens, body
            if estimate.at_most is not None:
                assert estimate.at_most >= cost, body
                assert estimate.open_points or estimate.at_most == cost, body
                priced += 1
    assert priced > 100


@pytest.mark.parametrize("name", sorted(UNPRICEABLE))
def test_what_cannot_be_priced_is_charged_all_the_same(name: str) -> None:
    body = {"model": name, "prompt": "x"}
    estimate = estimated(body, offered(name))
    assert estimate.at_most is None
    assert charged(body) >= (estimate.at_least or 0)
    assert charged(body) > 0


def offered(name: str) -> Model:
    found = CATALOGUE.find(name)
    assert found is not None
    return found


TIERS = ("720p", "1080p", "1K", "2K", "4K")
SIZES = ("1280x720", "720x1280", "1024x1024", "1440x1440", "1920x1080", "2560x1440", "3840x2160", "752x560")
VALUES = st.sampled_from(["0.01", "0.02", "0.05", "0.3", "1"])
SKUS = [
    *(
        f"{mode}duration_seconds{sound}{tier}"
        for mode, sound, tier in product(
            ("", "text_to_video_", "image_to_video_", "reference_"),
            ("", "_with_audio", "_without_audio"),
            ("", *(f"_{tier.lower()}" for tier in TIERS)),
        )
    ),
    *(f"cents_per_second_output{tier}" for tier in ("", "_720p", "_1080p")),
    *("cents_per_image_input", "reference_images", "minimum_cents_per_generation"),
]
TOKEN_SKUS = [f"video_tokens{tier}{sound}" for tier in ("", "_1080p", "_4k") for sound in ("", "_without_audio")]


def some(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """Null, or some of the values in any order."""
    return st.none() | st.lists(st.sampled_from(values), min_size=1, max_size=4, unique=True)


@st.composite
def entries(draw: st.DrawFn) -> Body:
    """A model that states what it likes, with any price list in names that have been seen."""
    names = draw(st.sampled_from([SKUS, SKUS, TOKEN_SKUS]))
    return {
        "id": "a/b",
        "pricing_skus": draw(st.dictionaries(st.sampled_from(names), VALUES, min_size=1, max_size=6)),
        "supported_durations": draw(st.lists(st.integers(1, 15), min_size=1, max_size=4, unique=True)),
        "supported_resolutions": draw(some(TIERS)),
        "supported_aspect_ratios": draw(some(("16:9", "9:16", "1:1", "21:9", "4:3"))),
        "supported_sizes": draw(some(SIZES)),
        "supported_frame_images": ["first_frame", "last_frame"],
        "generate_audio": draw(st.sampled_from([True, False, None])),
    }


@pytest.mark.slow
@settings(max_examples=300, derandomize=True, deadline=None)
@given(entries(), st.data())
def test_no_price_list_leads_to_a_charge_above_the_estimate(entry: Body, data: st.DataObject) -> None:
    model = read_model(entry)
    body: Body = {"model": "a/b", "prompt": "x", **data.draw(st.sampled_from(pictures(model)))}
    body |= data.draw(st.sampled_from([{}, *({"duration": seconds} for seconds in entry["supported_durations"])]))
    tiers = [{"resolution": tier} for tier in model.resolutions or TIERS]
    ratios = [{"aspect_ratio": ratio} for ratio in model.ratios or ("16:9", "3:4")]
    sizes = [{"size": size} for size in model.sizes or SIZES]
    body |= data.draw(st.sampled_from([{}, *tiers, *ratios, *(tier | ratios[0] for tier in tiers), *sizes]))
    body |= data.draw(st.sampled_from([{}, *sounds(model)]))
    estimate = estimated(body, model)
    if estimate.at_most is not None:
        assert estimate.at_most >= charged(body, Catalogue([model]))
