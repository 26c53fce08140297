"""`stillmotion use`: the saved stack, and what comes before it."""

from pathlib import Path

import pytest

from stillmotion_cli import saved
from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply
from tests.unit.cli.support import Run

NO_SUCH_STACK = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
    b"<Message>Stack with id nope does not exist</Message></Error></ErrorResponse>"
)


@pytest.fixture(autouse=True)
def aws(api: FakeApi, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """An account without a local stack; configuration below this folder."""
    (folder / ".local" / "stack.json").rename(folder / "local-stack.json")
    for name, value in (("ACCESS_KEY_ID", "AKIDEXAMPLE"), ("SECRET_ACCESS_KEY", "secret"), ("REGION", "eu-west-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", api.url)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    return folder / "config" / "stillmotion" / "config.toml"


def stacks_asked_for(api: FakeApi) -> list[str]:
    return [seen.body.decode().partition("StackName=")[2].split("&")[0] for seen in api.calls("POST /")]


def test_a_saved_stack_is_used_where_none_is_named(api: FakeApi, run: Run, aws: Path) -> None:
    result = run("use", "clips", "--region", "eu-central-1")
    assert result.code == 0, result.err
    assert result.out == f"clips (region eu-central-1), saved in {aws}\n"
    assert run("show", JOB_ID).code == 0
    assert stacks_asked_for(api) == ["clips", "clips"]
    assert "/eu-central-1/" in api.calls("GET /v1/videos")[0].headers["Authorization"]


def test_an_option_the_environment_and_a_local_stack_come_first(
    api: FakeApi, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("use", "clips").code == 0
    assert run("show", JOB_ID, "--stack-name", "other").code == 0
    monkeypatch.setenv("STILLMOTION_STACK", "third")
    assert run("show", JOB_ID).code == 0
    monkeypatch.delenv("STILLMOTION_STACK")
    (folder / "local-stack.json").rename(folder / ".local" / "stack.json")
    assert run("show", JOB_ID).code == 0
    assert stacks_asked_for(api) == ["clips", "other", "third"]


def test_another_region_than_the_saved_one_can_be_named(api: FakeApi, run: Run) -> None:
    assert run("use", "clips", "--region", "eu-central-1").code == 0
    assert run("show", JOB_ID, "--region", "us-west-2").code == 0
    assert "/us-west-2/" in api.calls("GET /v1/videos")[0].headers["Authorization"]


def test_a_stack_that_is_not_there_is_not_saved(api: FakeApi, run: Run, aws: Path) -> None:
    api.on("POST /", Reply(400, NO_SUCH_STACK))
    result = run("use", "nope")
    assert result.code == 6
    assert "There is no stack nope in eu-west-1" in result.err
    assert not aws.exists()


def test_what_is_saved_is_shown_and_forgotten(run: Run, aws: Path) -> None:
    assert "No stack is saved" in run("use").err
    assert run("use", "clips").code == 0
    assert run("use", "--json").json == {"stack": "clips", "profile": None, "region": None, "file": str(aws)}
    assert run("use", "clips", "--none").code == 2
    assert run("use", "--none").err == "Forgotten.\n"
    assert run("use", "--none").err == "No stack was saved.\n"
    assert run("list").code == 6


def test_any_name_is_read_as_it_was_written() -> None:
    kept = saved.SavedStack('clips "a" \\ ü', "pro=file # no", None)
    saved.write(kept)
    assert saved.read() == kept


@pytest.mark.parametrize("text", ["stack = ", "stack = 7", 'stack = ""', "stack = ['a']", "\x00"])
def test_a_file_that_says_something_else_is_named(run: Run, aws: Path, text: str) -> None:
    aws.parent.mkdir(parents=True)
    aws.write_text(text)
    result = run("list")
    assert result.code == 2
    assert f"{aws} cannot be read" in result.err
    assert "stillmotion use --none" in result.err


def test_a_file_about_something_else_saves_no_stack(run: Run, aws: Path) -> None:
    aws.parent.mkdir(parents=True)
    aws.write_text('colour = "green"\n')
    assert run("list").code == 6


def test_a_folder_that_cannot_be_written_to_is_named(run: Run, folder: Path) -> None:
    (folder / "config").write_text("a file where the folder should be")
    result = run("use", "clips")
    assert result.code == 2
    assert "cannot be written" in result.err
