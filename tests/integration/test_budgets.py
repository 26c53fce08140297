"""What callers may spend: the stack's parameter, and what operators set at run time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion import wiring
from stillmotion.errors import EndedAtOnce
from stillmotion.generation.submit import Origin
from stillmotion.jobs.record import new_job_id
from stillmotion.requests.video_request import parse_request
from stillmotion.settings import SubmitApiSettings, load
from tests.support.inprocess import ACCOUNT, CALLER, OPERATOR, Cloud, cloud
from tests.support.requests import request
from tests.support.template import function_environment

BOB = f"arn:aws:iam::{ACCOUNT}:role/bob"
BOB_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/bob/from-his-laptop"
PRICE = Decimal("0.2")


@pytest.fixture
def limited(simulator: Simulator) -> Iterator[Cloud]:
    """A stack for ten of the tests' jobs a day, of which one caller may have three."""
    with cloud(simulator, DailySpendLimitUsd="2.00", CallerDailySpendLimitUsd="0.60") as stack:
        yield stack


def submit(stack: Cloud, simulator: Simulator, caller: str = CALLER, **changes: Any) -> tuple[int, Any]:
    status, _, body = stack.http("POST", "/videos", request(simulator, **changes), caller=caller)
    return status, body


def allow(stack: Cloud, principal: str, daily_usd: str | None) -> dict[str, Any]:
    order = {"principal": principal, "daily_usd": daily_usd}
    status, _, body = stack.http("PUT", "/limits", order, caller=OPERATOR)
    assert status == 200, body
    found: dict[str, Any] = body
    return found


def limits(stack: Cloud, caller: str = CALLER) -> dict[str, Any]:
    status, _, body = stack.http("GET", "/limits", caller=caller)
    assert status == 200, body
    found: dict[str, Any] = body
    return found


def counted() -> dict[str, Decimal]:
    """What is counted today in USD: of all jobs as ``*``, of callers by their names."""
    items = boto3.resource("dynamodb").Table("days").scan()["Items"]
    days = [item for item in items if item["day"][:2] == "20"]
    return {item["day"].partition("#")[2] or "*": item["micro_usd"] / Decimal(1_000_000) for item in days}


def test_a_caller_over_its_limit_is_refused_and_another_is_not(limited: Cloud, simulator: Simulator) -> None:
    for seed in range(3):
        assert submit(limited, simulator, seed=seed)[0] == 202
    status, headers, problem = limited.http("POST", "/videos", request(simulator, seed=3))
    assert (status, problem["code"]) == (402, "SpendLimitReached")
    said = problem["detail"]
    assert f"of the 0.60 USD that the caller '{CALLER}' may spend today, 0.60 USD are spent" in said
    assert "0.00 USD are left. The limit resets at " in said
    assert 0 < int(headers["Retry-After"]) <= 86_400
    assert submit(limited, simulator, BOB)[0] == 202
    assert counted() == {"*": 4 * PRICE, CALLER: 3 * PRICE, BOB: PRICE}
    assert len(simulator.jobs()) == 4


def test_sessions_of_a_role_share_its_limit(limited: Cloud, simulator: Simulator) -> None:
    for seed in range(3):
        assert submit(limited, simulator, f"{BOB_SESSION}-{seed}", seed=seed)[0] == 202
    assert submit(limited, simulator, BOB_SESSION, seed=4)[0] == 402
    assert counted()[BOB] == 3 * PRICE


def test_fifty_submits_of_two_callers_hold_both_limits(limited: Cloud, simulator: Simulator) -> None:
    allow(limited, BOB, "1.60")
    settings = load(SubmitApiSettings, function_environment("SubmitApiFunction", limited.values))

    def one(number: int) -> tuple[str, str]:
        # The use case itself: Powertools' resolver serves one call of a process at a time.
        caller, job_id = (CALLER, BOB)[number % 2], new_job_id()
        origin = Origin({"type": "http"}, caller, wiring.executions(settings.state_machine_arn).arn(job_id))
        asked = parse_request(request(simulator, seed=number))
        try:
            return caller, str(wiring.create_video(settings).handle(asked, job_id, origin, 28).job.status)
        except EndedAtOnce as ended:
            return caller, ended.error.code

    with ThreadPoolExecutor(20) as pool:
        answers = Counter(pool.map(one, range(50)))
    assert {outcome for _, outcome in answers} <= {"in_progress", "SpendLimitReached"}
    paid = {caller: answers[caller, "in_progress"] for caller in (CALLER, BOB)}
    assert paid[CALLER] <= 3
    assert paid[BOB] <= 8
    assert sum(paid.values()) == len(simulator.jobs()) == 10
    assert counted() == {"*": 2} | {caller: PRICE * number for caller, number in paid.items()}


