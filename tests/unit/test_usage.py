"""Summing up what was spent: equal to the records, whatever they are, in whatever pages."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from moto import mock_aws

from stillmotion.errors import InvalidRequest
from stillmotion.jobs import usage
from stillmotion.jobs.index import day_partition
from stillmotion.jobs.lifecycle import OPEN, Status
from stillmotion.jobs.record import Job, Usage, new_job_id
from stillmotion.jobs.spend import Reservation
from stillmotion.jobs.store import DynamoJobStore
from stillmotion.jobs.usage import Asked, By, Sum, sum_up
from tests.support.fakes import a_job
from tests.support.template import resources

FIRST, DAYS = date(2026, 10, 30), 6
LAST = FIRST + timedelta(days=DAYS - 1)
ALICE, BOB = "arn:aws:iam::123456789012:user/alice", "arn:aws:iam::123456789012:role/bob"
KINDS = {By.DAY: "day", By.MODEL: "model", By.CALLER: "owner", By.TAG: "tag"}


@pytest.fixture(scope="module")
def table() -> Iterator[Any]:
    with mock_aws():
        keys = resources("AWS::DynamoDB::Table")["JobTable"]
        wanted = {name: keys[name] for name in ("BillingMode", "AttributeDefinitions", "KeySchema")}
        indexes = {"GlobalSecondaryIndexes": keys["GlobalSecondaryIndexes"]}
        yield boto3.resource("dynamodb", region_name="eu-central-1").create_table(TableName="jobs", **wanted, **indexes)


@pytest.fixture(scope="module")
def written(table: Any) -> list[tuple[Job, str | None]]:
    """Two hundred jobs of any kind, each with the day that its paid call was made on."""
    dice, store, found = random.Random(11), DynamoJobStore(table), []
    for _ in range(200):
        day = FIRST + timedelta(days=dice.randrange(-2, DAYS + 2))
        job, paid_on = a_random_job(dice, day), None if dice.random() < 0.1 else day.isoformat()
        store.create(job)
        if paid_on is not None:
            change = {":day": day_partition(paid_on, job.id)}
            table.update_item(
                Key={"id": job.id}, UpdateExpression="SET day_shard = :day", ExpressionAttributeValues=change
            )
        found.append((job, paid_on))
    return found


def a_random_job(dice: random.Random, day: date) -> Job:
    status = dice.choice(list(Status))
    micro = dice.randrange(1, 9_000_000)
    stated = status not in OPEN and dice.random() < 0.6
    may = micro / 1e6 if not stated and dice.random() < 0.7 else None
    made = day - timedelta(days=dice.randrange(3))
    moment = f"{made.isoformat()}T{dice.randrange(24):02}:00:00.000Z"
    return a_job(
        status,
        id=new_job_id(),
        owner=dice.choice([ALICE, BOB, None]),
        request={"model": dice.choice(["a/one", "b/two"]), "prompt": "x"},
        metadata=dice.choice([{}, {"project": "spring"}, {"project": "", "other": "x"}]),
        reserved=Reservation(day=day.isoformat(), micro_usd=micro) if dice.random() < 0.8 else None,
        estimated_cost_usd=micro / 1e6,
        usage=Usage(cost_usd=dice.randrange(9_000_000) / 1e6 if stated else None, may_have_cost_usd=may),
        created_at=moment,
        updated_at=moment,
    )


def expected(written: list[tuple[Job, str | None]], by: By, owner: str | None) -> dict[str | None, list[Decimal]]:
    """What records alone say, by key: charged, reserved, may have cost."""
    sums: dict[str | None, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for job, day in written:
        if day is None or not FIRST.isoformat() <= day <= LAST.isoformat() or owner not in (None, job.owner):
            continue
        key = {"day": day, "model": job.model, "owner": job.owner, "tag": job.metadata.get("project")}[KINDS[by]]
        estimate = Decimal(str(job.estimated_cost_usd))
        column, amount = 2, Decimal(str(job.usage.may_have_cost_usd or 0))
        if job.usage.cost_usd is not None:
            column, amount = 0, Decimal(str(job.usage.cost_usd))
        elif not job.terminal:
            column, amount = 1, estimate
        elif job.status is Status.COMPLETED:
            amount = estimate
        sums[key] = [old + (amount if at == column else 0) for at, old in enumerate(sums[key])]
    return dict(sums)


def plain(sums: dict[str | None, Sum]) -> dict[str | None, list[Decimal]]:
    return {key: [one.charged, one.reserved, one.may_have_cost] for key, one in sums.items()}


@pytest.mark.slow
@pytest.mark.parametrize("owner", [None, ALICE, BOB, "arn:aws:iam::123456789012:user/nothing"])
@pytest.mark.parametrize("by", By)
def test_sums_equal_the_records_to_the_micro_dollar(
    table: Any, written: list[tuple[Job, str | None]], by: By, owner: str | None
) -> None:
    found = sum_up(DynamoJobStore(table).slice, Asked(by, FIRST, LAST, owner, "project"), None)
    wanted = expected(written, by, owner)
    assert plain(found.sums) == wanted
    assert found.next_token is None
    total = [sum(parts, Decimal(0)) for parts in zip(*wanted.values(), strict=True)] or [Decimal(0)] * 3
    assert [found.total.charged, found.total.reserved, found.total.may_have_cost] == total


@pytest.mark.slow
@pytest.mark.parametrize("owner", [None, ALICE])
@pytest.mark.parametrize("at_once", [1, 7, 100])
def test_pages_add_up_to_the_whole(
    table: Any,
    written: list[tuple[Job, str | None]],
    monkeypatch: pytest.MonkeyPatch,
    owner: str | None,
    at_once: int,
) -> None:
    read, asked = DynamoJobStore(table).slice, Asked(By.MODEL, FIRST, LAST, owner)
    whole = sum_up(read, asked, None)
    monkeypatch.setattr(usage, "MAX_READ", at_once)
    jobs, charged, token = 0, Decimal(0), None
    for _ in range(300):
        page = sum_up(read, asked, token)
        assert page.total.jobs <= at_once
        jobs, charged, token = jobs + page.total.jobs, charged + page.total.charged, page.next_token
        if token is None:
            break
    assert (token, jobs, charged) == (None, whole.total.jobs, whole.total.charged)


def test_a_token_of_another_query_is_refused(
    table: Any, written: list[tuple[Job, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = DynamoJobStore(table).slice
    monkeypatch.setattr(usage, "MAX_READ", 1)
    token = sum_up(read, Asked(By.MODEL, FIRST, LAST, ALICE), None).next_token
    for asked, given in (
        (Asked(By.MODEL, FIRST, LAST), token),
        (Asked(By.MODEL, FIRST, LAST, BOB), token),
        (Asked(By.DAY, FIRST, LAST, ALICE), token),
        (Asked(By.MODEL, FIRST, FIRST, ALICE), token),
        (Asked(By.MODEL, FIRST, LAST, ALICE), "MHw"),
        (Asked(By.MODEL, FIRST, LAST, ALICE), "ä" * 8),
    ):
        with pytest.raises(InvalidRequest, match="next_token does not belong to this query"):
            sum_up(read, asked, given)


def test_days_at_the_ends_of_the_calendar_are_empty(table: Any) -> None:
    read = DynamoJobStore(table).slice
    for first, last in ((date.min, date.min), (date(9999, 12, 1), date.max)):
        for owner in (None, ALICE):
            assert sum_up(read, Asked(By.DAY, first, last, owner), None).total.jobs == 0
