"""Settings from the environment."""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest

from stillmotion import settings as settings_module
from stillmotion.errors import InvalidRequest
from stillmotion.requests.video_request import parse_request
from stillmotion.setting_types import ImageTransport, Measure
from stillmotion.settings import (
    ControlSettings,
    DeliverSettings,
    InvalidSetting,
    JobsSettings,
    PrepareBatchSettings,
    StoreSettings,
    SubmitApiSettings,
    SubmitTaskSettings,
    load,
    reader_of,
)
from tests.support.inprocess import VALUES
from tests.support.template import function_environment, resources, template

JOBS = {
    "TABLE_NAME": "jobs",
    "SPEND_TABLE_NAME": "days",
    "EVENT_BUS_NAME": "bus",
    "POLL_INTERVAL_SECONDS": "30",
    "MAX_POLL_ATTEMPTS": "60",
    "CALLBACKS": "false",
    "LINK_SECONDS": "3600",
    "OUTPUT_BUCKET": "clips",
    "OPERATOR_ARNS": "",
    "VIDEO_RETENTION_DAYS": "0",
    "PATH": "/bin",
}
SUBMIT = function_environment("SubmitTaskFunction", VALUES)
CONTROL = function_environment("ControlFunction", VALUES)
BATCH = function_environment("PrepareBatchFunction", VALUES)
OPERATORS = "arn:aws:iam::123456789012:role/team/Operators"
PARAMETERS = template()["Parameters"]
KINDS = [kind for kind in vars(settings_module).values() if isinstance(kind, type) and issubclass(kind, StoreSettings)]


def test_each_field_comes_from_the_variable_of_its_name() -> None:
    expected = JobsSettings("jobs", "days", "bus", 30, 60, False, 3600, "clips", frozenset(), 0)
    assert load(JobsSettings, JOBS) == expected


@pytest.mark.parametrize("name", [name for name in JOBS if name != "PATH"])
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{name} is not set. JobsSettings needs ") as caught:
        load(JobsSettings, {key: value for key, value in JOBS.items() if key != name})
    assert (caught.value.variable, caught.value.given) == (name, None)


@pytest.mark.parametrize("value", ["", "thirty", "3.0", "-1", "²", "٣", " 30", "30\n", "0", "301", "1_0"])
def test_a_wrong_number_is_named_with_what_was_given_and_is_allowed(value: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load(JobsSettings, JOBS | {"POLL_INTERVAL_SECONDS": value})
    assert str(caught.value) == (
        f"The environment variable POLL_INTERVAL_SECONDS is {value!r}. JobsSettings needs a whole number from 1 to "
        "300. Correct the stack's parameter and deploy again."
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0", None),
        ("0.0", None),
        ("0.60", Decimal("0.6")),
        ("12", Decimal(12)),
        ("1e3", Decimal(1000)),
        (".5", Decimal("0.5")),
        ("0.000001", Decimal("0.000001")),
    ],
)
def test_a_limit_is_an_exact_amount_and_zero_is_none(given: str, expected: Decimal | None) -> None:
    assert load(SubmitTaskSettings, SUBMIT | {"DAILY_SPEND_LIMIT_USD": given}).daily_spend_limit_usd == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("DAILY_SPEND_LIMIT_USD", value) for value in ("", "ten", "NaN", "inf", "-1", "1,5", "1 000", "1_0", "1e99")),
        ("DAILY_SPEND_LIMIT_USD", "0.0000001"),  # less than is counted: it would be no limit, or one of nothing
        ("DAILY_SPEND_LIMIT_USD", "1000000.01"),
        ("PER_JOB_SPEND_LIMIT_USD", "10001"),
        ("IMAGE_TRANSPORT", "Inline"),
        ("IMAGE_TRANSPORT", ""),
        ("POLL_INTERVAL_SECONDS", "1.5"),
        ("DEFAULT_DURATION", "0"),
        ("DEFAULT_DURATION", "601"),
        ("DEFAULT_DURATION", "4s"),
        ("DEFAULT_RESOLUTION", "720"),
        ("DEFAULT_ASPECT_RATIO", "16x9"),
        ("DEFAULT_MODEL", "veo"),
        ("DEFAULT_PROMPT", "one\ntwo"),
        ("DEFAULT_PROMPT", "x" * 1501),
        ("MODELGATES_BASE_URL", "modelgates.ai"),
        ("MODELGATES_BASE_URL", "https://modelgates.ai/api"),
        ("MODELGATES_BASE_URL", "https://user:secret@modelgates.ai"),
        ("MODELGATES_BASE_URL", "http://modelgates.ai"),
        ("MODELGATES_BASE_URL", "http://127.0.0.1"),
        ("MODELGATES_BASE_URL", "http://localhost.example:80"),
        ("MODELGATES_BASE_URL", "http://10.0.0.1:8480"),
        ("MODELGATES_BASE_URL", "ftp://127.0.0.1:21"),
        ("TRUSTED_ORIGINS", "localhost"),
        ("TRUSTED_ORIGINS", "http://localhost:65536"),
        ("TRUSTED_ORIGINS", "http://localhost:0"),
        ("TRUSTED_ORIGINS", "http://a,http://b/c"),
        ("INPUT_BUCKET", ""),
        ("CALLBACKS", "yes"),
        ("MAX_POLL_ATTEMPTS", "0"),
        ("CALLBACK_URL", "abc.lambda-url.eu-central-1.on.aws"),
        ("CALLBACK_SECRET_ARN", "a b"),
    ],
)
def test_a_typo_in_a_parameter_fails_by_the_variables_name(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load(SubmitTaskSettings, SUBMIT | {variable: value})
    assert (caught.value.variable, caught.value.given) == (variable, value)
    assert caught.value.allowed in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "environment", "variable", "value"),
    [
        (ControlSettings, CONTROL, "STATE_MACHINE_ARN", "generate-video"),
        (ControlSettings, CONTROL, "OPERATOR_ARNS", "Operators"),
        (ControlSettings, CONTROL, "OPERATOR_ARNS", f"{OPERATORS},arn:aws:iam::123456789012:role/*"),
        (ControlSettings, CONTROL, "OPERATOR_ARNS", "arn:aws:sts::123456789012:assumed-role/Operators/alice"),
        (PrepareBatchSettings, BATCH, "BATCH_MAX_CONCURRENCY", "0"),
        (PrepareBatchSettings, BATCH, "BATCH_TOLERATED_FAILURE_PERCENTAGE", "12.5"),
    ],
)
def test_lists_and_arns_fail_by_the_variables_name(
    kind: type[Any], environment: dict[str, str], variable: str, value: str
) -> None:
    with pytest.raises(InvalidSetting, match=f"^The environment variable {variable} is "):
        load(kind, environment | {variable: value})


