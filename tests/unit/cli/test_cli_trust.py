"""What others can write is not believed: the stack's file, addresses, and names that become files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stillmotion_cli import downloads, trust
from stillmotion_cli.client import ApiClient
from stillmotion_cli.errors import CommandError, NoCredentials, NoStack
from stillmotion_cli.stack import Stack
from stillmotion_cli.trust import Unfit
from tests.unit.cli.fake_api import CLIP, JOB_ID, FakeApi, Reply, job
from tests.unit.cli.support import Run, local_stack

FILE = Path(".local") / "stack.json"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's real credentials, with a session token."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "SESSION-TOKEN")


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("api_url", "http://192.0.2.7/v1"),
        ("api_url", "https://attacker.example/v1"),
        ("api_url", "http://127.0.0.1.attacker.example/v1"),
        ("api_url", "http://127.0.0.1@attacker.example/v1"),
        ("api_url", "file:///etc/passwd"),
        ("api_url", "http://[::1/v1"),
        ("endpoint_url", "http://attacker.example"),
        ("endpoint_url", ""),
        ("simulator_url", "http://attacker.example"),
    ],
)
def test_a_local_stack_elsewhere_is_not_believed(api: FakeApi, run: Run, folder: Path, name: str, address: str) -> None:
    (folder / FILE).write_text(json.dumps(json.loads((folder / FILE).read_text()) | {name: address}))
    result = run("list")
    assert result.code == 6
    assert "is not trusted: a local stack is on this machine" in result.err
    assert "--stack-name NAME" in result.err
    assert api.seen == []


@pytest.mark.usefixtures("credentials")
def test_a_local_stack_never_gets_real_credentials(api: FakeApi, run: Run) -> None:
    assert run("list").code == 0
    [sent] = api.calls("GET /v1/videos")
    assert "Credential=test/" in sent.headers["Authorization"]
    assert "X-Amz-Security-Token" not in sent.headers


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o606])
def test_a_file_that_others_may_write_is_not_believed(api: FakeApi, run: Run, folder: Path, mode: int) -> None:
    (folder / FILE).chmod(mode)
    result = run("list")
    assert result.code == 6
    assert f"may be changed by others (mode {mode:04o})" in result.err
    assert f"chmod go-w {folder / FILE}" in result.err
    assert api.seen == []


def test_nor_one_in_a_folder_that_others_may_write(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / ".local").chmod(0o777)
    assert "may be changed by others (mode 0777)" in run("list").err
    assert api.seen == []


@pytest.mark.parametrize("what", ["file", "link", "folder"])
def test_nor_one_of_another_user(
    api: FakeApi, run: Run, folder: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at an owner counts: of the open file, of its name, which may be a link, and of the folder."""
    looked = {"file": 0, "link": 1, "folder": 2}[what]
    seen: list[os.stat_result] = []
    real = trust._check_owner

    def of_another(path: Path, found: os.stat_result) -> None:
        seen.append(found)
        fields = list(found)
        fields[4] = found.st_uid + (1 if len(seen) == looked + 1 else 0)
        real(path, os.stat_result(fields))

    monkeypatch.setattr(trust, "_check_owner", of_another)
    assert "belongs to another user" in run("list").err
    assert api.seen == []


def test_a_group_of_the_user_alone_may_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shared(gid: int, uid: int, mine: int) -> int:
        monkeypatch.setattr(os, "getegid", lambda: mine)
        return trust._shared_bits(os.stat_result((0o664, 0, 0, 0, uid, gid, 0, 0, 0, 0)))

    assert shared(gid=1000, uid=1000, mine=1000) == 0o002
    assert shared(gid=20, uid=501, mine=20) == 0o022
    assert shared(gid=1001, uid=1000, mine=1000) == 0o022


