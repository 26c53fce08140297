"""Secrets in texts of any shape: masked; everything else: as it was."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest

from stillmotion.outbound import redaction
from stillmotion.outbound.redaction import MASK, redact, redact_all, remember_secret

SECRET = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"
LINK = f"https://bucket.s3.amazonaws.com/a/b.png?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F&X-Amz-Signature={SECRET}"

SHAPES: dict[str, Callable[[str], str]] = {
    "link": lambda secret: f"cannot fetch https://b.example/a.png?X-Amz-Signature={secret}, sorry",
    "link in quotes": lambda secret: f'cannot fetch "https://b.example/a.png?sig={secret}"',
    "percent-encoded link": lambda secret: "at " + quote(f"https://b.example/a.png?X-Amz-Signature={secret}", safe=""),
    "doubly encoded link": lambda secret: quote(quote(f"https://b.example/a.png?a=1&sig={secret}", safe=""), safe=""),
    "json escapes": lambda secret: rf"https://b.example/a.png?X-Amz-Signature\u003d{secret}\u0026b",
    "bare parameter": lambda secret: f"SignatureDoesNotMatch: X-Amz-Signature={secret}",
    "bare encoded parameter": lambda secret: f"X-Amz-Signature%3D{secret}",
    "html": lambda secret: f"<a href='https://b.example/a?x=1&amp;X-Amz-Signature={secret}'>",
    "fragment": lambda secret: f"https://b.example/a.png#sig={secret}",
    "semicolon": lambda secret: f"https://b.example/a.png;sig={secret}",
    "broken by a space": lambda secret: f"https://b.example/a.png? X-Amz-Signature={secret}",
    "broken by a line": lambda secret: f"https://b.example/a.png?a=1&\nX-Amz-Signature={secret}",
    "broken inside": lambda secret: f"https://b.example/a.png?X-Amz-Signature={secret[:20]}\n{secret[20:]}",
    "space before the value": lambda secret: f"X-Amz-Signature = {secret}",
    "authorization header": lambda secret: f"sent Authorization: Bearer {secret} to it",
    "authorization in json": lambda secret: json.dumps({"headers": {"Authorization": f"Bearer {secret}"}}),
    "bearer alone": lambda secret: f"the token Bearer {secret} has expired",
    "basic": lambda secret: f"Basic {secret}==",
    "user and password": lambda secret: f"https://user:{secret}@host.example/a.png",
    "encoded user and password": lambda secret: quote(f"https://user:{secret}@host.example/a.png", safe=""),
    "google": lambda secret: f"X-Goog-Signature={secret}",
    "azure": lambda secret: f"https://acc.blob.example/c/a.png?sv=2024&sig={secret}",
    "cloudfront": lambda secret: f"https://d.example/a.png?Policy=e30_&Signature={secret}&Key-Pair-Id=K2",
    "token": lambda secret: f"access_token={secret}&x=1",
    "api key": lambda secret: f"api_key={secret}",
    "jwt": lambda secret: f"eyJhbGciOiJIUzI1NiJ9.{secret}.{secret[:10]}",
    "password": lambda secret: f"password={secret}",
    "client secret": lambda secret: f"client-secret={secret}",
}


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
