"""The API key from Secrets Manager: found, remembered, rotated, missing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from stillmotion.errors import ProviderUnauthorized, ProviderUnavailable
from stillmotion.modelgates import api_key
from stillmotion.modelgates.api_key import SecretApiKey
from tests.support.wire import Wire, answer, hang_up

pytestmark = pytest.mark.usefixtures("account")
QUICK = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1})


@pytest.fixture
def secrets() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("secretsmanager")


def key_for(secrets: Any, value: str | None) -> SecretApiKey:
    made = secrets.create_secret(Name="key", **({} if value is None else {"SecretString": value}))
    return SecretApiKey(secrets, made["ARN"])


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


def test_an_unusable_secret_is_reported_without_repeating_it(secrets: Any) -> None:
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
            SecretApiKey(secrets, name).get()


def test_a_key_is_remembered_until_it_is_asked_for_afresh(secrets: Any) -> None:
    key = key_for(secrets, "old")
    assert key.get() == "old"
    secrets.put_secret_value(SecretId="key", SecretString="new")
    assert key.get() == "old"
    assert key.get(refresh=True) == "new"
    assert key.get() == "new"


def test_a_rotated_key_is_seen_after_a_while(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_key.KEY_CACHE_SECONDS <= 300
    monkeypatch.setattr(api_key, "KEY_CACHE_SECONDS", 0.02)
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
        client = boto3.client("secretsmanager", config=QUICK)
        key = SecretApiKey(client, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key")
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
        client = boto3.client("secretsmanager", config=QUICK)
        key = SecretApiKey(client, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key")
        assert [key.get(), key.get()] == ["mg-1", "mg-1"]
        with pytest.raises(ProviderUnavailable):
            key.get(refresh=True)
        assert key.get() == "mg-1"
