"""Spending limits: checked before the paid call, counted with it, corrected after it, under any concurrency."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion.generation.submit import Submission
from tests.support.inprocess import OPERATOR, Cloud, cloud
from tests.support.requests import request

PRICE = 0.2  # of the request that the tests make: 4 s at 0.05 USD, with sound, which is on by default


@pytest.fixture
def limited(simulator: Simulator) -> Iterator[Cloud]:
    """A stack that may spend for five such jobs a day, and 0.30 USD for one job."""
    with cloud(simulator, DailySpendLimitUsd="1.00", PerJobSpendLimitUsd="0.30") as stack:
        yield stack


def counted() -> float:
    """What all days are counted with, in USD."""
    items = boto3.resource("dynamodb").Table("days").scan()["Items"]
    return float(sum(int(item["micro_usd"]) for item in items if "#" not in item["day"])) / 1e6


def submit(stack: Cloud, simulator: Simulator, **changes: Any) -> tuple[int, dict[str, str], Any]:
    return stack.http("POST", "/videos", request(simulator, **changes))


def test_what_is_counted_is_what_modelgates_charged(limited: Cloud, simulator: Simulator) -> None:
    job = submit(limited, simulator)[2]
    assert job["estimated_cost_usd"] == pytest.approx(PRICE)
    limited.finish(job["execution_arn"])
    assert counted() == pytest.approx(sum(job["charged_usd"] for job in simulator.jobs()))


def test_a_price_that_turned_out_otherwise_is_corrected(limited: Cloud, simulator: Simulator) -> None:
    simulator.fault("poll", times=None, job={"usage": {"cost": 0.05, "is_byok": False}})
    with limited.lock:  # its execution waits
        job = submit(limited, simulator)[2]
        assert counted() == pytest.approx(PRICE)
    limited.finish(job["execution_arn"])
    assert limited.job(job["id"])["usage"]["cost_usd"] == 0.05
    assert counted() == pytest.approx(0.05)


def test_over_the_daily_limit_nothing_is_sent_and_retry_after_is_given(limited: Cloud, simulator: Simulator) -> None:
    for seed in range(5):
        assert submit(limited, simulator, seed=seed)[0] == 202
    status, headers, problem = submit(limited, simulator, seed=6)
    assert (status, problem["code"]) == (402, "SpendLimitReached")
    assert "resets at" in problem["detail"]
    assert 0 < int(headers["Retry-After"]) <= 86_400
    assert len(simulator.jobs()) == 5
    assert limited.job(problem["instance"].removeprefix("/videos/"))["status"] == "failed"


def test_many_at_once_do_not_slip_past_the_limit_together(limited: Cloud, simulator: Simulator) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda seed: submit(limited, simulator, seed=seed)[0], range(20)))
    assert answers.count(202) <= 5
    assert set(answers) <= {202, 402, 503}
    assert len(simulator.jobs()) <= 5
    assert counted() <= 1 + 1e-9


def test_fifty_submits_of_several_models_stay_within_the_limit(limited: Cloud, simulator: Simulator) -> None:
    models = [("google/veo-3.1-lite", 4), ("kwaivgi/kling-v3.0-std", 5), ("alibaba/wan-2.6", 5)]

    def one(number: int) -> int:
        model, seconds = models[number % len(models)]
        wish = {"prompt": f"clip {number}", "model": model, "duration": seconds, "generate_audio": False}
        return int(submit(limited, simulator, **wish)[0])

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(50)))
    assert set(answers) <= {202, 402, 503}
    assert len(simulator.jobs()) == answers.count(202)
    assert sum(job["charged_usd"] for job in simulator.jobs()) <= 1 + 1e-9
    assert counted() <= 1 + 1e-9


def test_the_limit_holds_for_workflows_too(limited: Cloud, simulator: Simulator) -> None:
    for seed in range(5):
        submit(limited, simulator, seed=seed)
    ended = limited.finish(limited.start(request(simulator, seed=9)))
    assert (ended["status"], ended["error"]) == ("FAILED", "SpendLimitReached")
    assert len(simulator.jobs()) == 5


@pytest.mark.parametrize("way", ["http", "workflow"])
def test_what_a_refused_submit_could_not_return_is_returned_at_its_end(
    limited: Cloud, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(Submission, "_give_back", lambda *_: None)
    simulator.fault("submit", times=1, refusal="No faces.", status=400)
    asked = request(simulator)
    if way == "http":
        assert limited.http("POST", "/videos", asked)[0] >= 400
    else:
        assert limited.finish(limited.start(asked))["error"] == "ProviderRejected"
    assert counted() == 0
    assert submit(limited, simulator)[0] == 202
    assert counted() == pytest.approx(PRICE)


def test_a_job_over_its_own_limit_is_refused_before_it_is_on_record(limited: Cloud, simulator: Simulator) -> None:
    status, _, problem = submit(limited, simulator, duration=8)
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (402, "SpendLimitReached", "#/duration")
    assert boto3.resource("dynamodb").Table("jobs").scan()["Items"] == []


def test_a_dry_run_tells_of_the_limit_too(limited: Cloud, simulator: Simulator) -> None:
    status, _, problem = limited.http("POST", "/videos?dry_run=true", request(simulator, duration=8))
    assert (status, problem["code"]) == (402, "SpendLimitReached")


@pytest.mark.parametrize("status", [429, 503, 400, 401, 402, 403])
def test_what_was_not_accepted_is_given_back(limited: Cloud, simulator: Simulator, status: int) -> None:
    simulator.fault("submit", times=None, status=status)
    with limited.lock:  # the execution, which tries again, waits
        submit(limited, simulator)
        assert counted() == 0
    assert simulator.jobs() == []


def test_what_may_have_been_accepted_stays_counted(limited: Cloud, simulator: Simulator) -> None:
    simulator.fault("submit", times=1, accept_then_lose="reset")
    submit(limited, simulator)
    assert counted() == pytest.approx(PRICE)


def test_a_throttled_job_is_counted_once_when_it_is_accepted(limited: Cloud, simulator: Simulator) -> None:
    simulator.fault("submit", times=3, status=429)
    job = submit(limited, simulator)[2]
    assert json.loads(limited.finish(job["execution_arn"])["output"])["status"] == "completed"
    assert counted() == pytest.approx(PRICE)


def test_days_are_counted_without_a_limit_too(stack: Cloud, simulator: Simulator) -> None:
    submit(stack, simulator)
    assert counted() == pytest.approx(PRICE)


@pytest.mark.parametrize(("order", "left"), [({}, PRICE), ({"charged": True}, PRICE), ({"charged": False}, 0)])
def test_what_is_given_up_stays_counted_unless_nothing_was_charged(
    limited: Cloud, simulator: Simulator, order: dict[str, Any], left: float
) -> None:
    simulator.fault("submit", times=1, status=500)
    _, _, problem = submit(limited, simulator)
    assert counted() == pytest.approx(PRICE)
    given_up = {"abandon": True} | order
    status, _, job = limited.http("POST", f"{problem['instance']}/settle", given_up, caller=OPERATOR)
    assert (status, job["status"]) == (200, "failed")
    assert counted() == pytest.approx(left)
    assert job["usage"].get("may_have_cost_usd") == (PRICE if left else None)
