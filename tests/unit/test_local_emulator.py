"""What the local cloud changes about MiniStack: all processes of functions read the same unpacked layers."""

from __future__ import annotations

import importlib
import io
import logging
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

CONTENTS: dict[str, bytes | None] = {}


def layer(name: str, text: str) -> str:
    """The ARN of a layer with one module of this name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"python/{name}.py", text)
    arn = f"arn:aws:lambda:us-east-1:000000000000:layer:{name}:1"
    CONTENTS[arn] = file.getvalue()
    return arn


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """MiniStack with our changes. It sets up logging for the whole process, which is put back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    imported = importlib.import_module("local.emulator")
    root.handlers[:] = handlers
    root.setLevel(level)
    return imported


@pytest.fixture
def emulator(module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """With the layers that a test makes, which are unpacked into its folder."""
    CONTENTS.clear()
    monkeypatch.setattr(module.lambda_svc, "_resolve_layer_zip", CONTENTS.get)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return module


def started(emulator: ModuleType, layers: Any, config: dict[str, Any]) -> dict[str, Any]:
    """What MiniStack is given to start a process from; the function's own configuration must come back unchanged."""
    given: list[dict[str, Any]] = []
    worker = SimpleNamespace(config=config)
    before = repr(config)
    emulator.with_shared_layers(lambda one: given.append(one.config), layers)(worker)
    assert worker.config is config
    assert repr(config) == before
    return given[0]


def modules(config: dict[str, Any]) -> Sequence[str]:
    folders = config["Environment"]["Variables"]["_LAMBDA_LAYERS_DIRS"].split(":")
    return [path.read_text() for folder in folders for path in Path(folder).glob("python/*.py")]


def test_processes_share_the_folders_of_their_layers(emulator: ModuleType, tmp_path: Path) -> None:
    layers, both = emulator.Layers(), [layer("one", "1"), layer("two", "2")]
    first = started(emulator, layers, {"Layers": both, "Environment": {"Variables": {"A": "a"}}})
    second = started(emulator, layers, {"Layers": both[1:]})
    assert first["Layers"] == second["Layers"] == []
    assert first["Environment"]["Variables"]["A"] == "a"
    assert modules(first) == ["1", "2"]
    assert modules(second) == ["2"]
    assert len(list(tmp_path.iterdir())) == 2


def test_another_content_under_the_same_name_is_unpacked_anew(emulator: ModuleType) -> None:
    layers = emulator.Layers()
    assert modules(started(emulator, layers, {"Layers": [layer("one", "old")]})) == ["old"]
    assert modules(started(emulator, layers, {"Layers": [layer("one", "new")]})) == ["new"]


def test_a_function_without_layers_starts_too(emulator: ModuleType) -> None:
    config = started(emulator, emulator.Layers(), {"Environment": None})
    assert config["Environment"]["Variables"] == {"_LAMBDA_LAYERS_DIRS": ""}


def test_a_process_that_does_not_start_keeps_its_configuration(emulator: ModuleType) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("no such runtime")

    config = {"Layers": [layer("one", "1")]}
    worker = SimpleNamespace(config=config)
    with pytest.raises(RuntimeError, match="no such runtime"):
        emulator.with_shared_layers(fail, emulator.Layers())(worker)
    assert worker.config is config
