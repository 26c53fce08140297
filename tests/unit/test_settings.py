"""Settings from the environment."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from stillmotion.settings import DeliverSettings, MissingSetting, StoreSettings, load


@dataclass(frozen=True, slots=True)
class PollingSettings(StoreSettings):
    """Settings with text and a number."""

    poll_interval_seconds: int


GIVEN = {
    "TABLE_NAME": "jobs",
    "SPEND_TABLE_NAME": "days",
    "EVENT_BUS_NAME": "bus",
    "POLL_INTERVAL_SECONDS": "30",
    "PATH": "/bin",
}


def test_each_field_comes_from_the_variable_of_its_name() -> None:
    assert load(PollingSettings, GIVEN) == PollingSettings("jobs", "days", "bus", 30)


@pytest.mark.parametrize("name", ["TABLE_NAME", "EVENT_BUS_NAME", "POLL_INTERVAL_SECONDS"])
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(MissingSetting, match=f"{name} is not set: PollingSettings"):
        load(PollingSettings, {key: value for key, value in GIVEN.items() if key != name})


@pytest.mark.parametrize("value", ["", "thirty", "3.0", "-1", "²", " 30"])
def test_what_is_no_number_is_named_with_its_value(value: str) -> None:
    with pytest.raises(MissingSetting, match="POLL_INTERVAL_SECONDS is "):
        load(PollingSettings, GIVEN | {"POLL_INTERVAL_SECONDS": value})


def test_settings_cannot_be_changed_and_serve_as_a_key() -> None:
    one, same = load(StoreSettings, GIVEN), load(StoreSettings, GIVEN)
    assert hash(one) == hash(same)
    with pytest.raises(AttributeError):
        one.table_name = "other"  # type: ignore[misc]


def test_settings_hold_no_default_that_hides_a_missing_variable() -> None:
    with pytest.raises(MissingSetting, match="MODELGATES_BASE_URL"):
        load(DeliverSettings, GIVEN)
