"""What `sam build` made, looked at the way Lambda will."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from local import environment
from local.build import architecture, build
from local.paths import ROOT
from tests.support.template import deployed_environment

# What the Python runtime of Lambda brings along.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


ELF_X86_64, ELF_ARM64 = 62, 183
"""`e_machine` of the System V ABI."""
THIS_MACHINE = ELF_ARM64 if architecture() == "arm64" else ELF_X86_64


def _elf_machine(path: Path) -> int | None:
    """The processor that a native file is for; `None` where it is no ELF file."""
    with path.open("rb") as file:
        head = file.read(20)
    return int.from_bytes(head[18:20], "little") if head.startswith(b"\x7fELF") else None


START = """
import importlib.machinery as machinery, json, sys
compiled, original = [], machinery.SourceFileLoader.source_to_code

def source_to_code(self, data, path, **options):
    compiled.append(path)
    return original(self, data, path, **options)

machinery.SourceFileLoader.source_to_code = source_to_code
sys.path += PATHS
import app
files = [str(getattr(one, "__file__", None)) for one in list(sys.modules.values())]
from stillmotion.aws import clients
models = clients.new_session().get_component("data_loader").search_paths[0]
print(json.dumps({"compiled": compiled, "files": files, "models": models}))
"""


@dataclass(frozen=True)
class Packed:
    """The built folders as they lie in Lambda: packed with the oldest date of a ZIP file, unpacked, read-only."""

    folder: Path
    runtime: Path

    def layers(self, function: str) -> list[str]:
        names = ["DomainLayer", "TracingLayer", *(["InspectionLayer"] if function == "InspectFunction" else [])]
        return [str(self.folder / name / "python") for name in names]


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder of the built template."""
    return build().parent


@pytest.fixture(scope="module")
def packed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    place = tmp_path_factory.mktemp("packed")
    runtime = tmp_path_factory.mktemp("runtime")
    installed = Path(pytest.__file__).parent.parent
    for name in RUNTIME:
        (runtime / name).symlink_to(installed / name)
    for path in built.iterdir():
        if path.is_dir():
            shutil.copytree(path, place / path.name)
    everything = [place, *place.rglob("*")]
    for path in everything:
        os.utime(path, (315_532_800, 315_532_800))
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield Packed(place, runtime)
    for path in everything:
        if path.is_dir():
            path.chmod(0o755)


def _functions(built: Path) -> list[str]:
    return sorted(path.parent.name for path in built.glob("*/app.py"))


def _started(packed: Packed, function: str, *, traced: bool) -> dict[str, Any]:
    """What a function loaded to start, in the base interpreter: nothing of the development environment is there."""
    paths = [str(packed.folder / function), *packed.layers(function), str(packed.runtime)]
    environment = deployed_environment(function) | {"POWERTOOLS_TRACE_DISABLED": str(not traced).lower()}
    if traced:
        environment["LAMBDA_TASK_ROOT"] = "/var/task"
    base_python = str(Path(sys.base_prefix) / "bin" / "python3.13")
    command = [base_python, "-I", "-S", "-B", "-c", f"PATHS = {paths!r}\n{START}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{function}: {done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_function_starts_from_its_layers_without_compiling_them(built: Path, packed: Packed) -> None:
    functions = _functions(built)
    assert len(functions) > 10
    for function in functions:
        found = _started(packed, function, traced=True)
        layers = packed.layers(function)
        assert [path for path in found["compiled"] if path.startswith(tuple(layers))] == [], function
        assert found["models"] == f"{layers[0]}/aws_models"
        files = [path for path in found["files"] if path.startswith(tuple(layers))]
        assert any("/stillmotion/" in path for path in files)
        assert any("/aws_xray_sdk/" in path for path in files)
        machines = {_elf_machine(Path(path)) for path in files if path.endswith(".so")}
        assert machines <= {THIS_MACHINE}, function
        assert machines or "/pydantic/main.py" not in "".join(files)


def test_the_domain_holds_the_native_code_of_both_processors(built: Path) -> None:
    domain = {path.name: _elf_machine(path) for path in (built / "DomainLayer").rglob("*.so*")}
    assert sorted(filter(None, domain.values())) == [ELF_X86_64, ELF_ARM64]
    assert {name.split(".")[0] for name in domain} == {"_pydantic_core"}
    others = [path for path in built.rglob("*.so*") if path.is_file() and built / "DomainLayer" not in path.parents]
    assert any(path.name.startswith("_imaging.") for path in others)
    assert [path for path in others if _elf_machine(path) not in (THIS_MACHINE, None)] == []


def test_bytecode_in_the_layers_is_whole_and_never_stale(built: Path) -> None:
    for layer in built.glob("*Layer"):
        sources = [path for path in layer.rglob("*.py") if "aws_models" not in path.parts]
        assert sources
        for source in sources:
            bytecode = Path(cache_from_source(str(source)))
            assert bytecode.is_file(), source
            head = bytecode.read_bytes()[:16]
            assert head == MAGIC_NUMBER + (1).to_bytes(4, "little") + source_hash(source.read_bytes()), source
        assert len(list(layer.rglob("*.pyc"))) == len(sources)


def test_two_builds_of_the_domain_have_the_same_bytes(built: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(ROOT / "shared", source)
    target.mkdir()
    variables = environment.sam_build() | {"ARTIFACTS_DIR": str(target), "PYTHONHASHSEED": "7"}
    subprocess.run(["make", "--silent", "build-DomainLayer"], cwd=source, env=variables, check=True, timeout=200)

    def content(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first, second = content(built / "DomainLayer"), content(target)
    assert [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)] == []


def test_the_built_template_waits_thirty_seconds_sixty_times(built: Path) -> None:
    parameters = yaml_parse((built / "template.yaml").read_text())["Parameters"]
    assert parameters["PollIntervalSeconds"]["Default"] == 30
    assert parameters["MaxPollAttempts"]["Default"] == 60
