"""The pages about deploying, upgrading and deleting say what the profiles and the template say."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.support.template import ROOT, template

DEPLOY, TEARDOWN = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("deploy", "teardown"))
PROFILES = tomllib.loads((ROOT / "samconfig.toml").read_text())
STAGES = ("dev", "staging", "prod")


def overrides(stage: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in PROFILES[stage]["deploy"]["parameters"]["parameter_overrides"].split())


@pytest.mark.parametrize("stage", STAGES)
def test_a_profile_has_a_stack_of_its_own_with_limits_on_spending(stage: str) -> None:
    assert PROFILES[stage]["global"]["parameters"]["stack_name"] == f"stillmotion-{stage}"
    given = overrides(stage)
    assert set(given) <= set(template()["Parameters"])
    assert float(given["DailySpendLimitUsd"]) > float(given["PerJobSpendLimitUsd"]) > 0


def test_profiles_differ_in_nothing_that_uploads_over_another() -> None:
    prefixes = [found["deploy"]["parameters"]["s3_prefix"] for name, found in PROFILES.items() if name in STAGES]
    assert len(set(prefixes)) == len(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_the_table_of_profiles_says_what_they_say(stage: str) -> None:
    row = re.search(rf"^\| `{stage}` \|(.*)\|$", DEPLOY, re.MULTILINE)
    assert row is not None
    stack, daily, per_job, confirms, days = (cell.strip(" `") for cell in row[1].split("|"))
    given = overrides(stage)
    assert stack == f"stillmotion-{stage}"
    assert (daily, per_job) == (f"{given['DailySpendLimitUsd']} USD", f"{given['PerJobSpendLimitUsd']} USD")
    assert (confirms == "yes") is PROFILES[stage]["deploy"]["parameters"]["confirm_changeset"]
    assert days == f"{given.get('LogRetentionDays', template()['Parameters']['LogRetentionDays']['Default'])} days"


KEPT = {
    name: found["Type"]
    for name, found in template()["Resources"].items()
    if "Retain" in found.get("DeletionPolicy", "")
}


def test_the_page_on_deleting_names_everything_that_stays() -> None:
    rows = re.findall(r"^\| (`.*`) \| stay", TEARDOWN, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(KEPT)


def test_what_stays_are_buckets_and_tables_as_the_command_lists_them() -> None:
    assert set(KEPT.values()) == set(re.findall(r"ResourceType=='([\w:]+)'", TEARDOWN))


def test_the_list_of_what_stays_is_not_cut_off() -> None:
    """`describe-stack-resources` answers with the first hundred; a stack has more."""
    assert "list-stack-resources" in TEARDOWN
    assert "describe-stack-resources" not in TEARDOWN


@pytest.mark.parametrize("page", ["deploy", "upgrade", "teardown", "runbook"])
def test_links_and_outputs_on_the_page_exist(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text):
        assert (ROOT / "docs" / link).exists(), link
    assert set(re.findall(r"\$\(output (\w+)\)", text)) <= set(template()["Outputs"])
