"""`stillmotion doctor`: one finding a check, and the exit code of the first that failed."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.fake_api import FakeApi, Reply, problem
from tests.unit.cli.support import Run

NAMES = ["credentials", "stack", "api", "models", "key", "limits", "callback"]
DENIED = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>No</Message></Error></ErrorResponse>"


@pytest.fixture(autouse=True)
def aws(api: FakeApi, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A stack on AWS that has everything."""
    (folder / ".local" / "stack.json").unlink()
    for name, value in (("ACCESS_KEY_ID", "AKIDEXAMPLE"), ("SECRET_ACCESS_KEY", "secret"), ("REGION", "eu-west-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", api.url)
    monkeypatch.setenv("STILLMOTION_STACK", "clips")
    api.outputs |= {"ApiKeySecretArn": "arn:secret", "Version": version("stillmotion")}
    api.parameters = {"DailySpendLimitUsd": "25", "PerJobSpendLimitUsd": "0", "EnableCallback": "true"}


def states(run: Run) -> tuple[int, dict[str, str]]:
    result = run("doctor", "--json")
    checks: list[dict[str, Any]] = result.json["checks"]
    assert result.json["ok"] == (result.code == 0)
    return result.code, {check["check"]: check["state"] for check in checks}


def test_a_sound_stack_gets_a_line_for_every_check(run: Run) -> None:
    result = run("doctor")
    assert (result.code, result.err) == (0, "")
    lines = [line.split(maxsplit=2) for line in result.out.splitlines()]
    assert [line[:2] for line in lines] == [["ok", name] for name in NAMES]
    said = {line[1]: line[2] for line in lines}
    assert said["credentials"] == "arn:aws:iam::123456789012:user/ada in eu-west-1."
    assert said["limits"] == "At most $25.00 a day."
    assert said["callback"].startswith("On:")


def test_a_local_stack_is_checked_too(
    api: FakeApi, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, stack: Any
) -> None:
    monkeypatch.delenv("STILLMOTION_STACK")
    api.outputs["OutputBucketName"] = ""
    (folder / ".local" / "stack.json").write_text(stack.to_json())
    code, found = states(run)
    assert (code, list(found)) == (0, NAMES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"stack_status": "UPDATE_ROLLBACK_COMPLETE"}, {"stack": "warning"}),
        ({"outputs": {"Version": "0.0.1"}}, {"stack": "warning"}),
        ({"parameters": {}}, {"limits": "warning", "callback": "ok"}),
        ({"parameters": {"DailySpendLimitUsd": "0"}}, {"limits": "warning"}),
    ],
)
def test_what_is_only_unwise_is_a_warning(
    api: FakeApi, run: Run, change: dict[str, Any], state: dict[str, str]
) -> None:
    for name, value in change.items():
        setattr(api, name, getattr(api, name) | value if name == "outputs" else value)
    code, found = states(run)
    assert code == 0
    assert found | state == found


def test_a_missing_key_fails_and_says_how_to_put_it(api: FakeApi, run: Run) -> None:
    api.key_versions = {}
    result = run("doctor")
    assert result.code == 6
    assert "failed   key          No ModelGates key was put into the stack's secret." in result.out
    assert "aws secretsmanager put-secret-value --secret-id arn:secret" in result.out


def test_what_may_not_be_seen_is_unknown_and_no_failure(api: FakeApi, run: Run) -> None:
    del api.outputs["ApiKeySecretArn"]
    code, found = states(run)
    assert (code, found["key"]) == (0, "unknown")


@pytest.mark.slow
def test_an_api_that_refuses_or_fails_is_a_failure(api: FakeApi, run: Run) -> None:
    api.on("GET /v1/videos", Reply(403, {"message": "User is not authorized"}))
    code, found = states(run)
    assert (code, found["api"], found["models"]) == (6, "failed", "ok")
    api.on("GET /v1/models", problem(502, "ProviderUnauthorized", "The key is refused."), times=9)
    assert states(run)[1]["models"] == "failed"


def test_credentials_that_are_refused_end_the_checks(api: FakeApi, run: Run) -> None:
    api.on("POST /", Reply(403, DENIED))
    code, found = states(run)
    assert (code, found) == (6, {"credentials": "failed"})


def test_without_a_stack_the_finding_says_how_to_name_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLMOTION_STACK")
    result = run("doctor")
    assert result.code == 6
    assert result.out.startswith("failed   stack        No stack to talk to")
    assert "stillmotion use NAME" in result.out
