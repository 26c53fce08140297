"""Files of a release are the same however often they are made, and say what is in them."""

from __future__ import annotations

import io
import json
import os
import py_compile
import zipfile
from pathlib import Path

import pytest

from scripts import audit, release
from scripts.release_files import deterministic_zip, sbom

METADATA = "Metadata-Version: 2.4\nName: Some_Thing\nVersion: 1.2.3\n"


def folder(path: Path, files: dict[str, bytes], age: int = 0) -> Path:
    """A folder with these files, written in this order, as old as is said in seconds."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
        os.utime(path / name, (1_700_000_000 - age,) * 2)
    return path


FILES = {"app.py": b"print(1)", "lib/a.txt": b"a", "lib/b.txt": b"b"}


def test_a_zip_depends_on_names_and_bytes_alone(tmp_path: Path) -> None:
    first = folder(tmp_path / "1", FILES)
    second = folder(tmp_path / "2", dict(reversed(FILES.items())) | {"__pycache__/app.pyc": b"\x00"}, age=99)
    assert deterministic_zip(first) == deterministic_zip(second)
    (second / "lib" / "b.txt").write_bytes(b"c")
    assert deterministic_zip(first) != deterministic_zip(second)


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode))
def test_a_zip_holds_bytecode_only_where_it_does_not_depend_on_dates(
    tmp_path: Path, mode: py_compile.PycInvalidationMode
) -> None:
    made = folder(tmp_path, FILES)
    py_compile.compile(str(made / "app.py"), invalidation_mode=mode)
    with zipfile.ZipFile(io.BytesIO(deterministic_zip(made))) as archive:
        bytecode = [name for name in archive.namelist() if name.endswith(".pyc")]
    assert len(bytecode) == (mode is py_compile.PycInvalidationMode.UNCHECKED_HASH)


def test_a_zip_holds_every_file_with_its_executable_bit(tmp_path: Path) -> None:
    made = folder(tmp_path, FILES)
    (made / "app.py").chmod(0o755)
    with zipfile.ZipFile(io.BytesIO(deterministic_zip(made))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        assert modes == {"app.py": 0o100755, "lib/a.txt": 0o100644, "lib/b.txt": 0o100644}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("stated", "licence"),
    [
        ("License-Expression: MIT\n", {"expression": "MIT"}),
        ("Classifier: License :: OSI Approved :: BSD License\n", {"license": {"name": "BSD License"}}),
        ("License: Apache 2\n", {"license": {"name": "Apache 2"}}),
        ("", {"license": {"name": "not stated"}}),
    ],
)
def test_the_bill_of_materials_names_packages_versions_and_licences(
    tmp_path: Path, stated: str, licence: dict[str, object]
) -> None:
    layer = folder(tmp_path, {"python/some_thing-1.2.3.dist-info/METADATA": (METADATA + stated).encode()})
    document = json.loads(sbom("0.2.0", [layer]))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    [component] = document["components"]
    assert component["purl"] == "pkg:pypi/some-thing@1.2.3"
    assert component["licenses"] == [licence]
    assert document["dependencies"] == [{"ref": "stillmotion", "dependsOn": [component["bom-ref"]]}]


def test_two_releases_are_compared_byte_by_byte(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "1", FILES), folder(tmp_path / "2", FILES | {"new.txt": b""})
    (second / "app.py").write_bytes(b"print(2)")
    assert release.differences(first, second) == ["app.py", "new.txt"]
    assert release.differences(first, first) == []


@pytest.mark.slow
def test_a_layer_with_code_under_the_gpl_is_shipped_as_sources(tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    assert release._artifact("InspectionLayer", tmp_path / "built", tmp_path) == "layers/inspection"
    assert (tmp_path / "layers" / "inspection" / "Makefile").is_file()
    assert release._left_out("DomainLayer") is None
    assert release._left_out("PollFunction") is None


def test_a_nested_template_is_in_the_release_and_named_by_its_place(tmp_path: Path) -> None:
    built = folder(tmp_path / "built", {"Observability/template.yaml": b"Resources: {}"})
    text = "Resources:\n  Observability:\n    Properties:\n      TemplateURL: Observability/template.yaml\n"
    packed = release._packed(text, built, tmp_path)
    assert packed == text.replace("Observability/template.yaml", "nested/Observability.yaml")
    assert (tmp_path / "nested" / "Observability.yaml").read_bytes() == b"Resources: {}"


def reporter(path: Path, text: str, code: int = 0) -> str:
    """A command that prints a report."""
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\necho 'ConnectionError: no route' >&2\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_an_audit_names_what_is_known_and_where_it_is_fixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vulnerability = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
    report = {
        "dependencies": [{"name": "a", "version": "1.0", "vulns": [vulnerability]}, {"name": "b", "version": "1"}]
    }
    assert audit.main([reporter(tmp_path / "audit", json.dumps(report), 1)]) == 1
    assert "  a 1.0: PYSEC-1, fixed in 2.0" in capsys.readouterr().out


def test_an_audit_of_sound_packages_ends_with_zero(tmp_path: Path) -> None:
    report = {"dependencies": [{"name": "a", "version": "1.0", "vulns": []}]}
    assert audit.main([reporter(tmp_path / "audit", json.dumps(report))]) == 0


def test_an_audit_without_advisories_says_so_and_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main([reporter(tmp_path / "audit", "", 1)]) == 2
    said = capsys.readouterr().err
    assert "cannot be reached" in said
    assert "ConnectionError: no route" in said
    assert audit.main([str(tmp_path / "missing")]) == 2


def test_the_release_has_every_file_it_is_checked_by() -> None:
    assert [name for name in release.BESIDE if not (release.ROOT / name).is_file()] == []
    assert all((audit.ROOT / name).is_file() for name in audit.LOCKS)
