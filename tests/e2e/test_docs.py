"""The commands that README.md and docs/api.md show, run as they stand, one after the other, against the local stack."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local.environment import aws
from local.paths import ROOT, SAMPLE, TOOLS
from stillmotion_cli.stack import Stack
from tests.e2e.signing import Api
from tests.e2e.support import SimulatorControl

README, API = ROOT / "README.md", ROOT / "docs" / "api.md"
BLOCK = re.compile(r"<!-- run(?:: (?P<kind>\w+))? -->\n```sh\n(?P<code>.*?)```", re.DOTALL)
SHOWN = re.compile(r"^```sh\n(.*?)```", re.DOTALL | re.MULTILINE)
OURS = re.compile(r"^(curl|call|stillmotion) ", re.MULTILINE)
CALL = re.compile(r"^call \"\$API/[^$\n@]*$", re.MULTILINE)
PAGE_TIMEOUT = 240


def blocks(page: Path) -> list[str]:
    """The page's commands in order; those of a block marked as a conflict must each be refused."""
    found = []
    for block in BLOCK.finditer(page.read_text()):
        code = block["code"]
        if block["kind"] == "conflict":
            lines = [line.split("  #")[0] for line in code.splitlines() if line]
            code = "\n".join(f"if {line} >> refused 2>&1; then exit 9; fi" for line in lines)
        found.append(code)
    return found


def run(stack: Stack, folder: Path, code: list[str], **credentials: str) -> str:
    """Run commands where a picture and the local stack's description lie; what they printed."""
    (folder / "still.jpg").write_bytes(SAMPLE.read_bytes())
    (folder / ".local").mkdir(exist_ok=True)
    (folder / ".local" / "stack.json").write_text(stack.to_json())
    outputs = f"ApiUrl) echo '{stack.api_url}';; InputBucketName) echo '{stack.input_bucket}';;"
    done = subprocess.run(
        ["bash", "-c", "\n".join(["set -euo pipefail", f"output() {{ case $1 in {outputs} esac; }}", *code])],
        cwd=folder,
        env=aws(stack.endpoint_url or "") | {"PATH": f"{TOOLS}:{os.environ['PATH']}"} | credentials,
        capture_output=True,
        text=True,
        timeout=PAGE_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def is_clip(path: Path) -> bool:
    return path.read_bytes()[4:8] == b"ftyp"


@pytest.fixture(autouse=True)
def quiet(api: Api, simulator: SimulatorControl) -> None:
    """Quick clips, and nothing under way from before."""
    api.wait_until_quiet()


def test_every_call_and_every_command_is_run() -> None:
    for page in (README, API):
        text = page.read_text()
        run_below = [block["code"] for block in BLOCK.finditer(text)]
        assert [code for code in SHOWN.findall(text) if OURS.search(code) and code not in run_below] == []


def test_the_readme_makes_a_clip_over_http_and_with_the_command(stack: Stack, tmp_path: Path) -> None:
    said = run(stack, tmp_path, blocks(README))
    assert json.loads((tmp_path / "job.json").read_text())["id"] in said
    assert is_clip(tmp_path / "clip.mp4")


def test_the_commands_of_the_api_page_do_what_it_says(stack: Stack, tmp_path: Path) -> None:
    said = run(stack, tmp_path, blocks(API))
    for wanted in ('"dry_run": true', '"estimated_cost_usd"', "google/veo-3.1-lite", '"s3_uri"', '"next_token"'):
        assert wanted in said, wanted
    assert (tmp_path / "refused").read_text().count("JobStateConflict") >= 6
    assert is_clip(tmp_path / "clip.mp4")
    assert is_clip(tmp_path / "again.mp4")


def test_the_calls_of_the_api_page_are_signed_as_aws_wants_them(
    stack: Stack, tmp_path: Path, user: Callable[[str], tuple[str, str]]
) -> None:
    # The local cloud takes its root's signature unseen, but not this user's.
    key, secret = user("execute-api:Invoke")
    calls = [line for code in blocks(API) for line in CALL.findall(code)]
    lines = [line for line in calls if "-X PUT" not in line]  # limits are set by operators, and this user is none
    assert len(lines) >= 2
    run(stack, tmp_path, [blocks(API)[0], *lines], AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