def test_an_operator_stops_all_spending_at_once(stack: Cloud, simulator: Simulator) -> None:
    assert submit(stack, simulator, seed=1)[0] == 202
    stopped = allow(stack, "*", "0")
    assert (stopped["daily_usd"], stopped["spent_usd"], stopped["set_by"]) == ("0.00", "0.20", "operator")
    status, problem = submit(stack, simulator, seed=2)
    assert (status, problem["code"]) == (402, "SpendLimitReached")
    assert "Spending is stopped: an operator has set what the whole stack may spend a day to 0 USD" in problem["detail"]
    ended = stack.finish(stack.start(request(simulator, seed=3)))
    assert (ended["status"], ended["error"]) == ("FAILED", "SpendLimitReached")
    assert len(simulator.jobs()) == 1
    assert limits(stack)["stopped"] is True
    assert allow(stack, "*", None)["daily_usd"] is None
    assert limits(stack)["stopped"] is False
    assert submit(stack, simulator, seed=4)[0] == 202


def test_a_stop_holds_for_events_and_rows_of_batches(stack: Cloud, simulator: Simulator) -> None:
    allow(stack, "*", "0")
    event = {"detail-type": "Video Generation Requested", "source": "shop", "id": "e1", "detail": request(simulator)}
    row = {"batch": {"id": "b", "item_id": "one", "owner": CALLER}, "request": request(simulator)}
    for given in (event, row):
        ended = stack.finish(stack.start(given))
        assert (ended["status"], ended["error"]) == ("FAILED", "SpendLimitReached")
    assert simulator.jobs() == []
    assert counted() == {}


def test_jobs_without_an_owner_count_for_the_stack_only(limited: Cloud, simulator: Simulator) -> None:
    for seed in range(4):
        assert limited.finish(limited.start(request(simulator, seed=seed)))["status"] == "SUCCEEDED"
    assert counted() == {"*": 4 * PRICE}


def test_rows_of_a_batch_count_for_the_caller_who_ordered_it(limited: Cloud, simulator: Simulator) -> None:
    states = []
    for number in range(4):
        row = {"batch": {"id": "b", "item_id": str(number), "owner": BOB}, "request": request(simulator, seed=number)}
        states.append(limited.finish(limited.start(row))["status"])
    assert states == ["SUCCEEDED"] * 3 + ["FAILED"]
    assert counted() == {"*": 3 * PRICE, BOB: 3 * PRICE}


@pytest.mark.parametrize(("entry", "taken"), [("0.40", 2), ("1.00", 5), ("0.199999", 0), ("0.2", 1), ("0", 0)])
def test_an_entry_takes_the_place_of_the_parameter(
    limited: Cloud, simulator: Simulator, entry: str, taken: int
) -> None:
    allow(limited, CALLER, entry)
    answers = [submit(limited, simulator, seed=seed)[0] for seed in range(6)]
    assert answers == [202] * taken + [402] * (6 - taken)


def test_an_entry_that_is_removed_lets_the_parameter_hold_again(limited: Cloud, simulator: Simulator) -> None:
    allow(limited, CALLER, "0.20")
    assert [submit(limited, simulator, seed=seed)[0] for seed in range(2)] == [202, 402]
    held = allow(limited, CALLER, None)
    assert (held["daily_usd"], held["set_by"], held["spent_usd"], held["left_usd"]) == (
        "0.60",
        "parameter",
        "0.20",
        "0.40",
    )
    assert [submit(limited, simulator, seed=seed)[0] for seed in range(2, 5)] == [202, 202, 402]
    assert allow(limited, CALLER, None)["set_by"] == "parameter"  # there is none to remove


def test_what_was_spent_before_an_entry_counts(stack: Cloud, simulator: Simulator) -> None:
    for seed in range(3):
        assert submit(stack, simulator, seed=seed)[0] == 202
    allow(stack, CALLER, "0.70")
    assert submit(stack, simulator, seed=4)[0] == 402
    assert submit(stack, simulator, BOB, seed=5)[0] == 202


def test_an_entry_for_all_takes_the_place_of_the_stacks_limit(limited: Cloud, simulator: Simulator) -> None:
    allow(limited, "*", "0.40")
    callers = (CALLER, BOB, OPERATOR)
    assert [submit(limited, simulator, caller)[0] for caller in callers] == [202, 202, 402]


def test_reservations_of_a_caller_are_returned_and_corrected(limited: Cloud, simulator: Simulator) -> None:
    simulator.fault("submit", times=1, status=400)
    assert submit(limited, simulator)[0] == 422
    assert counted() == {"*": 0, CALLER: 0}
    simulator.fault("poll", times=None, job={"usage": {"cost": 0.05, "is_byok": False}})
    job = submit(limited, simulator)[1]
    limited.finish(job["execution_arn"])
    assert counted() == {"*": Decimal("0.05"), CALLER: Decimal("0.05")}


@pytest.mark.parametrize(("charged", "left"), [(True, PRICE), (False, Decimal(0))])
def test_what_is_given_up_is_returned_to_its_caller_too(
    limited: Cloud, simulator: Simulator, charged: bool, left: Decimal
) -> None:
    simulator.fault("submit", times=1, status=500)
    problem = submit(limited, simulator)[1]
    order = {"abandon": True, "charged": charged}
    assert limited.http("POST", f"{problem['instance']}/settle", order, caller=OPERATOR)[0] == 200
    assert counted() == {"*": left, CALLER: left}


