"""The order of the rooms: few modules in each, and of the tests themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LAYER = TESTS.parent / "shared" / "stillmotion"
ROOMS = sorted({path.parent.relative_to(LAYER).as_posix() for path in LAYER.rglob("*.py")})
MODULES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py"))


def tree(name: str) -> ast.Module:
    return ast.parse((TESTS / name).read_text())


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_of_the_layer_holds_few_modules(room: str) -> None:
    modules = [path.stem for path in (LAYER / room).glob("*.py") if path.stem != "__init__"]
    assert len(modules) <= (8 if room == "." else 15)


@pytest.mark.parametrize("name", MODULES)
def test_no_module_imports_a_test_module(name: str) -> None:
    modules = [node.module or "" for node in ast.walk(tree(name)) if isinstance(node, ast.ImportFrom)]
    wrong = [
        module for module in modules if module.startswith("tests.") and module.rpartition(".")[2].startswith("test_")
    ]
    assert not wrong
    assert not [module for module in modules if module.endswith(".conftest")]


def test_test_names_fit_in_70_characters() -> None:
    named = [
        f"{module}: {node.name}"
        for module in MODULES
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and len(node.name) > 70
    ]
    assert not named
