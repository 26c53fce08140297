"""Examples that need Node.js: their packages, as `make node` installs them from the lock files."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD_SECONDS = 280


def npm_run(folder: Path, script: str, *arguments: str, **environment: str) -> None:
    """Run a script of an example's package.json, one at a time; the test fails where a tool or package is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.fail(f"{folder.name} needs Node.js 20 with npm on the path: install it, then run make node")
    installed, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    if not installed.exists() or _versions(installed) != _versions(lock):
        pytest.fail(f"the packages of {folder.name} are not installed as its lock file says: run make node")
    with (folder / "node_modules" / ".lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        done = subprocess.run(
            ["npm", "run", "--silent", script, "--", *arguments],
            cwd=folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _versions(lock: Path) -> dict[str, str]:
    """The version of every package that a lock file names for this machine."""
    packages = json.loads(lock.read_text())["packages"]
    return {name: found["version"] for name, found in packages.items() if name and not found.get("optional")}