def test_a_price_that_is_not_known_is_refused_where_an_entry_holds(stack: Cloud, simulator: Simulator) -> None:
    allow(stack, CALLER, "5.00")
    passed_on = {"options": {"google-vertex": {"parameters": {"aspectRatio": "16:9"}}}}
    status, problem = submit(stack, simulator, provider=passed_on)
    assert (status, problem["code"]) == (422, "PriceUnknown")
    assert submit(stack, simulator, BOB, provider=passed_on)[0] == 202


def test_callers_see_their_own_limit_and_operators_everything(limited: Cloud, simulator: Simulator) -> None:
    allow(limited, BOB, "5.00")
    submit(limited, simulator)
    seen = limits(limited)
    today = datetime.now(UTC).date().isoformat()
    assert (seen["day"], seen["stack"], seen["entries"], seen["per_job_usd"]) == (today, None, None, None)
    assert seen["caller"] == {
        "principal": CALLER,
        "daily_usd": "0.60",
        "spent_usd": "0.20",
        "left_usd": "0.40",
        "set_by": "parameter",
    }
    assert BOB not in json.dumps(seen)
    all_of_it = limits(limited, OPERATOR)
    assert (all_of_it["stack"]["daily_usd"], all_of_it["stack"]["left_usd"]) == ("2.00", "1.80")
    [entry] = all_of_it["entries"]
    assert (entry["principal"], entry["daily_usd"], entry["changed_by"]) == (BOB, "5.00", OPERATOR)
    assert limits(limited, BOB_SESSION)["caller"]["daily_usd"] == "5.00"


@pytest.mark.parametrize(
    "given",
    [BOB_SESSION, f"arn:aws:iam::{ACCOUNT}:role/team/bob", BOB],
)
def test_a_role_is_named_with_its_path_or_a_session_too(limited: Cloud, simulator: Simulator, given: str) -> None:
    assert allow(limited, given, "0")["principal"] == BOB
    assert submit(limited, simulator, BOB_SESSION)[0] == 402


@pytest.mark.parametrize("caller", [CALLER, BOB_SESSION])
@pytest.mark.parametrize("order", [{"principal": "*", "daily_usd": "100"}, {"principal": CALLER, "daily_usd": None}])
def test_only_operators_set_limits(limited: Cloud, caller: str, order: dict[str, Any]) -> None:
    status, _, problem = limited.http("PUT", "/limits", order, caller=caller)
    assert (status, problem["code"]) == (403, "OperatorsOnly")
    assert limits(limited, OPERATOR)["entries"] == []


@pytest.mark.parametrize(
    ("order", "place"),
    [
        *(({"principal": "*", "daily_usd": amount}, "#/daily_usd") for amount in (
            5, 5.0, True, False, "", " 5", "5 ", "5.", ".5", "05", "-1", "+1", "1e3", "1e99", "NaN", "Infinity", "1,5",
            "1_0", "٣", "0.0000001", "1000000.01", "1000001", [], {}, ["5"],
        )),
        *(({"principal": principal, "daily_usd": "5"}, "#/principal") for principal in (
            "", "**", "alice", "arn:aws:iam::123456789012:role/*", "arn:aws:iam::123:role/a", 7, None, True, ["*"],
            "arn:aws:iam::123456789012:role/a\n", "arn:aws:s3:::bucket/key", BOB + "a" * 800,
            "arn:aws:iam::123456789012:role/team/a/", "arn:aws:iam::123456789012:role//",
            "arn:aws:iam::123456789012:user/a//b",
            "arn:aws:sts::123456789012:assumed-role/Editors",
        )),
        ({"principal": "*"}, "#/daily_usd"),
        ({"daily_usd": "5"}, "#/principal"),
        ({"principal": "*", "daily_usd": "5", "weekly_usd": "9"}, "#/weekly_usd"),
    ],
)  # fmt: skip
def test_an_order_that_is_not_exact_is_refused(limited: Cloud, order: dict[str, Any], place: str) -> None:
    status, _, problem = limited.http("PUT", "/limits", order, caller=OPERATOR)
    assert (status, problem["code"]) == (400, "InvalidRequest")
    assert place in [fault["pointer"] for fault in problem["errors"]]
    assert limits(limited, OPERATOR)["entries"] == []


def test_not_a_number_in_json_is_no_amount(limited: Cloud) -> None:
    for amount in ("NaN", "Infinity", "-Infinity", "1e999"):
        body = f'{{"principal": "*", "daily_usd": {amount}}}'
        assert limited.http("PUT", "/limits", body, caller=OPERATOR)[0] == 400
    assert limits(limited, OPERATOR)["entries"] == []


@pytest.mark.parametrize("principal", ["*", "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/team/a"])
def test_whoever_can_call_can_be_limited(limited: Cloud, principal: str) -> None:
    assert allow(limited, principal, "5.00")["daily_usd"] == "5.00"
