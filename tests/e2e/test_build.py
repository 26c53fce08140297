"""What `sam build` made, looked at the way Lambda will."""

import subprocess
import sys
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from local.build import architecture, build

# What the Python runtime of Lambda brings along.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


ELF_X86_64, ELF_ARM64 = 62, 183
"""`e_machine` of the System V ABI."""


def _elf_machine(path: Path) -> int | None:
    """The processor that a native file is for; `None` where it is no ELF file."""
    with path.open("rb") as file:
        head = file.read(20)
    return int.from_bytes(head[18:20], "little") if head.startswith(b"\x7fELF") else None


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder of the built template."""
    return build().parent


def _functions(built: Path) -> list[str]:
    return sorted(path.parent.name for path in built.glob("*/app.py"))


def test_every_function_imports_with_nothing_but_its_layer_and_the_runtime(built: Path, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    installed = Path(pytest.__file__).parent.parent
    for name in RUNTIME:
        (runtime / name).symlink_to(installed / name)
    layers = [str(path) for path in built.glob("*/python")]
    functions = _functions(built)
    base_python = str(Path(sys.base_prefix) / "bin" / "python3.13")
    assert layers
    assert functions
    for name in functions:
        # -I and the base interpreter: nothing of the development environment is importable.
        code = f"import sys; sys.path += {[str(built / name), *layers, str(runtime)]!r}; import importlib.util as u; "
        code += "print(u.find_spec('app').origin, u.find_spec('stillmotion').origin, u.find_spec('pydantic').origin)"
        command = [base_python, "-I", "-S", "-c", code]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, f"{name}: {result.stderr}"


def test_native_code_is_built_for_this_machine(built: Path) -> None:
    machine = ELF_ARM64 if architecture() == "arm64" else ELF_X86_64
    found = {path.name: _elf_machine(path) for path in built.rglob("*.so*") if path.is_file()}
    assert {"_imaging.cpython-313-x86_64-linux-gnu.so", "_imaging.cpython-313-aarch64-linux-gnu.so"} & found.keys()
    assert [name for name, number in found.items() if number not in (machine, None)] == []


def test_the_built_template_waits_thirty_seconds_sixty_times(built: Path) -> None:
    parameters = yaml_parse((built / "template.yaml").read_text())["Parameters"]
    assert parameters["PollIntervalSeconds"]["Default"] == 30
    assert parameters["MaxPollAttempts"]["Default"] == 60
