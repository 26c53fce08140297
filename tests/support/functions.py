"""What the template's functions are made of: their folders, handlers and settings."""

from __future__ import annotations

import ast

from tests.support.template import ROOT, resources


def handler_of(function: str) -> tuple[str, str]:
    """The folder and the handler's name of a function."""
    found = resources("AWS::Serverless::Function")[function]
    assert found["Handler"].startswith("app.")
    return found["CodeUri"].removeprefix("functions/").rstrip("/"), found["Handler"].removeprefix("app.")


def loaded_settings(function: str) -> set[str]:
    """The settings classes that a function's code loads: in its handler, or in its API's routes."""
    folder, handler = handler_of(function)
    module = ast.parse((ROOT / "functions" / folder / "app.py").read_text())
    parts = {part.name: part for part in module.body if isinstance(part, ast.FunctionDef)}
    assert handler in parts
    everyone = (handler_of(name) for name in resources("AWS::Serverless::Function"))
    handlers = {name for where, name in everyone if where == folder}
    own = _loads(parts[handler])
    return own or {kind for name, part in parts.items() if name not in handlers for kind in _loads(part)}


def _loads(part: ast.AST) -> set[str]:
    calls = [node for node in ast.walk(part) if isinstance(node, ast.Call)]
    return {ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "load"}