def test_lists_are_read_once_without_spaces_and_empty_items() -> None:
    user = "arn:aws-cn:iam::123456789012:user/alice"
    settings = load(ControlSettings, CONTROL | {"OPERATOR_ARNS": f" {OPERATORS}, ,{user},"})
    assert settings.operator_arns == {OPERATORS, user}
    origins = load(SubmitTaskSettings, SUBMIT | {"TRUSTED_ORIGINS": "HTTPS://Example.com/, http://[::1]:9"})
    assert origins.trusted_origins == {"HTTPS://Example.com/", "http://[::1]:9"}


def test_defaults_of_dropped_pictures_are_request_fields() -> None:
    settings = load(SubmitTaskSettings, SUBMIT | {"DEFAULT_DURATION": "6", "DEFAULT_RESOLUTION": ""})
    prompt = PARAMETERS["DefaultPrompt"]["Default"]
    assert settings.default_fields == {"prompt": prompt, "duration": 6}
    assert settings.image_transport is ImageTransport.PRESIGNED


def test_image_transports_are_those_of_the_template() -> None:
    assert PARAMETERS["ImageTransport"]["AllowedValues"] == list(ImageTransport)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("default_resolution", ["720p", "4K", "99999abc", "720", "p", "0p", "720 p", "123456p", "720pixel"]),
        ("default_aspect_ratio", ["16:9", "9999:1", "16x9", "16:", "0:9", "16:9:1", "12345:1"]),
        ("default_duration", ["1", "600", "0", "601", "x"]),
    ],
)
def test_a_default_is_taken_where_a_request_takes_it(field: str, values: list[str]) -> None:
    [reader] = [reader_of(found.type) for found in fields(SubmitTaskSettings) if found.name == field]
    for value in values:
        asked: dict[str, Any] = {"model": "m/x", "prompt": "p", field.removeprefix("default_"): value}
        if field == "default_duration" and value.isdecimal():
            asked["duration"] = int(value)
        assert is_read(reader, value) == is_request(asked), value


def is_request(asked: dict[str, Any]) -> bool:
    try:
        parse_request(asked)
    except InvalidRequest:
        return False
    return True


def read_by_functions(parameter: str) -> set[str]:
    """The environment variables that a parameter is handed to functions in."""
    declared = [found.get("Environment", {}) for found in resources("AWS::Serverless::Function").values()]
    variables = [item for environment in declared for item in environment.get("Variables", {}).items()]
    return {name for name, value in variables if value in ({"Ref": parameter}, joined(parameter))}


def joined(parameter: str) -> dict[str, Any]:
    return {"Fn::Join": [",", {"Ref": parameter}]}


