"""The real ports: the API key from Secrets Manager, and S3 as links have to name it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from stillmotion import wiring
from stillmotion.errors import ProviderUnauthorized, ProviderUnavailable
from stillmotion.settings import UploadSettings
from stillmotion.wiring import SecretApiKey
from tests.wire import Wire, answer, hang_up

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr(wiring, "_QUICK", Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}))


@pytest.fixture
def secrets() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("secretsmanager")


def key_for(secrets: Any, value: str | None) -> SecretApiKey:
    made = secrets.create_secret(Name="key", **({} if value is None else {"SecretString": value}))
    return SecretApiKey(made["ARN"])


def test_the_key_is_the_secret_itself_or_its_field_api_key(secrets: Any) -> None:
    key = key_for(secrets, "first")
    for secret, expected in (
        ("mg-1", "mg-1"),
        ("  mg-1\n", "mg-1"),
        ('{"api_key": "mg-1"}', "mg-1"),
        ('\n{"api_key": " mg-1 ", "owner": {"x": [1]}}', "mg-1"),
        ("sk-or-v1-_/+=~!", "sk-or-v1-_/+=~!"),
    ):
        secrets.put_secret_value(SecretId="key", SecretString=secret)
        assert key.get(refresh=True) == expected


def test_a_secret_without_a_usable_key_is_told_without_repeating_it(secrets: Any) -> None:
    key = key_for(secrets, None)
    for secret in (
        None,
        " ",
        "\n",
        "{}",
        "{broken mg-1",
        '{"api_key": ""}',
        '{"api_key": null}',
        '{"api_key": 7}',
        '{"api_key": {"mg-1": 1}}',
        '{"API_KEY": "mg-1"}',
        "mg-1\nmg-2",
        "mg-1\r\nX-Header: y",
        "Bearer mg-1",
        "mg–1",
        "mg-\x001",
        '{"api_key": "mg-1\\nmg-2"}',
    ):
        if secret is not None:
            secrets.put_secret_value(SecretId="key", SecretString=secret)
        with pytest.raises(ProviderUnauthorized, match="ApiKeySecretArn") as refused:
            key.get()
        assert "mg" not in str(refused.value)


def test_a_binary_or_missing_secret_holds_no_key(secrets: Any) -> None:
    arn = secrets.create_secret(Name="binary", SecretBinary=b"mg-1")["ARN"]
    for name in (arn, arn.replace("binary", "missing")):
        with pytest.raises(ProviderUnauthorized):
            SecretApiKey(name).get()


def test_a_key_is_remembered_until_it_is_asked_for_afresh(secrets: Any) -> None:
    key = key_for(secrets, "old")
    assert key.get() == "old"
    secrets.put_secret_value(SecretId="key", SecretString="new")
    assert key.get() == "old"
    assert key.get(refresh=True) == "new"
    assert key.get() == "new"


def test_a_rotated_key_is_seen_after_a_while(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wiring.KEY_CACHE_SECONDS <= 300
    monkeypatch.setattr(wiring, "KEY_CACHE_SECONDS", 0.02)
    key = key_for(secrets, "old")
    assert key.get() == "old"
    secrets.put_secret_value(SecretId="key", SecretString="new")
    time.sleep(0.03)
    assert key.get() == "new"


def test_a_key_that_is_put_into_an_empty_secret_is_seen_at_once(secrets: Any) -> None:
    key = key_for(secrets, " ")
    with pytest.raises(ProviderUnauthorized):
        key.get()
    secrets.put_secret_value(SecretId="key", SecretString="mg-1")
    assert key.get() == "mg-1"


def refusal(status: int, code: str) -> bytes:
    return answer(status, json.dumps({"__type": code, "message": "no"}).encode())


def test_secrets_manager_being_away_is_not_the_same_as_there_being_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    none = ("ResourceNotFoundException", "AccessDeniedException", "DecryptionFailure", "InvalidRequestException")
    away = [refusal(400, "ThrottlingException"), refusal(500, "InternalServiceError"), hang_up]
    with Wire([*(refusal(400, code) for code in none), *away]) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", wire.url)
        key = SecretApiKey("arn:aws:secretsmanager:eu-central-1:123456789012:secret:key")
        for _ in none:
            with pytest.raises(ProviderUnauthorized):
                key.get(refresh=True)
        for _ in away:
            with pytest.raises(ProviderUnavailable, match="Nothing was submitted"):
                key.get(refresh=True)


def test_a_key_at_hand_is_used_while_secrets_manager_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    good = answer(200, json.dumps({"SecretString": "mg-1"}).encode(), Content_Type="application/x-amz-json-1.1")
    with Wire([good, hang_up]) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", wire.url)
        key = SecretApiKey("arn:aws:secretsmanager:eu-central-1:123456789012:secret:key")
        assert [key.get(), key.get()] == ["mg-1", "mg-1"]
        with pytest.raises(ProviderUnavailable):
            key.get(refresh=True)
        assert key.get() == "mg-1"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def forget() -> None:
        wiring.client.cache_clear()
        wiring.bulk_s3.cache_clear()

    forget()
    yield
    forget()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-central-1", "s3.eu-central-1.amazonaws.com"), ("us-east-1", "s3.amazonaws.com")],
)
def test_a_link_names_the_host_that_answers_without_a_redirect(
    region: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    place = {"Bucket": "pictures", "Key": "drop/a b.png"}
    link = urlsplit(wiring.bulk_s3().generate_presigned_url("get_object", Params=place))
    assert (link.scheme, link.hostname, link.path) == ("https", f"pictures.{host}", "/drop/a%20b.png")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link.query


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_link_into_a_local_cloud_names_the_bucket_in_its_path(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://localhost:4566")
    link = wiring.bulk_s3().generate_presigned_url("get_object", Params={"Bucket": "pictures", "Key": "a.png"})
    assert link.startswith("http://localhost:4566/pictures/a.png?")


@pytest.mark.parametrize(("environment", "made"), [({}, 0), ({"AWS_LAMBDA_FUNCTION_NAME": "poll"}, 1)])
def test_ports_are_made_at_the_start_of_a_lambda_and_of_nothing_else(
    environment: dict[str, str], made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    for name, value in ({"INPUT_BUCKET": "pictures"} | environment).items():
        monkeypatch.setenv(name, value)
    ports: list[UploadSettings] = []
    wiring.prepare(ports.append, UploadSettings)
    assert ports == [UploadSettings("pictures")] * made


def test_a_function_starts_without_the_modules_of_the_others() -> None:
    code = "import sys, stillmotion.wiring; print(*(name for name in sys.modules if name.startswith('stillmotion.')))"
    shared = str(Path(wiring.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": shared}, capture_output=True, text=True, check=True, timeout=60
    )
    others = ("api", "images", "request", "submission", "transfer", "views")
    assert not {f"stillmotion.{name}" for name in others} & set(done.stdout.split())
