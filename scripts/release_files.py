"""Files of a release that must come out the same however often they are made."""

from __future__ import annotations

import email
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

OLDEST = (1980, 1, 1, 0, 0, 0)
UNCHECKED_HASH = (1).to_bytes(4, "little")
"""The flags of bytecode that never looks at its source (PEP 552); any other holds the date of a file."""


def deterministic_zip(folder: Path) -> bytes:
    """The folder as a ZIP file that depends on names, bytes and the executable bit only.

    Bytecode that holds dates is left out.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            name = path.relative_to(folder).as_posix()
            if not path.is_file() or _dated(path):
                continue
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.create_system = 3
            entry.external_attr = (0o100755 if path.stat().st_mode & 0o100 else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _content(path))
    return packed.getvalue()


def _dated(path: Path) -> bool:
    return path.parent.name == "__pycache__" and path.read_bytes()[4:8] != UNCHECKED_HASH


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name != "RECORD":
        return content
    # Where pip installs for another platform, the lines' order and those of bytecode differ from run to run.
    return b"".join(sorted(line for line in content.splitlines(keepends=True) if b"__pycache__" not in line))


def sbom(release: str, layers: Iterable[Path]) -> str:
    """A CycloneDX 1.6 document of every package in the built layers; without a date, so that it stays the same."""
    found = {component["purl"]: component for layer in layers for component in _components(layer)}
    stack = {"type": "application", "bom-ref": "stillmotion", "name": "stillmotion", "version": release}
    licence = {"licenses": [{"license": {"id": "Apache-2.0"}}]}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": stack | licence},
        "components": [found[purl] for purl in sorted(found)],
        "dependencies": [{"ref": "stillmotion", "dependsOn": sorted(found)}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _components(layer: Path) -> Iterator[dict[str, Any]]:
    for path in layer.rglob("*.dist-info/METADATA"):
        message = email.message_from_string(path.read_text())
        name, number = message["Name"].lower().replace("_", "-"), message["Version"]
        purl = f"pkg:pypi/{name}@{number}"
        component = {"type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl}
        yield component | {"licenses": [_licence(message)]}


def _licence(message: Any) -> dict[str, Any]:
    """The licence as the package states it: an SPDX expression, else the words it uses."""
    if expression := message["License-Expression"]:
        return {"expression": expression}
    classifiers = [
        one.rsplit(" :: ", 1)[-1] for one in message.get_all("Classifier", []) if one.startswith("License ::")
    ]
    return {"license": {"name": classifiers[0] if classifiers else message["License"] or "not stated"}}
