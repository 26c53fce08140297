"""The layer's service models hold every operation that the functions call, and say of it what botocore says."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session

from stillmotion.aws import clients as aws_clients
from tests.support.template import ROOT

sys.path.insert(0, str(ROOT / "shared"))
import trim_models

DATA = Path(botocore.__file__).parent / "data"
BY_BOTO3 = {"dynamodb": {"BatchWriteItem"}}
"""Called by boto3's batch writer for us."""
OF_ITS_OWN = re.compile(r"operation_model\(\s*['\"](\w+)['\"]|_client\.([a-z_]+)\(")
"""How botocore names operations that it reads or calls without being asked."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("layer") / "aws_models"
    trim_models.write(DATA, target)
    return target


def named() -> Iterator[str]:
    """Every attribute and text in the functions' code: an operation is called by the one or named by the other."""
    for folder in ("shared/stillmotion", "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute):
                    yield node.attr
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def services() -> set[str]:
    """The services that the composition root makes clients of."""
    tree = ast.parse((ROOT / "shared" / "stillmotion" / "wiring.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "client"]
    return {str(ast.literal_eval(call.args[0])) for call in calls}


def test_every_service_has_its_model() -> None:
    assert services() == set(trim_models.CALLED)


@pytest.mark.slow
@pytest.mark.parametrize("service", trim_models.CALLED)
def test_every_called_operation_is_in_the_trimmed_model(service: str) -> None:
    operations = {xform_name(name): name for name in Session().get_service_model(service).operation_names}
    called = {operations[name] for name in named() if name in operations} | BY_BOTO3.get(service, set())
    assert called - set(trim_models.CALLED[service]) == set(), "add them to CALLED in shared/trim_models.py"


def test_what_botocore_calls_of_its_own_is_in_the_trimmed_model() -> None:
    texts = [(DATA.parent / name).read_text() for name in ("signers.py", "utils.py", "handlers.py")]
    named = {xform_name(one or other) for text in texts for one, other in OF_ITS_OWN.findall(text)}
    operations = {xform_name(name): name for name in Session().get_service_model("s3").operation_names}
    needed = {operations[name] for name in named if name in operations}
    assert {"CreateBucket", "HeadBucket"} <= needed
    assert needed <= set(trim_models.CALLED["s3"])


def test_sessions_read_the_trimmed_models_first(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_clients, "MODELS", models)
    monkeypatch.setenv("AWS_DATA_PATH", "elsewhere")
    session = aws_clients.new_session()
    for service, operations in trim_models.CALLED.items():
        assert set(session.get_service_model(service).operation_names) == set(operations)
    assert "GetItem" in Session().get_service_model("dynamodb").operation_names
    # What has no trimmed model is botocore's own.
    assert "SendMessage" in session.get_service_model("sqs").operation_names


def described(model: Any, operation: str) -> Any:
    """All that a client reads of an operation."""
    found = model.operation_model(operation)
    return {
        "http": found.http,
        "metadata": dict(model.metadata),
        "input": shape(found.input_shape),
        "output": shape(found.output_shape),
        "errors": sorted(error.name for error in found.error_shapes),
        "checksum": found.http_checksum,
        "context": {one.name: one.value for one in found.static_context_parameters},
    }


def shape(found: Any, above: tuple[str, ...] = ()) -> Any:
    if found is None or found.name in above:
        return None if found is None else found.name
    above = (*above, found.name)
    parts = {name: shape(part, above) for name, part in getattr(found, "members", {}).items()}
    inner = [shape(getattr(found, one), above) for one in ("member", "key", "value") if hasattr(found, one)]
    return [found.name, found.type_name, dict(found.serialization), dict(found.metadata), parts, inner]


@pytest.mark.parametrize("service", trim_models.CALLED)
def test_a_trimmed_operation_is_the_same_as_the_whole_ones(
    service: str, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_clients, "MODELS", models)
    # Clients of S3 change the models that they read, and tests share what they read.
    monkeypatch.setattr(Loader, "FILE_LOADER_CLASS", JSONFileLoader)
    ours, whole = (session.get_service_model(service) for session in (aws_clients.new_session(), Session()))
    for operation in trim_models.CALLED[service]:
        assert described(ours, operation) == described(whole, operation), operation


def test_a_client_of_trimmed_models_signs_links_and_forms(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_clients, "MODELS", models)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client = aws_clients.new_client(aws_clients.new_session(), "s3", Config())
    link = client.generate_presigned_url("get_object", Params={"Bucket": "clips", "Key": "a b.mp4"})
    assert "/a%20b.mp4?" in link
    form = client.generate_presigned_post("pictures", "a.png", ExpiresIn=60)
    assert form["fields"]["key"] == "a.png"


def test_models_are_small_and_the_same_every_time(models: Path, tmp_path: Path) -> None:
    trim_models.write(DATA, tmp_path)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.json"))
    assert len(files) == len(trim_models.CALLED)
    assert all((models / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)
    assert sum((tmp_path / name).stat().st_size for name in files) < 200_000
    for model in (json.loads((tmp_path / name).read_text()) for name in files):
        assert "documentation" not in model
        assert '"documentation": "' not in json.dumps([model["operations"], model["shapes"]])


def test_an_operation_that_no_service_has_stops_the_build() -> None:
    with pytest.raises(KeyError, match="GetItems"):
        trim_models.trimmed({"operations": {"GetItem": {}}, "shapes": {}}, ["GetItems"])


def test_a_member_that_is_called_as_a_text_stays() -> None:
    members = {"documentation": {"shape": "Text", "documentation": "what it is"}}
    model = {
        "operations": {"Tell": {"input": {"shape": "In"}, "documentation": "tells"}},
        "shapes": {"In": {"type": "structure", "members": members}, "Text": {"type": "string"}, "Other": {}},
    }
    found = trim_models.trimmed(json.loads(json.dumps(model)), ["Tell"])
    assert found["operations"] == {"Tell": {"input": {"shape": "In"}}}
    assert found["shapes"]["In"]["members"] == {"documentation": {"shape": "Text"}}
    assert set(found["shapes"]) == {"In", "Text"}