def test_the_search_ends_at_the_projects_root(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = folder / "checkout" / "deep"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert run("show", JOB_ID).code == 0
    (folder / "checkout" / ".git").write_text("gitdir: elsewhere")
    assert "No stack to talk to" in run("show", JOB_ID).err


def test_the_search_ends_at_the_home_folder(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pictures").mkdir()
    monkeypatch.chdir(folder / "pictures")
    monkeypatch.setenv("HOME", str(folder))
    assert "No stack to talk to" in run("show", JOB_ID).err


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    "address",
    [
        "http://abc.execute-api.eu-west-1.amazonaws.com/v1",
        "http://192.0.2.7/v1",
        "https://user:pw@attacker.example/v1",
        "https:///v1",
    ],
)
def test_real_credentials_go_over_https_only(api: FakeApi, address: str) -> None:
    stack = local_stack(api, api_url=address, endpoint_url=None, region="eu-west-1")
    with pytest.raises(NoCredentials, match="no call is signed for it with your credentials"):
        ApiClient(stack).jobs()


def test_https_and_a_cloud_that_the_user_named_here_may_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trust.may_carry_credentials("https://abc.execute-api.eu-west-1.amazonaws.com/v1")
    assert not trust.may_carry_credentials("http://127.0.0.1:4566/v1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert trust.may_carry_credentials("http://127.0.0.1:4566/v1")
    assert not trust.may_carry_credentials("http://192.0.2.7/v1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", "https://cloudformation.eu-west-1.amazonaws.com")
    assert not trust.may_carry_credentials("http://127.0.0.1:4566/v1")


IDS: list[Any] = [
    *("../../../escaped", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "-rf", ".hidden", "a\x00b", "a\nb", "a..b"),
    *("con", "NUL.txt", "lpt1", "x" * 129, "\u202egp.exe", "a b", 7, None, ["x"]),
]


@pytest.mark.parametrize("name", IDS, ids=repr)
def test_no_file_is_called_by_a_name_that_is_none(
    api: FakeApi, run: Run, folder: Path, tmp_path: Path, name: Any
) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "cache" not in path.parts)
    api.on(f"GET /v1/videos/{JOB_ID}", Reply(200, job("completed", id=name)))
    result = run("download", JOB_ID)
    assert result.code == 6
    assert sorted(path for path in tmp_path.rglob("*") if "cache" not in path.parts) == before
    with pytest.raises(Unfit):
        downloads.default_target(name)
    answered = job("completed", id=name, video=[api.video()])
    with pytest.raises(Unfit):
        downloads.store(ApiClient(local_stack(api)), answered, folder, False, lambda _done, _total: None)


@pytest.mark.parametrize("name", [JOB_ID, "bat_1", "order-7_b", "a.b", "concert", "x" * 128])
def test_ordinary_ids_are_names(name: str) -> None:
    assert trust.file_name(name) == name


@pytest.mark.parametrize(
    "link",
    [
        *("http://attacker.example/clip", "file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:alert(1)"),
        *("--help", "https://", "http://[::1/x", 7, {"a": 1}),
    ],
    ids=repr,
)
def test_only_https_links_and_those_of_the_own_machine_are_followed(link: Any) -> None:
    with pytest.raises(Unfit, match="no https address"):
        trust.require_link(link, "http://127.0.0.1:4566/v1")
    assert (
        trust.require_link("https://b.s3.amazonaws.com/clip?x", "https://a/v1") == "https://b.s3.amazonaws.com/clip?x"
    )


def test_a_stack_on_aws_cannot_lead_to_this_machine() -> None:
    assert trust.require_link("http://127.0.0.1:1/x", "http://localhost:4566/v1") == "http://127.0.0.1:1/x"
    with pytest.raises(Unfit):
        trust.require_link("http://127.0.0.1:1/x", "https://abc.execute-api.eu-west-1.amazonaws.com/v1")


def test_a_foreign_link_is_neither_fetched_nor_opened(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda link: opened.append(link) or True)
    for arguments in (["download", JOB_ID], ["show", JOB_ID, "--open"]):
        api.on(
            f"GET /v1/videos/{JOB_ID}",
            Reply(200, job("completed", video=[api.video(url="http://attacker.example/clip")])),
        )
        result = run(*arguments)
        assert result.code == 6
        assert "is not followed" in result.err
    assert opened == []


def test_the_clip_of_a_good_record_is_still_stored(run: Run, folder: Path) -> None:
    assert run("download", JOB_ID).code == 0
    assert (folder / "out" / f"{JOB_ID}.mp4").read_bytes() == CLIP


def test_what_make_local_writes_is_for_its_user_alone(tmp_path: Path, api: FakeApi) -> None:
    path = tmp_path / "stack.json"
    path.touch(mode=0o600)
    path.write_text(local_stack(api).to_json())
    assert Stack.from_file(path) == local_stack(api)
    assert issubclass(NoStack, CommandError)
