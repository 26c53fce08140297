"""The commands that docs/api.md shows, run as they stand, one after the other, against the local stack."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from local.environment import aws
from local.paths import ROOT, SAMPLE, TOOLS
from stillmotion_cli.stack import Stack

PAGE = ROOT / "docs" / "api.md"
BLOCK = re.compile(r"<!-- run(?:: (?P<kind>\w+))? -->\n```sh\n(?P<code>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def said(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block printed, in order; a block marked as a conflict must be refused line by line with 409."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "still.jpg").write_bytes(SAMPLE.read_bytes())
    (folder / ".local").mkdir()
    (folder / ".local" / "stack.json").write_text(stack.to_json())
    script = ["set -euo pipefail", f"output() {{ case $1 in ApiUrl) echo '{stack.api_url}';; esac; }}"]
    for block in BLOCK.finditer(PAGE.read_text()):
        code = block["code"]
        if block["kind"] == "conflict":
            lines = [line for line in code.splitlines() if line]
            code = "\n".join(f"if {line.split('  #')[0]} >> refused 2>&1; then exit 9; fi" for line in lines)
        script += [f"echo '---8<---' # {block.start()}", code]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=aws(stack.endpoint_url) | {"PATH": f"{TOOLS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    refused = (folder / "refused").read_text()
    assert refused.count("JobStateConflict") >= 6, refused
    check_clips(folder)
    return done.stdout.split("---8<---\n")[1:]


def check_clips(folder: Path) -> None:
    """The clips that the commands stored are whole."""
    for name in ("clip.mp4", "again.mp4"):
        assert (folder / name).read_bytes()[4:8] == b"ftyp", name


def test_every_command_of_the_page_runs(said: list[str]) -> None:
    assert len(said) == len(BLOCK.findall(PAGE.read_text())) >= 9


def test_what_the_page_says_comes_out(said: list[str]) -> None:
    text = "\n".join(said)
    for wanted in ('"dry_run": true', '"estimated_cost_usd"', "google/veo-3.1-lite", '"s3_uri"', '"next_token"'):
        assert wanted in text, wanted
