"""A function starts without garbage collection and without what it does not use."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache

import pytest

from tests.support.template import ROOT, deployed_environment, resources

pytestmark = pytest.mark.slow
FUNCTIONS = {
    str(found["CodeUri"]).strip("/").rpartition("/")[2]: name
    for name, found in resources("AWS::Serverless::Function").items()
}
RESOLVER = frozenset({"batches", "control", "docs", "jobs", "models", "spending", "submit", "uploads"})
"""Functions behind the API."""
PYDANTIC = RESOLVER | {"collect_batch", "execution_ended", "prepare_batch", "sweep"}
"""Functions that parse what others wrote. For the rest it would be as much of their start as botocore is."""
CLIPS = ("av", "PIL")
NEVER = ("boto3.s3", "boto3.dynamodb.table", "aws_xray_sdk", "requests")
"""Loaded by none: boto3's transfers and tables, and the tracing SDK where tracing is off."""


@cache
def started(function: str) -> dict[str, object]:
    """What a function has loaded when it has started in Lambda, and how its collector stands."""
    environment = deployed_environment(FUNCTIONS[function]) | {"PYTHONPATH": str(ROOT / "shared")}
    code = (
        "import gc, json, sys; made = []; gc.callbacks.append(lambda *given: made.append(given)); gc.collect()\n"
        "made.clear(); import app\n"
        "print(json.dumps({'modules': list(sys.modules), 'collections': len(made), 'on': gc.isenabled(),"
        " 'frozen': gc.get_freeze_count()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "functions" / function,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_is_collected_before_a_function_has_started(function: str) -> None:
    found = started(function)
    assert found["on"] is True
    assert int(str(found["frozen"])) > 10_000
    # The standard library's modules that come first are too few for more than a few of the youngest.
    assert int(str(found["collections"])) <= 10


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_no_library_that_it_does_not_use(function: str) -> None:
    modules = set(map(str, started(function)["modules"]))  # type: ignore[call-overload]
    assert ("pydantic" in modules) == (function in PYDANTIC)
    assert ("aws_lambda_powertools.event_handler" in modules) == (function in RESOLVER)
    assert {name for name in CLIPS if name in modules} == (set(CLIPS) if function == "inspect" else set())
    assert [name for name in NEVER if name in modules] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_start_comes_before_every_library(function: str) -> None:
    tree = ast.parse((ROOT / "functions" / function / "app.py").read_text())
    modules = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    libraries = (name for name in modules if str(name).partition(".")[0] not in sys.stdlib_module_names)
    assert next(libraries) == "stillmotion.start"


def test_elsewhere_the_collector_is_left_alone() -> None:
    code = "import gc, stillmotion.start; print(gc.isenabled(), gc.get_freeze_count())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "shared")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["True", "0"]
