"""What the page on deleting says is run as it stands, by the AWS CLI."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import ROOT
from stillmotion_cli.stack import Stack

OBJECTS = 1005
"""More than one call deletes."""


@pytest.fixture
def script() -> str:
    """The page's command that deletes what stayed."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/teardown.md").read_text(), re.DOTALL)
    [found] = [one for one in blocks if "delete-bucket" in one]
    return str(found)


def test_what_stayed_is_deleted_in_every_version(stack: Stack, script: str, tmp_path: Path) -> None:
    s3, names = stack.client("s3"), ("stayed-with-versions", "stayed-without")
    for name in names:
        s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=names[0], VersioningConfiguration={"Status": "Enabled"})
    for number in range(OBJECTS):
        s3.put_object(Bucket=names[0], Key=f"videos/{number // 3}", Body=b"")
    s3.delete_object(Bucket=names[0], Key="videos/1")
    s3.put_object(Bucket=names[1], Key="videos/1", Body=b"")
    (tmp_path / "kept.txt").write_text("".join(f"AWS::S3::Bucket\t{name}\n" for name in names))
    account = stack.session().get_credentials()
    assert account
    assert stack.endpoint_url
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "AWS_ENDPOINT_URL": stack.endpoint_url,
            "AWS_ACCESS_KEY_ID": account.access_key,
            "AWS_SECRET_ACCESS_KEY": account.secret_key,
            "AWS_DEFAULT_REGION": stack.region,
        },
        capture_output=True,
        text=True,
        timeout=100,
    )
    left = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert left.isdisjoint(names), done.stderr
