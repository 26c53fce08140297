"""Neighbouring versions of a packaged stack, which say in every line of their logs that it was they who ran.

A package is the folder that `local.package` keeps: the template as `sam package` writes it, and beside it the objects
that the template names by the hash of their content. A neighbour is a folder with another template and the objects
that the version before did not have. CloudFormation and SAM see what they see when a user deploys: other names of
objects, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import py_compile
from collections.abc import Callable, Mapping
from importlib.util import cache_from_source
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from samcli.yamlhelper import yaml_parse

from local import package

LAYER = "DomainLayer"
LOGGED_BY = "python/stillmotion/telemetry.py"
WORKFLOW = "GenerateVideoStateMachine"
FIRST_STATE = "Neighbour"
"""The state that a neighbour's definition begins with."""

type Change = Callable[[bytes], bytes]


def saying(part: str, version: str) -> str:
    """A line of Python after which every log line of its process has the field `part` with this version."""
    said = f'lambda line: vars(line).update({part}="{version}") or True'
    begin = "import logging; from stillmotion.telemetry import SERVICE; logging.getLogger(SERVICE)"
    return f"\n{begin}.addFilter({said})\n"


def with_functions_and_definition(before: Path, folder: Path, version: str) -> Path:
    """A package whose functions all say `function_code`, and whose definition begins and calls in another way."""
    template = _template(before)
    functions = {_key(one["CodeUri"]): _function(version) for one in _properties(template, "AWS::Serverless::Function")}
    definition = template["Resources"][WORKFLOW]["Properties"]["DefinitionUri"]["Key"]
    return _neighbour(before, folder, functions | {definition: _definition(version)})


def with_layer(before: Path, kept: Path, folder: Path, version: str) -> Path:
    """A package whose domain layer, that of the package `kept`, says `layer`; all else is as `before`, to the byte."""
    layer = _key(_template(kept)["Resources"][LAYER]["Properties"]["ContentUri"])
    return _neighbour(before, folder, {layer: _layer(version)}, kept)


def unchanged(before: Path, folder: Path) -> Path:
    """The package as it is, of which everything has been uploaded before."""
    return _neighbour(before, folder, {})


def _function(version: str) -> Change:
    def change(archive: bytes) -> bytes:
        return _rewritten(archive, {"app.py": _member(archive, "app.py") + saying("function_code", version).encode()})

    return change


def _layer(version: str) -> Change:
    def change(archive: bytes) -> bytes:
        source = _member(archive, LOGGED_BY) + saying("layer", version).encode()
        # The layer's bytecode is used without a look at its source, so a build makes both.
        return _rewritten(archive, {LOGGED_BY: source, cache_from_source(LOGGED_BY): _compiled(source)})

    return change


def _definition(version: str) -> Change:
    """What a release may change: one more state before all others, and one more field in each function's event."""

    def change(text: bytes) -> bytes:
        definition: dict[str, Any] = json.loads(text)
        for state in definition["States"].values():
            if "Payload" in state.get("Parameters", {}):
                state["Parameters"]["Payload"]["asked_by"] = version
        first = {"Type": "Pass", "Next": definition["StartAt"]}
        states = {FIRST_STATE: first} | definition["States"]
        return json.dumps(definition | {"StartAt": FIRST_STATE, "States": states}).encode()

    return change


def _neighbour(before: Path, folder: Path, changes: Mapping[str, Change], objects: Path | None = None) -> Path:
    """A package with some of its objects changed, by their names; they get names by their new content."""
    folder.mkdir()
    text = (before / package.TEMPLATE).read_text()
    for name, change in changes.items():
        content = change(((objects or before) / name).read_bytes())
        new = hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert name in text
        assert new != name
        (folder / new).write_bytes(content)
        text = text.replace(name, new)
    (folder / package.TEMPLATE).write_text(text)
    return folder


def _template(packaged: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse((packaged / package.TEMPLATE).read_text())
    return found


def _properties(template: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["Properties"] for one in template["Resources"].values() if one["Type"] == kind]


def _key(address: str) -> str:
    return address.rpartition("/")[2]


def _member(archive: bytes, name: str) -> bytes:
    with ZipFile(BytesIO(archive)) as read:
        return read.read(name)


def _rewritten(archive: bytes, changes: Mapping[str, bytes]) -> bytes:
    """The archive with some of its files changed."""
    out = BytesIO()
    with ZipFile(BytesIO(archive)) as old, ZipFile(out, "w", ZIP_DEFLATED, compresslevel=1) as new:
        assert set(changes) <= set(old.namelist())
        for entry in old.infolist():
            new.writestr(entry, changes.get(entry.filename) or old.read(entry))
    return out.getvalue()


def _compiled(source: bytes) -> bytes:
    """The bytecode of a module of the layer, as shared/Makefile makes it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "module.py"
        path.write_bytes(source)
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        made = py_compile.compile(str(path), dfile=f"/opt/{LOGGED_BY}", doraise=True, invalidation_mode=unchecked)
        assert made
        return Path(made).read_bytes()
