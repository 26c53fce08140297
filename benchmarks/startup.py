"""What a function's start costs: fresh interpreters with the layer's libraries, the runtime's boto3, and no more."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import botocore

from benchmarks.measure import ROOT, Column, Spread, Table, clean_environment, interleaved, metered
from tests.support.template import deployed_environment, resources

RUNTIME = ("boto3", "botocore", "s3transfer", "python-dateutil", "six")
COUNT = "import json, sys; print(json.dumps({'modules': len(sys.modules)}))"
BASELINES = {
    "bare Python": "pass",
    "boto3 and one client": "import boto3; boto3.client('s3')",
    "Powertools resolver": "from aws_lambda_powertools.event_handler import APIGatewayRestResolver as R; R()",
    "Powertools resolver, validating": "from aws_lambda_powertools.event_handler import APIGatewayRestResolver as R; "
    "from aws_lambda_powertools.event_handler.middlewares.openapi_validation import *; R(enable_validation=True)",
}
COLUMNS = (
    Column("import_ms", "import, CPU ms"),
    Column("import_wall_ms", "wall ms"),
    Column("traced_ms", "with X-Ray, CPU ms"),
    Column("start_ms", "with clients, CPU ms"),
    Column("as_built_ms", "import without bytecode, CPU ms"),
    Column("peak_mib", "peak MiB"),
    Column("modules", "modules"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which functions (all, where none is named), which of them closely, how often at most, within how many seconds."""

    functions: tuple[str, ...]
    closely: tuple[str, ...]
    rounds: int
    budget_seconds: float


@dataclass(frozen=True, slots=True)
class Variant:
    """How a function is started: with the libraries' bytecode or not, traced, and as Lambda does it (with clients)."""

    bytecode: bool = True
    traced: bool = False
    in_lambda: bool = False


FULL = Plan((), ("SubmitApiFunction", "PollFunction", "DeliverFunction"), 5, 60)
QUICK = Plan(("PollFunction",), ("PollFunction",), 1, 5)
VARIANTS = {
    "import": Variant(),
    "traced": Variant(traced=True),
    "start": Variant(in_lambda=True),
    "as_built": Variant(bytecode=False),
}


def run(plan: Plan) -> list[Table]:
    """One table: baselines first, then the functions in the template's order."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {bytecode: _libraries(Path(folder) / str(bytecode), bytecode) for bytecode in (True, False)}
        subjects: dict[str, Callable[[int], dict[str, float]]] = {
            f"{name}/import": partial(_start, code, paths[True], {}) for name, code in BASELINES.items()
        }
        for function in plan.functions or tuple(resources("AWS::Serverless::Function")):
            code = f"sys.path.insert(0, {str(_folder(function))!r}); import app"
            for name in VARIANTS if function in plan.closely else ("import", "traced"):
                variant = VARIANTS[name]
                environment = _environment(function, variant)
                subjects[f"{function}/{name}"] = partial(_start, code, paths[variant.bytecode], environment)
        found = interleaved(subjects, plan.rounds, plan.budget_seconds)
    note = "a call at 256 MB has a seventh of a processor; the layers hold bytecode, and trimmed models for the clients"
    table = Table("startup", "Start-up of a function, tracing off unless said", COLUMNS, note=note)
    for name, runs in found.items():
        subject, _, figure = name.rpartition("/")
        table.rows.setdefault(subject.removesuffix("Function"), {}).update(_figures(figure, runs))
    return [table]


def _figures(variant: str, runs: list[dict[str, float]]) -> dict[str, Spread | float]:
    row: dict[str, Spread | float] = {f"{variant}_ms": Spread.of(run["cpu_seconds"] * 1e3 for run in runs)}
    if variant == "import":
        row["import_wall_ms"] = Spread.of(run["seconds"] * 1e3 for run in runs)
        row["modules"] = runs[0]["modules"]
        row["peak_mib"] = Spread.of(run["peak_bytes"] / 2**20 for run in runs)
    if variant == "start":
        row["peak_mib"] = Spread.of(run["peak_bytes"] / 2**20 for run in runs)
    return row


def _start(code: str, path: str, environment: dict[str, str], number: int) -> dict[str, float]:
    variables = clean_environment(PYTHONPATH=path, **environment)
    found = metered([[sys.executable, "-S", "-s", "-B", "-c", f"import sys; {code}; {COUNT}"]], variables)
    return {key: float(value) for key, value in (found | json.loads(found.pop("output"))).items()}


def _environment(function: str, variant: Variant) -> dict[str, str]:
    found = deployed_environment(function) | {"POWERTOOLS_TRACE_DISABLED": "false" if variant.traced else "true"}
    if variant.traced:
        found["LAMBDA_TASK_ROOT"] = "/var/task"
    if not variant.in_lambda:
        del found["AWS_LAMBDA_FUNCTION_NAME"]
    return found


def _folder(function: str) -> Path:
    uri = resources("AWS::Serverless::Function")[function].get("CodeUri")
    return ROOT / str(uri)


def _libraries(folder: Path, bytecode: bool) -> str:
    """A search path with what a function finds on AWS; the layer with its bytecode, or without it as a baseline."""
    layer, runtime = folder / "layer", folder / "runtime"
    named = [
        re.split(r"[=\[]", line)[0]
        for file in ("shared/requirements.txt", "layers/tracing/requirements.txt")
        for line in (ROOT / file).read_text().splitlines()
        if "==" in line
    ]
    for distributions, place, keep in ((named, layer, bytecode), (RUNTIME, runtime, True)):
        place.mkdir(parents=True)
        for distribution in distributions:
            for source in top_levels(distribution):
                _put(source, place / source.name, keep)
    _put(ROOT / "shared" / "stillmotion", layer / "stillmotion", bytecode)
    models = Path(botocore.__file__).parent / "data", layer / "aws_models"
    subprocess.run([sys.executable, ROOT / "shared" / "trim_models.py", *models], check=True)
    return f"{layer}:{runtime}"


def top_levels(distribution: str) -> set[Path]:
    found = set()
    for file in metadata.files(distribution) or ():
        if file.parts[0] not in ("..", "__pycache__"):
            found.add(Path(str(file.locate())).parents[len(file.parts) - 1] / file.parts[0])
    return found


def _put(source: Path, target: Path, keep_bytecode: bool) -> None:
    if keep_bytecode or source.is_file():
        target.symlink_to(source)
    else:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
