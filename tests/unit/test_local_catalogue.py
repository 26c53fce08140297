"""A model list for the simulator of `make run` and `make local` is checked before anything is started."""

import json
from pathlib import Path

import pytest

from local import run, serve
from local.catalogue import chosen_catalogue
from local.processes import LocalCloudError

GOOD = {"data": [{"id": "acme/dolly", "pricing_skus": {"duration_seconds": "0.1"}}]}


@pytest.fixture
def never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        raise AssertionError("the local cloud was started")

    monkeypatch.setattr(run, "LocalCloud", start)
    monkeypatch.setattr(serve.subprocess, "Popen", start)
    monkeypatch.delenv("MODELGATES_API_KEY", raising=False)


def test_without_a_choice_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOGUE", "")
    assert chosen_catalogue() is None


def test_a_good_file_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text(json.dumps(GOOD))
    monkeypatch.setenv("CATALOGUE", str(path))
    assert chosen_catalogue() == path


def test_a_bad_file_is_named_with_what_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text('{"data": [{"name": "no id"}]}')
    monkeypatch.setenv("CATALOGUE", str(path))
    with pytest.raises(LocalCloudError, match=r"^CATALOGUE=.*data\[0\]: 'id' must be a string"):
        chosen_catalogue()


@pytest.mark.usefixtures("never_started")
def test_make_run_and_make_local_stop_at_a_bad_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CATALOGUE", str(tmp_path / "none.json"))
    monkeypatch.setattr(serve, "HELD", tmp_path)
    monkeypatch.setattr(serve, "LOCK", tmp_path / "local.lock")
    assert (run.main(), serve.main(["start"])) == (1, 1)
    assert "No such file" in capsys.readouterr().err


@pytest.mark.usefixtures("never_started")
def test_a_list_for_the_simulator_and_the_real_service_exclude_each_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "models.json"
    path.write_text(json.dumps(GOOD))
    monkeypatch.setenv("CATALOGUE", str(path))
    monkeypatch.setenv("MODELGATES_API_KEY", "mg-real")
    assert run.main() == 2
    assert "Give one of them" in capsys.readouterr().err
