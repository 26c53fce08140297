"""``GET /usage``: callers see what they spent, operators what all did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from local.simulator import Simulator
from tests.support.inprocess import ACCOUNT, CALLER, OPERATOR, Cloud, cloud
from tests.support.requests import request

BOB = f"arn:aws:iam::{ACCOUNT}:role/bob"
BOB_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/bob/laptop"
AMOUNTS = ("charged_usd", "reserved_usd", "may_have_cost_usd")


@pytest.fixture
def tagged(simulator: Simulator) -> Iterator[Cloud]:
    with cloud(simulator, UsageTagKey="project") as stack:
        yield stack


def usage(stack: Cloud, query: str = "", caller: str = CALLER, status: int = 200) -> dict[str, Any]:
    answered, _, body = stack.http("GET", f"/usage?{query}", caller=caller)
    assert answered == status, body
    found: dict[str, Any] = body
    return found


def spend(stack: Cloud, simulator: Simulator) -> None:
    """Alice's two clips and one whose answer was lost; Bob's clip under way; a workflow's clip."""
    for project, seconds in (("spring", 4), ("autumn", 8)):
        asked = request(simulator, duration=seconds, metadata={"project": project})
        job = stack.http("POST", "/videos", asked)[2]
        stack.finish(job["execution_arn"])
    simulator.fault("submit", times=1, status=500)
    stack.http("POST", "/videos", request(simulator))
    stack.finish(stack.start(request(simulator, seed=1)))
    simulator.fault("poll", times=None, job={"status": "pending"})
    stack.close()
    assert stack.http("POST", "/videos", request(simulator), caller=BOB_SESSION)[0] == 202


def test_callers_see_their_own_and_operators_all(tagged: Cloud, simulator: Simulator) -> None:
    spend(tagged, simulator)
    own = usage(tagged, "by=caller")
    alice = {"jobs": 3, "charged_usd": "0.60", "reserved_usd": "0.00", "may_have_cost_usd": "0.20"}
    bob = {"jobs": 1, "charged_usd": "0.00", "reserved_usd": "0.20", "may_have_cost_usd": "0.00"}
    workflow = {"jobs": 1, "charged_usd": "0.20", "reserved_usd": "0.00", "may_have_cost_usd": "0.00"}
    assert (own["data"], own["total"]) == ([{"key": CALLER} | alice], alice)
    assert usage(tagged, "by=caller", BOB_SESSION)["data"] == [{"key": BOB} | bob]
    all_of_it = usage(tagged, "by=caller", OPERATOR)
    assert all_of_it["data"] == [{"key": BOB} | bob, {"key": CALLER} | alice, {"key": None} | workflow]
    charged = sum(Decimal(str(job["charged_usd"])) for job in simulator.jobs())
    # Of the answer that was lost, the simulator made and charged nothing; Bob's is charged and not yet stated.
    assert Decimal(all_of_it["total"]["charged_usd"]) + Decimal(all_of_it["total"]["reserved_usd"]) == charged


def test_usage_is_summed_up_by_day_model_and_tag(tagged: Cloud, simulator: Simulator) -> None:
    spend(tagged, simulator)
    today = datetime.now(UTC).date().isoformat()
    assert [row["key"] for row in usage(tagged, f"from={today}&to={today}")["data"]] == [today]
    assert [row["key"] for row in usage(tagged, "by=model")["data"]] == ["google/veo-3.1-lite"]
    rows = usage(tagged, "by=tag")["data"]
    assert [(row["key"], row["charged_usd"]) for row in rows] == [
        ("autumn", "0.40"),
        ("spring", "0.20"),
        (None, "0.00"),
    ]


def test_without_days_it_is_the_last_thirty(stack: Cloud) -> None:
    answer = usage(stack)
    first, last = (datetime.fromisoformat(answer[name]).date() for name in ("first_day", "last_day"))
    assert (last - first).days == 29
    assert (answer["data"], answer["total"]["jobs"], answer["next_token"]) == ([], 0, None)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("from=2026-08-01&to=2026-11-01", "#/from"),
        ("from=2026-11-02&to=2026-11-01", "#/from"),
        *((f"from={quote(given)}", "#/from") for given in (
            "", "today", "2026-02-30", "2026-11-1", "20261101", "2026-W48-5", "2026-11-01T00:00:00Z", "1795807612",
            "٢٠٢٦-١١-٠١",
        )),
        ("to=9999-99-99", "#/to"),
        ("by=week", "#/by"),
        ("by=tag", "#/by"),
        ("next_token=abc", "#/next_token"),
    ],
)  # fmt: skip
def test_what_cannot_be_summed_up_is_refused(stack: Cloud, query: str, place: str) -> None:
    problem = usage(stack, query, status=400)
    assert problem["code"] == "InvalidRequest"
    assert [fault["pointer"] for fault in problem["errors"]] == [place]


@pytest.mark.parametrize("query", ["from=2026-08-01&to=2026-10-31", "to=0001-01-01", "from=9999-12-31&to=9999-12-31"])
def test_days_without_jobs_are_empty(stack: Cloud, query: str) -> None:
    for caller in (CALLER, OPERATOR):
        assert usage(stack, query, caller)["total"]["jobs"] == 0
