"""Which models the simulator offers: the recorded list, any other file, and made-up models only when asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.simulator import Simulator
from local.simulator.catalogue import RECORDED, CatalogueError, read_catalogue
from tests.unit.simulator.support import Client

ROOT = Path(__file__).parents[3]


def ids(sim: Simulator) -> list[str]:
    return [model["id"] for model in Client(sim).call("GET", "/api/v1/videos/models").json()["data"]]


def written(folder: Path, document: Any) -> Path:
    path = folder / "models.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_recorded_list_is_offered_and_nothing_made_up() -> None:
    recorded = json.loads(RECORDED.read_text())["data"]
    with Simulator() as sim:
        offered = Client(sim).call("GET", "/api/v1/videos/models").json()["data"]
    assert len(offered) == 30
    assert [{**shown, **entry} for shown, entry in zip(offered, recorded, strict=True)] == offered


def test_made_up_models_come_after_the_list_when_asked_for() -> None:
    with Simulator(test_models=True) as sim:
        offered = ids(sim)
    assert not any(name.startswith("simulator/") for name in offered[:30])
    assert offered[30:]
    assert all(name.startswith("simulator/") for name in offered[30:])


def test_any_other_list_can_be_offered(tmp_path: Path) -> None:
    entry = {"id": "acme/dolly", "pricing_skus": {"duration_seconds": 0.5}, "supported_durations": [3], "more": [1]}
    path = written(tmp_path, {"data": [entry]})
    with Simulator(catalogue=path, seconds_to_ready=0, clip="tiny") as sim:
        (shown,) = Client(sim).call("GET", "/api/v1/videos/models").json()["data"]
        assert Client(sim).completed(model="acme/dolly")["usage"]["cost"] == 1.5
        assert Client(sim).submit(model="google/veo-3.1-lite").status == 404
    assert {**shown, **entry} == shown
    assert (shown["generate_audio"], shown["allowed_passthrough_parameters"]) == (None, [])


def test_a_model_is_found_by_its_canonical_slug_too(tmp_path: Path) -> None:
    path = written(tmp_path, {"data": [{"id": "a/b", "canonical_slug": "a/b-1", "pricing_skus": {"per-video": "1"}}]})
    with Simulator(catalogue=path) as sim:
        Client(sim).accepted(model="a/b-1")
        assert sim.jobs()[0]["model"] == "a/b"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is no model list"),
        ({"data": []}, "is no model list"),
        ({"models": [{}]}, "is no model list"),
        ({"data": ["a/b"]}, r"data\[0\]: a model must be an object"),
        ({"data": [{"id": "a/b"}, {"name": "x"}]}, r"data\[1\]: 'id' must be a string"),
        ({"data": [{"id": "a/b"}, {"id": "a/b"}]}, "a/b is listed twice"),
        ({"data": [{"id": "a/b", "supported_durations": ["4"]}]}, "a/b: 'supported_durations' must be a list of whole"),
        ({"data": [{"id": "a/b", "supported_durations": [True]}]}, "'supported_durations' must be a list of whole"),
        ({"data": [{"id": "a/b", "supported_sizes": "1280x720"}]}, "'supported_sizes' must be a list of strings"),
        ({"data": [{"id": "a/b", "generate_audio": "yes"}]}, "'generate_audio' must be true, false or null"),
        ({"data": [{"id": "a/b", "pricing_skus": ["x"]}]}, "'pricing_skus' must be an object"),
        ({"data": [{"id": "a/b", "upscale_factor": {"min": 1}}]}, "'upscale_factor' must be an object"),
    ],
)
def test_a_list_that_cannot_be_offered_is_explained(tmp_path: Path, document: Any, said: str) -> None:
    path = written(tmp_path, document)
    with pytest.raises(CatalogueError, match=said) as refusal:
        read_catalogue(path)
    assert str(path) in str(refusal.value)


def test_a_list_that_is_not_there_is_explained_on_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.simulator", "--port", "0", "--catalogue", str(tmp_path / "none.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"simulator: {tmp_path / 'none.json'} cannot be read: No such file or directory.\n"