def readers(parameter: str) -> list[Any]:
    """The readers of the settings that a parameter comes into."""
    names = {name.lower() for name in read_by_functions(parameter)}
    return [reader_of(field.type) for kind in KINDS for field in fields(kind) if field.name in names]


def is_read(reader: Any, text: str) -> bool:
    try:
        reader.read(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("parameter", [name for name in PARAMETERS if read_by_functions(name)])
def test_a_setting_takes_what_the_template_takes_and_no_more(parameter: str) -> None:
    found = PARAMETERS[parameter]
    assert readers(parameter)
    for reader in readers(parameter):
        assert is_read(reader, str(found["Default"]))
        for value in found.get("AllowedValues", ()):
            assert is_read(reader, str(value))
        if "MinValue" in found:
            least, most = found["MinValue"], found["MaxValue"]
            assert [is_read(reader, str(number)) for number in (least - 1, least, most, most + 1)] == [
                False,
                True,
                True,
                False,
            ]
        else:
            assert not is_read(reader, "no such\tvalue")


def is_taken(parameter: str, value: str) -> bool:
    """Whether CloudFormation takes a value: a pattern is for the whole value, and for each item of a list."""
    found = PARAMETERS[parameter]
    items = value.split(",") if found["Type"] == "CommaDelimitedList" else [value]
    pattern = found["AllowedPattern"]
    return all(re.fullmatch(pattern, item) for item in items) and len(value) <= found.get("MaxLength", 4096)


@pytest.mark.parametrize(
    ("parameter", "right", "wrong"),
    [
        ("DefaultDuration", ["", "1", "99", "600"], ["0", "00", "601", "4s", "4.5"]),
        ("DefaultResolution", ["", "720p", "4K"], ["720", "p", "0p"]),
        ("DefaultAspectRatio", ["", "16:9"], ["16x9", "0:1"]),
        ("DefaultModel", ["", "google/veo-3.1-lite", "a/b:free"], ["veo", "a/b/c", "a/ b"]),
        ("DefaultPrompt", ["", "A slow pan; 5 % zoom – leise."], ["one\ntwo", "x" * 1501]),
        ("OperatorRoleArns", ["", OPERATORS, f"{OPERATORS},{OPERATORS}"], ["Operators", f"{OPERATORS},*"]),
        (
            "TrustedOrigins",
            ["", "http://127.0.0.1:4566", "https://a.example,http://b:1"],
            ["a", "http://a/b", "http://a b"],
        ),
        (
            "ModelGatesBaseUrl",
            ["https://modelgates.ai", "https://[2606:2800::1]:8443", "http://127.0.0.1:81", "http://localhost:8480"],
            ["", "modelgates.ai", "https://a/b", "http://modelgates.ai", "http://127.0.0.1", "http://localhost.a:80"],
        ),
    ],
)
def test_a_pattern_takes_and_refuses_what_the_setting_does(parameter: str, right: list[str], wrong: list[str]) -> None:
    for reader in readers(parameter):
        for value in right:
            assert (is_taken(parameter, value), is_read(reader, value)) == (True, True), value
        for value in wrong:
            assert (is_taken(parameter, value), is_read(reader, value)) == (False, False), value


@pytest.mark.parametrize("value", ["", "much", "-1", "nan", "inf", "1e1", "1.", ".5", " 1", "100.1", "²"])
def test_a_measure_is_a_number_in_its_range(value: str) -> None:
    assert [Measure(100).read(text) for text in ("0", "25", "0.75", "100")] == [0.0, 25.0, 0.75, 100.0]
    with pytest.raises(ValueError):
        Measure(100).read(value)


def test_settings_cannot_be_changed_and_serve_as_a_key() -> None:
    one, same = load(JobsSettings, JOBS), load(JobsSettings, JOBS)
    assert hash(one) == hash(same)
    with pytest.raises(AttributeError):
        one.table_name = "other"  # type: ignore[misc]


def test_settings_hold_no_default_that_hides_a_missing_variable() -> None:
    with pytest.raises(InvalidSetting, match="MODELGATES_BASE_URL"):
        load(DeliverSettings, JOBS)


def test_a_fraction_of_a_second_is_refused_before_anything_is_paid() -> None:
    # CloudFormation takes 1.5 for a Number; the Wait state after the paid call would not.
    for kind, name in ((SubmitApiSettings, "SubmitApiFunction"), (SubmitTaskSettings, "SubmitTaskFunction")):
        with pytest.raises(InvalidSetting, match=r"POLL_INTERVAL_SECONDS is '1\.5'"):
            load(kind, function_environment(name, VALUES) | {"POLL_INTERVAL_SECONDS": "1.5"})
