"""What callbacks leave in the table, the secrets they are checked with, and executions they wake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from stillmotion.errors import StorageFailed
from stillmotion.jobs.callbacks import MAX_NAMING_WAKES, MAX_WAKES, CallbackState, DynamoCallbacks
from stillmotion.modelgates import callback_secrets
from stillmotion.modelgates.callback import callback_url
from stillmotion.modelgates.callback_secrets import CallbackAddresses, VersionedSecret
from stillmotion.stepfunctions.executions import StepFunctions
from tests.support.template import resources

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
def table() -> Iterator[Any]:
    with mock_aws():
        keys = resources("AWS::DynamoDB::Table")["JobTable"]
        wanted = {
            name: keys[name] for name in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        }
        yield boto3.resource("dynamodb", region_name="eu-central-1").create_table(TableName="jobs", **wanted)


def item(table: Any) -> dict[str, Any]:
    return dict(table.get_item(Key={"id": "callback#vid_1"})["Item"])


def test_a_callback_is_counted_and_answers_what_was_there_before(table: Any) -> None:
    callbacks = DynamoCallbacks(table)
    assert callbacks.find("vid_1") == CallbackState()
    assert callbacks.note("vid_1", None) == CallbackState()
    table.update_item(
        Key={"id": "callback#vid_1"}, UpdateExpression="SET task_token = :t", ExpressionAttributeValues={":t": "task"}
    )
    assert callbacks.note("vid_1", "gen-1") == CallbackState(1, None, "task")
    assert callbacks.find("vid_1") == CallbackState(2, "gen-1", "task")
    assert set(item(table)) == {"id", "wakes", "provider_id", "task_token", "expires_at"}
    assert item(table)["expires_at"] > time.time() + 80 * 86400


def test_the_first_id_stays(table: Any) -> None:
    callbacks = DynamoCallbacks(table)
    callbacks.note("vid_1", "gen-1")
    assert callbacks.note("vid_1", "gen-2") == CallbackState(1, "gen-1")
    assert callbacks.find("vid_1").provider_id == "gen-1"


def test_only_so_many_callbacks_count(table: Any) -> None:
    callbacks = DynamoCallbacks(table)
    answers = [callbacks.note("vid_1", None) for _ in range(MAX_WAKES + 3)]
    assert [answer is not None for answer in answers] == [True] * MAX_WAKES + [False] * 3
    assert callbacks.find("vid_1") == CallbackState(MAX_WAKES)


def test_an_id_is_kept_also_after_many_callbacks_without_one(table: Any) -> None:
    callbacks = DynamoCallbacks(table)
    for _ in range(MAX_WAKES):
        callbacks.note("vid_1", None)
    assert callbacks.note("vid_1", "gen-1") == CallbackState(MAX_WAKES)
    assert callbacks.note("vid_1", "gen-1") is None
    assert callbacks.find("vid_1") == CallbackState(MAX_WAKES + 1, "gen-1")


def test_an_id_that_is_dropped_again_and_again_counts_only_so_often(table: Any) -> None:
    callbacks, counted = DynamoCallbacks(table), 0
    for _ in range(MAX_NAMING_WAKES + 5):
        counted += callbacks.note("vid_1", "gen-1") is not None
        callbacks.drop("vid_1", "gen-1")
    assert counted == MAX_NAMING_WAKES
    assert callbacks.find("vid_1").provider_id is None


def test_only_the_id_that_is_kept_is_dropped(table: Any) -> None:
    callbacks = DynamoCallbacks(table)
    callbacks.note("vid_1", "gen-1")
    callbacks.drop("vid_1", "gen-2")
    callbacks.drop("vid_2", "gen-1")
    assert callbacks.find("vid_1").provider_id == "gen-1"
    callbacks.drop("vid_1", "gen-1")
    assert callbacks.find("vid_1") == CallbackState(1)


def test_a_table_that_does_not_answer_is_an_error(table: Any) -> None:
    table.delete()
    callbacks = DynamoCallbacks(table)
    for call in (lambda: callbacks.note("vid_1", None), lambda: callbacks.find("vid_1")):
        with pytest.raises(StorageFailed):
            call()
    with pytest.raises(StorageFailed):
        callbacks.drop("vid_1", "gen-1")


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


def answer(value: str) -> dict[str, Any]:
    return {"SecretString": value, "CreatedDate": datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(callback_secrets, "time", made)
    return made


def failing(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "call")  # type: ignore[typeddict-item]


def test_the_current_and_the_previous_value_count_and_are_read_by_age(clock: Clock) -> None:
    with mock_aws():
        secrets = boto3.client("secretsmanager")
        secret = VersionedSecret(secrets, secrets.create_secret(Name="s", SecretString=" first\n")["ARN"])
        assert secret.values() == ("first",)
        secrets.put_secret_value(SecretId="s", SecretString="second")
        clock.now += 299
        assert secret.values() == ("first",)
        clock.now += 1
        assert secret.values() == ("second", "first")


def test_new_addresses_are_made_with_what_every_warm_function_knows(clock: Clock) -> None:
    with mock_aws():
        secrets = boto3.client("secretsmanager")
        arn = secrets.create_secret(Name="s", SecretString="first")["ARN"]
        clock.now = time.time()
        checking, making = VersionedSecret(secrets, arn), VersionedSecret(secrets, arn)
        assert making.value_for_addresses() == "first"  # there is no other one
        assert checking.values() == ("first",)
        secrets.put_secret_value(SecretId="s", SecretString="second")
        for seconds, value in ((0, "first"), (299, "first"), (301, "first"), (359, "first"), (365, "second")):
            clock.now = time.time() + seconds
            for secret in (making, VersionedSecret(secrets, arn)):
                assert secret.value_for_addresses() == value, seconds
                assert value in checking.values()


def test_a_secret_that_cannot_be_read_is_asked_for_now_and_then(clock: Clock) -> None:
    client = Mock()
    client.get_secret_value.side_effect = failing("InternalServiceError")
    secret = VersionedSecret(client, "arn")
    for _ in range(50):
        with pytest.raises(StorageFailed, match="Try again"):
            secret.values()
    assert client.get_secret_value.call_count == 1
    clock.now += 10
    client.get_secret_value.side_effect = [
        answer("first"),
        failing("ResourceNotFoundException"),
    ]
    assert secret.values() == ("first",)
    clock.now += 300
    client.get_secret_value.side_effect = failing("InternalServiceError")
    assert secret.values() == ("first",)  # the last value, while there is no newer one


def test_an_empty_secret_is_none(clock: Clock) -> None:
    client = Mock()
    client.get_secret_value.side_effect = [
        answer(" "),
        failing("ResourceNotFoundException"),
    ]
    with pytest.raises(StorageFailed):
        VersionedSecret(client, "arn").values()


def test_an_address_is_not_made_without_a_secret() -> None:
    secret = Mock()
    secret.value_for_addresses.return_value = "current"
    addresses = CallbackAddresses("https://x.on.aws/", secret)
    assert addresses.address("vid_1") == callback_url("https://x.on.aws", "current", "vid_1")
    secret.value_for_addresses.side_effect = StorageFailed("not now")
    assert addresses.address("vid_1") is None


@pytest.mark.parametrize("code", ["TaskDoesNotExist", "TaskTimedOut", "InvalidToken"])
def test_waking_what_waits_no_longer_is_no_error(code: str) -> None:
    client = Mock()
    client.send_task_success.side_effect = failing(code)
    StepFunctions(client).wake("task")
    client.send_task_success.assert_called_once_with(taskToken="task", output="{}")


def test_a_wake_that_was_not_taken_is_an_error() -> None:
    client = Mock()
    client.send_task_success.side_effect = failing("AccessDeniedException")
    with pytest.raises(StorageFailed):
        StepFunctions(client).wake("task")
