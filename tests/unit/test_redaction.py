"""Secrets in texts of any shape: masked; everything else: as it was."""

from __future__ import annotations

import json
import random
import string
from urllib.parse import quote

import pytest

from stillmotion.outbound import redaction
from stillmotion.outbound.redaction import MASK, redact, redact_all, remember_secret
from tests.support.secret_shapes import SHAPES

SECRET = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"
LINK = f"https://bucket.s3.amazonaws.com/a/b.png?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F&X-Amz-Signature={SECRET}"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_is_masked_by_its_shape(shape: str) -> None:
    shown = redact(SHAPES[shape](SECRET))
    assert SECRET not in shown
    assert SECRET[:20] not in shown
    assert SECRET[20:] not in shown
    assert MASK in shown


@pytest.mark.parametrize("shape", ["link", "percent-encoded link", "fragment", "semicolon", "broken by a space"])
def test_of_a_link_the_address_stays(shape: str) -> None:
    assert "b.example" in redact(SHAPES[shape](SECRET))


@pytest.mark.parametrize(
    "text",
    [
        "The prompt was refused by moderation: flagged for violence",
        "#/duration is 5, but the model takes 4, 6, 8",
        "s3://pictures/drop/a b.png",
        "Is this right? Yes; it is = fine",
        "bearer of bad news",
        "a basic sketch of a cat",
        "vid_3gk7w2x9q4r8s5t1v0y6z3abcd",
        "arn:aws:states:eu-central-1:123456789012:execution:generate-video:vid_3gk7w2x9q4r8s5t1v0y6z3abcd",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "https://modelgates.ai/api/v1/videos/vg_1",
        "the key to success, at 10:30",
        "2026-11-27T12:00:00.000Z",
    ],
)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_a_known_secret_is_masked_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_KNOWN", set())
    remember_secret("correct horse+battery/staple")
    assert redact("echo correct horse+battery/staple!") == f"echo {MASK}!"
    assert redact(f"a={quote('correct horse+battery/staple', safe='')}b") == f"a={MASK}b"
    remember_secret("short")
    assert redact("a short word") == "a short word"


def test_the_environments_credentials_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session token of this process")
    assert redact("with session token of this process") == f"with {MASK}"


def test_every_text_of_a_document_is_redacted() -> None:
    document = {"trace": {LINK: [LINK, {"x": LINK}]}, "n": 1, "none": None}
    assert SECRET not in json.dumps(redact_all(document))
    assert redact_all(document)["n"] == 1


def test_a_thousand_planted_secrets_are_all_masked() -> None:
    chance = random.Random(20261127)
    alphabet = string.ascii_letters + string.digits
    for number in range(1000):
        secret = "".join(chance.choice(alphabet) for _ in range(chance.randint(20, 64))) + str(number % 10)
        name = chance.choice(list(SHAPES))
        before, after = chance.choice(["", "x ", "(", '{"a": "']), chance.choice(["", " y", ")", '"}'])
        text = before + SHAPES[name](secret) + after
        assert secret not in redact(text), (name, text, redact(text))


def test_redaction_takes_linear_time_on_hostile_texts() -> None:
    for hostile in ("?" * 20_000, "&" * 20_000, "x-amz-" * 4_000, "://a:" * 4_000, "%25" * 7_000, "Bearer " * 3_000):
        redact(hostile)
