"""Write the AWS SDK's service models with nothing but the operations that Stillmotion calls.

    python3.13 trim_models.py BOTOCORE/data TARGET

A client reads its service's whole model when it is made: 69 ms of processor time for DynamoDB, 25 for S3. The trimmed
ones are data for any botocore; where a later one brings a later version of an API, it takes its own model. Standard
library only, and the same bytes every time: the layer's Makefile runs it.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

CALLED = {
    "dynamodb": (
        "BatchGetItem",
        "BatchWriteItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    ),
    "events": ("PutEvents",),
    "s3": (
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CreateBucket",
        "CreateMultipartUpload",
        "CreateSession",
        "DeleteObjects",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListObjectVersions",
        "ListObjectsV2",
        "PutObject",
        "UploadPart",
    ),
    "secretsmanager": ("GetSecretValue",),
    "stepfunctions": (
        "DescribeExecution",
        "DescribeMapRun",
        "ListMapRuns",
        "SendTaskSuccess",
        "StartExecution",
        "StopExecution",
    ),
}
"""By service, what the functions call, and botocore for them: it reads ``CreateBucket`` to sign a form, and asks for a
bucket's region with ``HeadBucket``. A test holds it against the code: what is missing fails only where the layer is."""
_TEXTS = ("documentation", "documentationUrl", "examples")


def trimmed(model: dict[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """The model with these operations, the shapes that they need, and no texts.

    Raises:
        KeyError: the service has no such operation.
    """
    kept = {name: model["operations"][name] for name in sorted(operations)}
    shapes: dict[str, Any] = {}
    wanted = list(_shapes_of(kept))
    while wanted:
        name = wanted.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            wanted += _shapes_of(shapes[name])
    # botocore reads the texts of a client's parameters, which are in the rest.
    rest = {name: value for name, value in model.items() if name not in ("operations", "shapes", *_TEXTS)}
    return rest | {"operations": _without_texts(kept), "shapes": _without_texts(shapes)}


def _shapes_of(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "shape" and isinstance(value, str):
                yield value
            else:
                yield from _shapes_of(value)
    elif isinstance(part, list):
        for one in part:
            yield from _shapes_of(one)


def _without_texts(part: Any) -> Any:
    if isinstance(part, dict):
        # A member may be called as a text is: its value is a shape then.
        return {
            name: _without_texts(value)
            for name, value in part.items()
            if name not in _TEXTS or (isinstance(value, dict) and "shape" in value)
        }
    return [_without_texts(one) for one in part] if isinstance(part, list) else part


def write(data: Path, target: Path) -> None:
    """Write ``target/{service}/{version}/service-2.json`` of the latest version of every service in ``CALLED``."""
    for service, operations in CALLED.items():
        source = max(data.glob(f"{service}/*/service-2.json.gz"))
        model = trimmed(json.loads(gzip.decompress(source.read_bytes())), operations)
        place = target / service / source.parent.name / "service-2.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(model, separators=(",", ":"), sort_keys=True))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
