"""A built stack, packaged once and kept: its template, and the artefacts that the template points to.

`sam deploy` packages and uploads everything anew for each cloud, which takes most of a start. Here `sam package` runs
once for a build; each further cloud is given the same objects and creates its stack from the same template.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from local import environment
from local.paths import ROOT, TOOLS
from local.processes import LocalCloudError, run_logged

BUCKET = "stillmotion-packages"
TEMPLATE = "template.yaml"
PACKAGE_TIMEOUT = 120
STACK_TIMEOUT = 180
_POLL_SECONDS = 0.2


def package(built_template: Path, s3: Any, endpoint_url: str, folder: Path) -> Path:
    """The folder of this build's package, its objects now in `BUCKET` of the running cloud.

    The folder lies beside the built template and is deleted with it. Several clouds may call this at the same time.
    """
    kept = built_template.parent / "package"
    s3.create_bucket(Bucket=BUCKET)
    if kept.is_dir():
        upload(kept, s3)
        return kept
    part = Path(tempfile.mkdtemp(prefix="package-", dir=built_template.parent))
    try:
        _sam_package(built_template, part / TEMPLATE, endpoint_url, folder)
        s3.put_object(Bucket=BUCKET, Key=TEMPLATE, Body=(part / TEMPLATE).read_bytes())
        for key in _keys(s3):
            (part / key).write_bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        with contextlib.suppress(OSError):  # another cloud was first
            part.rename(kept)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return kept


def upload(package: Path, s3: Any) -> None:
    """Put the objects of a package, a folder with its template, into `BUCKET` of the running cloud."""
    for path in sorted(package.iterdir()):
        s3.put_object(Bucket=BUCKET, Key=path.name, Body=path.read_bytes())


def put_stack(
    cloudformation: Any, name: str, endpoint_url: str, parameters: dict[str, str], *, update: bool = False
) -> None:
    """Create the stack of the package in `BUCKET`, or update it to that, and wait for it.

    Raises LocalCloudError with what each failed resource said.
    """
    call, kind = (cloudformation.update_stack, "update") if update else (cloudformation.create_stack, "create")
    try:
        call(
            StackName=name,
            TemplateURL=f"{endpoint_url}/{BUCKET}/{TEMPLATE}",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        cloudformation.get_waiter(f"stack_{kind}_complete").wait(
            StackName=name,
            WaiterConfig={"Delay": _POLL_SECONDS, "MaxAttempts": round(STACK_TIMEOUT / _POLL_SECONDS)},
        )
    except WaiterError as error:
        failed = "\n".join(_failed(cloudformation, name)) or str(error)
        raise LocalCloudError(f"The stack {name} was not {kind}d within {STACK_TIMEOUT} s:\n{failed}") from error
    except ClientError as error:
        raise LocalCloudError(f"The local cloud refused the stack {name}: {error}") from error


def _sam_package(built_template: Path, output: Path, endpoint_url: str, folder: Path) -> None:
    command = [
        *[str(TOOLS / "sam"), "package", "--template-file", str(built_template)],
        *["--s3-bucket", BUCKET, "--output-template-file", str(output)],
        *["--region", environment.REGION, "--no-progressbar"],
    ]
    run_logged(command, environment.sam_deploy(endpoint_url, folder), ROOT, folder / "package.log", PACKAGE_TIMEOUT)


def _keys(s3: Any) -> Iterable[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        yield from (entry["Key"] for entry in page.get("Contents", []))


def _failed(cloudformation: Any, name: str) -> Iterable[str]:
    for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:
        if event["ResourceStatus"].endswith("FAILED"):
            yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
