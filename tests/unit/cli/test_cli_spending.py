"""`usage` and `limits`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stillmotion.jobs.usage import By as StackBy
from stillmotion_cli.commands.spending import By
from tests.unit.cli.fake_api import FakeApi, Reply, problem
from tests.unit.cli.support import Run

EDITORS = "arn:aws:iam::123456789012:role/Editors"
NOTHING = {"jobs": 0, "charged_usd": "0.00", "reserved_usd": "0.00", "may_have_cost_usd": "0.00"}
DAYS = {"first_day": "2026-11-01", "last_day": "2026-11-30"}


def amounts(jobs: int, charged: str, reserved: str = "0.00", may: str = "0.00") -> dict[str, Any]:
    return {"jobs": jobs, "charged_usd": charged, "reserved_usd": reserved, "may_have_cost_usd": may}


def page(rows: dict[str | None, dict[str, Any]], total: dict[str, Any], token: str | None = None) -> Reply:
    data = [{"key": key} | row for key, row in rows.items()]
    return Reply(200, DAYS | {"by": "model", "data": data, "total": total, "next_token": token})


def limit(principal: str, daily: str | None, spent: str = "0.20", left: str | None = None) -> dict[str, Any]:
    by = None if daily is None else "operator"
    return {"principal": principal, "daily_usd": daily, "spent_usd": spent, "left_usd": left, "set_by": by}


def limits(**changes: Any) -> Reply:
    told = {"day": "2026-11-22", "resets_at": "2026-11-23T00:00:00Z", "stopped": False, "per_job_usd": None}
    return Reply(200, told | {"caller": limit(EDITORS, "5.00", left="4.80"), "stack": None, "entries": None} | changes)


def test_usage_adds_up_all_pages_exactly(api: FakeApi, run: Run) -> None:
    first = {"a/one": amounts(1, "0.10", "0.20"), None: amounts(1, "0.00", may="0.000001")}
    second = {"a/one": amounts(2, "0.20"), "b/two": amounts(1, "1.25")}
    api.on("GET /v1/usage", page(first, amounts(2, "0.10", "0.20", "0.000001"), "more"), times=1)
    api.on("GET /v1/usage", page(second, amounts(3, "1.45")))
    result = run("usage", "--by", "model", "--since", "2026-11-01", "--until", "2026-11-30T23:00:00Z")
    assert result.code == 0, result.err
    assert [re.split(r"\s{2,}", row.strip()) for row in result.out.splitlines()] == [
        ["model", "jobs", "charged", "reserved", "may have cost"],
        ["a/one", "3", "$0.30", "$0.20", "$0.00"],
        ["b/two", "1", "$1.25", "$0.00", "$0.00"],
        ["-", "1", "$0.00", "$0.00", "$0.000001"],
        ["total", "5", "$1.55", "$0.20", "$0.000001"],
    ]
    sent, more = api.calls("GET /v1/usage")
    assert sent.query == {"by": ["model"], "from": ["2026-11-01"], "to": ["2026-11-30"]}
    assert more.query == sent.query | {"next_token": ["more"]}


def test_usage_as_json_is_the_whole(api: FakeApi, run: Run) -> None:
    api.on("GET /v1/usage", page({"a/one": amounts(1, "0.10")}, amounts(1, "0.10"), "more"), times=1)
    api.on("GET /v1/usage", page({"a/one": amounts(1, "0.20")}, amounts(1, "0.20")))
    told = run("usage", "--by", "model", "--json").json
    assert (told["data"], told["total"]) == ([{"key": "a/one"} | amounts(2, "0.30")], amounts(2, "0.30"))
    assert told["next_token"] is None


def test_the_terminal_sums_up_by_what_the_stack_does() -> None:
    assert {one.value for one in By} == {one.value for one in StackBy}


def test_usage_of_nothing_says_so(api: FakeApi, run: Run) -> None:
    api.on("GET /v1/usage", page({}, NOTHING))
    result = run("usage")
    assert (result.code, result.out) == (0, "")
    assert "Nothing was spent" in result.err


@pytest.mark.parametrize(("command", "route"), [("usage", "/usage"), ("limits", "/limits")])
def test_an_older_stack_is_said_to_be_older(api: FakeApi, run: Run, command: str, route: str) -> None:
    api.on(f"GET /v1{route}", Reply(403, {"message": "Missing Authentication Token"}))
    result = run(command)
    assert result.code == 6
    assert f"This stack has no GET {route}: it is older than this command." in result.err
    api.on(f"GET /v1{route}", Reply(403, {"message": "User is not authorized"}))
    refused = run(command)
    assert refused.code == 6
    assert "older than this command. Deploy it again; until then" not in refused.err


def test_limits_shows_a_caller_its_own(api: FakeApi, run: Run) -> None:
    api.on("GET /v1/limits", limits(per_job_usd="1.00"))
    result = run("limits")
    assert result.code == 0, result.err
    heading, own, job = result.out.splitlines()
    assert heading.split() == ["who", "a", "day", "spent", "left", "set", "by"]
    assert own.split() == [EDITORS, "$5.00", "$0.20", "$4.80", "operator"]
    assert job == "One job: at most $1.00."
    assert "it starts anew at 2026-11-23T00:00:00Z" in result.err


def test_limits_shows_operators_everything(api: FakeApi, run: Run) -> None:
    entry = {"principal": "*", "daily_usd": "0.00", "changed_at": "2026-11-22T12:00:00.000Z", "changed_by": "arn:olga"}
    everything = limits(stack=limit("*", "0.00", left="0.00"), entries=[entry], stopped=True)
    api.on("GET /v1/limits", everything, times=2)
    result = run("limits")
    assert re.search(r"^all jobs together +\$0\.00  \$0\.20  \$0\.00  operator$", result.out, re.MULTILINE)
    assert "all jobs together: $0.00 a day, set by arn:olga at 2026-11-22T12:00:00.000Z" in result.out
    assert "All spending is stopped." in result.err
    assert run("limits", "--json").json == everything.body


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (["set", EDITORS, "5.00"], {"principal": EDITORS, "daily_usd": "5.00"}),
        (["set", "all", "20"], {"principal": "*", "daily_usd": "20"}),
        (["set", "*", "20"], {"principal": "*", "daily_usd": "20"}),
        (["remove", EDITORS], {"principal": EDITORS, "daily_usd": None}),
        (["stop-all"], {"principal": "*", "daily_usd": "0"}),
        (["allow-all"], {"principal": "*", "daily_usd": None}),
    ],
)
def test_limits_are_changed_by_one_call(api: FakeApi, run: Run, given: list[str], sent: dict[str, Any]) -> None:
    api.on("PUT /v1/limits", Reply(200, limit(sent["principal"], sent["daily_usd"], left=sent["daily_usd"])))
    result = run("limits", *given)
    assert result.code == 0, result.err
    assert [seen.body for seen in api.calls("PUT /v1/limits")] == [sent]
    who = "all jobs together" if sent["principal"] == "*" else EDITORS
    assert result.out.startswith(
        f"{who}: " + ("no limit" if sent["daily_usd"] is None else f"${sent['daily_usd']} a day")
    )


@pytest.mark.parametrize(
    "given",
    [["set"], ["set", EDITORS], ["remove"], ["remove", EDITORS, "5"], ["stop-all", EDITORS], ["show", "x"], ["halt"]],
)
def test_what_limits_does_not_take_is_bad_input(api: FakeApi, run: Run, given: list[str]) -> None:
    assert run("limits", *given).code == 2
    assert api.calls("PUT /v1/limits") == []


def test_a_caller_who_is_no_operator_is_told_so(api: FakeApi, run: Run) -> None:
    api.on("PUT /v1/limits", problem(403, "OperatorsOnly", "'arn:ada' is not an operator of this stack."))
    refused = run("limits", "stop-all")
    assert refused.code == 3
    assert "is not an operator of this stack" in refused.err
