"""Examples that need Node.js: their packages, as `make node` installs them from the lock files."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD_SECONDS = 280


def npm_run(folder: Path, script: str, *arguments: str, **environment: str) -> None:
    """Run a script of an example's package.json, once at a time. Fails the test where Node.js or a package is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.fail(f"{folder.name} needs Node.js 20 with npm on the path: install it, then run make node")
    installed, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
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
