"""Which stack a command talks to, and whose credentials it uses."""

from pathlib import Path

import pytest

from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply
from tests.unit.cli.support import Run

NO_SUCH_STACK = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
    b"<Message>Stack with id nope does not exist</Message></Error></ErrorResponse>"
)
DENIED = NO_SUCH_STACK.replace(b"ValidationError", b"AccessDenied").replace(b"Stack with id nope does not exist", b"No")
EXPIRED = DENIED.replace(b"AccessDenied", b"ExpiredToken")


@pytest.fixture
def aws(api: FakeApi, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """An account with credentials, a region and the stand-in as CloudFormation; no local stack."""
    (folder / ".local" / "stack.json").unlink()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", api.url)


def test_the_local_stack_is_searched_in_parent_folders(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(folder / "deep" / "down")
    assert run("show", JOB_ID).code == 0


def test_without_any_stack_both_ways_are_named(run: Run, folder: Path) -> None:
    (folder / ".local" / "stack.json").unlink()
    result = run("list", "--json")
    assert result.code == 6
    assert "--stack-name NAME, or set STILLMOTION_STACK" in result.err
    assert "make local" in result.err
    assert result.json["error"]["code"] == "NoStack"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"api_url": "http://127.0.0.1"}'])
def test_a_broken_stack_description_is_reported(run: Run, folder: Path, content: str) -> None:
    (folder / ".local" / "stack.json").write_text(content)
    result = run("list")
    assert result.code == 6
    assert "is not a description of a stack" in result.err


def test_an_older_description_of_a_stack_is_read(run: Run, folder: Path) -> None:
    path = folder / ".local" / "stack.json"
    path.write_text(path.read_text().replace('"event_log_group": null', '"something_new": 1'))
    assert run("list").code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
def test_a_stack_on_aws_is_found_by_its_outputs(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("show", JOB_ID, "--stack-name", "clips").code == 0
    assert b"StackName=clips" in api.calls("POST /")[0].body
    [sent] = api.calls("GET")
    assert "Credential=AKIDEXAMPLE/" in sent.headers["Authorization"]
    assert "/eu-west-1/execute-api/aws4_request" in sent.headers["Authorization"]
    monkeypatch.setenv("STILLMOTION_STACK", "others")
    assert run("show", JOB_ID, "--region", "us-west-2").code == 0
    assert b"StackName=others" in api.calls("POST /")[1].body
    assert "/us-west-2/execute-api/" in api.calls("GET")[1].headers["Authorization"]


@pytest.mark.usefixtures("aws")
def test_a_profile_brings_its_credentials_and_region(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    keys = "aws_access_key_id = AKIDOTHER\naws_secret_access_key = x\naws_session_token = token\n"
    (tmp_path / "aws-config").write_text(f"[profile other]\nregion = ap-south-1\n{keys}")
    assert run("show", JOB_ID, "--stack-name", "clips", "--profile", "other").code == 0
    [sent] = api.calls("GET")
    assert "Credential=AKIDOTHER/" in sent.headers["Authorization"]
    assert "/ap-south-1/" in sent.headers["Authorization"]
    assert sent.headers["X-Amz-Security-Token"] == "token"
    unknown = run("list", "--stack-name", "clips", "--profile", "nobody")
    assert unknown.code == 6
    assert "nobody" in unknown.err
    assert "aws configure list-profiles" in unknown.err


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Reply(400, NO_SUCH_STACK), "There is no stack nope in eu-west-1 with these credentials."),
        (Reply(403, DENIED), "They need cloudformation:DescribeStacks"),
        (Reply(403, EXPIRED), "The AWS credentials cannot be used"),
    ],
)
def test_a_stack_that_cannot_be_described_is_reported(api: FakeApi, run: Run, answer: Reply, told: str) -> None:
    api.on("POST /", answer)
    result = run("list", "--stack-name", "nope")
    assert result.code == 6
    assert told in result.err


@pytest.mark.usefixtures("aws")
def test_a_stack_of_another_kind_is_reported(api: FakeApi, run: Run) -> None:
    api.outputs = {"BucketName": "b"}
    result = run("list", "--stack-name", "other")
    assert result.code == 6
    assert "The stack other has no output ApiUrl (its outputs: BucketName)" in result.err


@pytest.mark.usefixtures("aws")
def test_without_a_region_or_credentials_it_says_what_to_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    result = run("list", "--stack-name", "clips")
    assert result.code == 2
    assert "Give --region, set AWS_REGION" in result.err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = run("list", "--stack-name", "clips", "--region", "eu-west-1")
    assert result.code == 6
    assert "Unable to locate credentials" in result.err


@pytest.mark.usefixtures("aws")
def test_the_outputs_of_the_stack_name_its_event_log(api: FakeApi, run: Run) -> None:
    api.outputs["EventLogGroupName"] = "/aws/events/clips"
    assert run("events", "--no-follow", "--stack-name", "clips").code == 0
    assert api.calls("POST /")[-1].body["logGroupName"] == "/aws/events/clips"


def test_a_forbidden_call_hints_at_the_credentials(api: FakeApi, run: Run) -> None:
    api.on(f"GET /v1/videos/{JOB_ID}", Reply(403, {"message": "The security token is expired"}))
    result = run("show", JOB_ID)
    assert result.code == 6
    assert "The security token is expired" in result.err
    assert "execute-api:Invoke" in result.err


@pytest.mark.parametrize("option", ["--profile", "--region"])
def test_an_option_of_aws_is_not_ignored_by_a_local_stack(run: Run, option: str) -> None:
    result = run("list", option, "x")
    assert result.code == 2
    assert f"{option} x belongs to a stack on AWS" in result.err
