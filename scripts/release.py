"""Build a release under out/release/: what is needed to deploy the stack without building it, and to check it.

    python -m scripts.release          builds it
    python -m scripts.release --twice  builds it twice from scratch and fails unless every byte is the same

    stillmotion-<version>/
        template.yaml           names code and definitions by relative path: sam deploy --template-file template.yaml
        artifacts/*.zip         functions and layers, arm64
        workflows/*.asl.json    definitions
        nested/*.yaml           nested stacks: the dashboard
        *.whl                   the terminal command
        openapi.json events/    contracts
        sbom.cdx.json           CycloneDX: every package in the layers, with its licence
        LICENSE NOTICE CHANGELOG.md SHA256SUMS

A layer with packages that hold code under the GPL (see NOTICE) is not shipped: its sources are in the release, and
``sam build`` there builds that layer and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from scripts.generated import ROOT
from scripts.openapi_texts import version
from scripts.release_files import deterministic_zip, sbom

OUT = ROOT / "out" / "release"
NOT_SHIPPED = ("av",)
"""Packages whose wheels contain code under the GPL."""
EPOCH = "315532800"
"""1980-01-01, the oldest date that a ZIP file can hold."""
BESIDE = ("LICENSE", "NOTICE", "CHANGELOG.md")


def release(target: Path) -> None:
    """Build the release into a folder, which is made anew.

    Raises:
        subprocess.CalledProcessError: a build failed; its output was printed.
    """
    shutil.rmtree(target, ignore_errors=True)
    (target / "artifacts").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "build"
        _run("sam", "build", "--build-dir", str(built), "--cache-dir", str(Path(folder) / "cache"))
        text = (built / "template.yaml").read_text()
        (target / "template.yaml").write_text(_packed(text, built, target))
        shipped = [path for path in sorted(built.glob("*Layer")) if not _left_out(path.name)]
        components = sbom(version(), shipped)
        (target / "sbom.cdx.json").write_text(components)
    _wheel(target)
    for name in BESIDE:
        shutil.copyfile(ROOT / name, target / name)
    shutil.copyfile(ROOT / "functions" / "docs" / "openapi.json", target / "openapi.json")
    shutil.copytree(ROOT / "docs" / "events", target / "events")
    files = sorted(path for path in target.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(target).as_posix()}" for path in files]
    (target / "SHA256SUMS").write_text("\n".join(sums) + "\n")


def _packed(text: str, built: Path, target: Path) -> str:
    """The built template with each folder packed and named by its relative path."""
    for name, resource in yaml_parse(text)["Resources"].items():
        for place in ("CodeUri", "ContentUri", "DefinitionUri", "TemplateURL"):
            given = resource.get("Properties", {}).get(place)
            if isinstance(given, str):
                text = _replaced(text, name, place, given, _artifact(name, built / given, target))
    return text


def _artifact(name: str, path: Path, target: Path) -> str:
    """Put a resource's folder or definition into the release; its relative path there."""
    if path.name == "template.yaml":  # of a nested stack
        nested = f"nested/{name}.yaml"
        (target / "nested").mkdir(exist_ok=True)
        shutil.copyfile(path, target / nested)
        return nested
    if path.is_file():
        (target / "workflows").mkdir(exist_ok=True)
        shutil.copyfile(path, target / "workflows" / path.name)
        return f"workflows/{path.name}"
    if (source := _left_out(name)) is not None:
        shutil.copytree(source, target / "layers" / source.name)
        return f"layers/{source.name}"
    content = deterministic_zip(path)
    packed = f"artifacts/{hashlib.sha256(content).hexdigest()[:16]}.zip"
    (target / packed).write_bytes(content)
    return packed


def _left_out(name: str) -> Path | None:
    """Where the sources of a layer lie that may not be shipped built; ``None`` for everything else."""
    resource = yaml_parse((ROOT / "template.yaml").read_text())["Resources"].get(name, {})
    if resource.get("Type") != "AWS::Serverless::LayerVersion":
        return None
    source = ROOT / str(resource["Properties"]["ContentUri"])
    lines = (source / "requirements.txt").read_text().splitlines()
    return source if any(line.partition("==")[0].strip() in NOT_SHIPPED for line in lines) else None


def _replaced(text: str, name: str, place: str, given: str, path: str) -> str:
    """The template with one address of one resource changed, and nothing else of its text."""
    before, head, rest = text.partition(f"\n  {name}:\n")
    return before + head + rest.replace(f"{place}: {given}\n", f"{place}: {path}\n", 1)


def _wheel(target: Path) -> None:
    """The wheel of the terminal command, with dates of its own."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "cli"
        shutil.copytree(ROOT / "cli", copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
        command = (
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(target),
            ".",
        )
        _run(sys.executable, *command, cwd=copy)


def _run(*command: str, cwd: Path = ROOT) -> None:
    environment = os.environ | {"SOURCE_DATE_EPOCH": EPOCH, "PYTHONDONTWRITEBYTECODE": "1", "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        done.check_returncode()


def differences(first: Path, second: Path) -> list[str]:
    """The files whose bytes differ, or that only one of the folders has."""
    files = {path.relative_to(folder) for folder in (first, second) for path in folder.rglob("*") if path.is_file()}

    def content(path: Path) -> bytes | None:
        return path.read_bytes() if path.is_file() else None

    return sorted(str(name) for name in files if content(first / name) != content(second / name))


def main() -> int:
    """Build the release; 1 where two builds differ."""
    target = OUT / f"stillmotion-{version()}"
    release(target)
    print(f"{target.relative_to(ROOT)}: {sum(1 for path in target.rglob('*') if path.is_file())} files")
    if "--twice" not in sys.argv:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / target.name
        release(again)
        differ = differences(target, again)
    print("two builds differ in " + ", ".join(differ) if differ else "two builds gave the same bytes")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
