"""What the API refuses, in the caller's words: every fault once, pointers undecorated, one full stop."""

from __future__ import annotations

from typing import Any

import pytest

from stillmotion_cli.errors import ApiProblem
from stillmotion_cli.wording import BATCH_OPTIONS, OPTIONS, in_the_callers_words, renamed, with_single_stops
from tests.unit.cli.fake_api import FakeApi, problem
from tests.unit.cli.support import Run

DURATION = {"pointer": "#/duration", "detail": "is 5, but the model takes 4, 6", "given": 5, "allowed": [4, 6]}
METADATA = {"pointer": "#/metadata/gr%C3%B6%C3%9Fe", "detail": "must consist of letters", "given": 1}


@pytest.mark.parametrize(
    ("detail", "faults", "lines"),
    [
        (
            "m does not offer this: /duration is 5, but the model takes 4, 6. Change it; nothing was submitted.",
            [DURATION],
            ["m does not offer this. Change it; nothing was submitted.", "--duration: is 5, but the model takes 4, 6"],
        ),
        (
            "/duration: is 5, but the model takes 4, 6; /metadata/größe: must consist of letters; and 3 more. Fix it.",
            [DURATION, METADATA],
            [
                "And 3 more. Fix it.",
                "--duration: is 5, but the model takes 4, 6",
                "--metadata /größe: must consist of letters (given: 1)",
            ],
        ),
        ("This key was used before.", [{"pointer": "#", "detail": "key was used"}], ["This key was used before."]),
        (
            "Look at it.",
            [{"pointer": "#/frame_images/0/image_url/url", "detail": "answers 404"}],
            ["Look at it.", "IMAGE: answers 404"],
        ),
        ("It broke..", [], ["It broke."]),
    ],
)
def test_a_fault_is_shown_once_under_the_callers_name(detail: str, faults: list[Any], lines: list[str]) -> None:
    assert in_the_callers_words(detail, faults, OPTIONS) == lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/frame_images/0/image_url/url is 9x9.", "IMAGE is 9x9."),
        ("The size of /frame_images/1/image_url/url could not be read.", "The size of --last-image could not be read."),
        ("#/frame_images/1/image_url/url: no, (#/seed)", "--last-image: no, (--seed)"),
        ("Change /duration.", "Change --duration."),
        ("see /metadata/gr%C3%B6%C3%9Fe, /metadata/a~1b", "see --metadata /größe, --metadata /a/b"),
        ("/idempotency_key was used", "--idempotency-key was used"),
        ("Name an aspect_ratio to be sure.", "Name an --aspect-ratio to be sure."),
        ("/frame_images/2/image_url/url", "/frame_images/2/image_url/url"),
        ("/frame_images must have one", "/frame_images must have one"),
        ("/input_references/0/image_url/url", "/input_references/0/image_url/url"),
        ("https://x.example/model and s3://b/prompt", "https://x.example/model and s3://b/prompt"),
        ("a/model, ./seed, /home/model, /models", "a/model, ./seed, /home/model, /models"),
        ("a duration or a seed", "a duration or a seed"),
    ],
)
def test_a_text_names_fields_as_the_caller_does(text: str, shown: str) -> None:
    assert renamed(text, OPTIONS) == shown


def test_fields_are_called_as_the_command_calls_them() -> None:
    said = ApiProblem(400, "SpendLimitReached", "", "Raise budget_usd or give another batch_id.")
    assert said.text(BATCH_OPTIONS).endswith("Raise --budget or give another --batch-id.")
    assert "generate_audio" not in ApiProblem(400, "X", "", "Leave generate_audio out.").text()


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a.. b", "a. b"), ("why?. b", "why? b"), ("well....", "well..."), ("../a ... b", "../a ... b"), ("a.", "a.")],
)
def test_no_full_stop_comes_twice(text: str, shown: str) -> None:
    assert with_single_stops(text) == shown


def test_the_document_keeps_the_pointers_of_rfc_6901(api: FakeApi, run: Run) -> None:
    api.on("POST /v1/videos", problem(400, "InvalidRequest", "/metadata/größe: no.", errors=[METADATA]), times=2)
    assert run("generate", "still.jpg", "--json").json["error"]["errors"] == [METADATA]
    shown = run("generate", "still.jpg").err
    assert "%C3" not in shown
    assert "#/" not in shown
