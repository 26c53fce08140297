"""The runbook has a section for each alarm, with commands that exist."""

from __future__ import annotations

import re
import shlex

import pytest
from botocore import xform_name
from botocore.session import Session
from typer.main import get_command

from stillmotion_cli.main import app
from tests.support.template import ROOT, resources, template

PAGE = (ROOT / "docs" / "runbook.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+Alarm)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
ALARMS = resources("AWS::CloudWatch::Alarm") | resources("AWS::CloudWatch::CompositeAlarm")
QUOTED = r"""'[^']*'|["](?:[^"$]|\$\([^)]*\)|\$\w+)*["]"""
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line.strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


def test_every_alarm_has_its_section_and_no_other() -> None:
    assert set(SECTIONS) == set(ALARMS)


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_an_alarm_names_its_section(name: str) -> None:
    assert ALARMS[name]["AlarmDescription"].endswith(f" Runbook: docs/runbook.md#{name.lower()}")


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_section_says_what_how_bad_three_commands_and_when_over(name: str) -> None:
    text = SECTIONS[name]
    parts = [text.index(part) for part in ("**Means:**", "**How bad:**", "```sh", "**Over when:**")]
    assert parts == sorted(parts)
    commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(commands) == 1
    assert len(commands[0].strip().splitlines()) == 3


def aws_calls() -> list[tuple[str, str]]:
    """Service and operation of every AWS CLI call on the page."""
    return sorted(set(re.findall(r"\baws ([a-z0-9]+) ([a-z-]+)", "\n".join(COMMANDS))))


@pytest.mark.parametrize(("service", "operation"), aws_calls())
def test_every_aws_command_is_an_operation_with_these_options(service: str, operation: str) -> None:
    model = Session().get_service_model({"stepfunctions": "stepfunctions"}.get(service, service))
    names = {xform_name(name).replace("_", "-"): name for name in model.operation_names}
    assert operation in names
    shape = model.operation_model(names[operation]).input_shape
    assert shape is not None
    known = {xform_name(member).replace("_", "-") for member in shape.members} | {"query", "output"}
    used = [re.findall(r"--([a-z-]+)", call) for call in calls_of(service, operation)]
    assert used
    assert {option for options in used for option in options} <= known


def calls_of(service: str, operation: str) -> list[str]:
    """The text of each call, up to what ends a command."""
    text = "\n".join(COMMANDS)
    found = re.findall(rf"\baws {service} {operation}((?: (?:{QUOTED}|[^\s|;)\"']+))*)", text)
    assert found
    return [re.sub(QUOTED, "x", call) for call in found]


def test_every_stillmotion_command_exists_with_these_options() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    in_blocks = [line for line in COMMANDS if line.startswith("stillmotion ")]
    assert in_blocks
    for line in [*re.findall(r"`(stillmotion [a-z][^`]*)`", PAGE), *in_blocks]:
        _, name, *rest = shlex.split(line)
        assert name in commands, line
        options = {option for one in commands[name].params for option in (*one.opts, *one.secondary_opts)}
        assert {one for one in rest if one.startswith("--")} <= options, line


def test_what_the_commands_look_up_is_in_the_template() -> None:
    assert set(re.findall(r"\$\(output (\w+)\)", PAGE)) <= set(template()["Outputs"])
    looked_up = set(re.findall(r"\$\(resource (\w+)\)", PAGE))
    assert looked_up | {"SubmitApiFunction", "SubmitTaskFunction"} <= set(template()["Resources"])


def test_spending_is_stopped_by_the_functions_that_pay() -> None:
    """Only they may use both the key and the day's counter, and claim a job by writing its record."""
    section = PAGE.partition("## Stop all spending now")[2].partition("\n## ")[0]
    [named] = set(re.findall(r"for NAME in ([\w ]+); do", section))
    paying = {
        name
        for name, found in resources("AWS::Serverless::Function").items()
        if {"API_KEY_SECRET_ARN", "PER_JOB_SPEND_LIMIT_USD"} <= found.get("Environment", {}).get("Variables", {}).keys()
        or found["CodeUri"] == "functions/submit/"
    }
    assert set(named.split()) == paying
