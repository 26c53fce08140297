"""docs/cost.md is what its prices and the counted units make it, and these are as the stack is."""

from __future__ import annotations

import re
from datetime import date

import pytest

from benchmarks import cost
from benchmarks.cost import MEMORY, PAGE, Model
from tests.support.template import resources


@pytest.fixture
def model() -> Model:
    return Model.read()


def test_the_page_is_rendered_from_its_files(model: Model) -> None:
    assert PAGE.read_text() == cost.render(model)
    assert not re.search(r"<!--|\{\w+\}", PAGE.read_text())


def test_every_price_has_a_date_and_a_source(model: Model) -> None:
    for price in model.prices:
        assert date.fromisoformat(f"{price['date']}-01").year >= 2025, price
        assert price["source"], price
        assert price["usd"] > 0, price


def test_functions_alarms_and_interval_are_those_of_the_template(model: Model) -> None:
    functions = resources("AWS::Serverless::Function")
    assert {name: functions[name].get("MemorySize", 512) for name in MEMORY} == MEMORY
    assert len(resources("AWS::CloudWatch::Alarm")) == model.assumed["idle_alarms"]
    assert {call.function for how in ("callback", "polling") for call in model.calls(how)} == set(MEMORY)


def test_counted_units_do_not_depend_on_the_number_of_jobs(model: Model) -> None:
    rows = [row for name, row in model.counted["units"].items() if name.startswith("callback")]
    assert len(rows) >= 2
    for key in ("transitions", "invocations", "dynamodb", "writes", "reads", "s3_puts", "events"):
        assert len({row[key] for row in rows}) == 1, key
    assert rows[-1]["log_bytes"] / rows[0]["log_bytes"] <= 1.05
    assert rows[-1]["dynamodb"] <= 14


def test_dollars_follow_from_units_and_prices(model: Model) -> None:
    for how in ("callback", "polling"):
        units, job = model.units(how), model.job(how)
        assert job["Step Functions"] == pytest.approx(units["transitions"] * 0.025 / 1000)
        assert job["DynamoDB"] == pytest.approx(units["writes"] * 0.625e-6 + units["reads"] * 0.125e-6)
    # 0.25 vCPU and 0.5 GB for 61.8 s, with an address of its own
    [fargate] = [way for way in cost.ways(model) if "Fargate" in way.name]
    assert fargate.clip == pytest.approx(61.8 / 3600 * (0.25 * 0.03238 + 0.5 * 0.00356 + 0.005) + 0.000005)
    [instance] = [way for way in cost.ways(model) if "t4g" in way.name]
    assert instance.idle == pytest.approx(730 * (0.0168 + 0.005) + 8 * 0.08)


def test_a_call_with_more_memory_is_never_slower(model: Model) -> None:
    for call in model.calls("callback"):
        seconds = [model.seconds(call, memory) for memory in cost.TRIED]
        assert seconds == sorted(seconds, reverse=True)
