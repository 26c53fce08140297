"""Finds a Chromium for the browser tests, and installs one where there is none. Prints its path.

python -m scripts.chromium            finds, else installs the system's package or Playwright's own, else says how
python -m scripts.chromium --check    finds only
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Debian and others; Ubuntu's wrapper; Google's own.
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
PACKAGE = "chromium"
HELP = (
    "The browser tests need a Chromium and found none. Install one, for example with: apt-get install chromium\n"
    "or: python -m playwright install chromium\n"
    "or name one that is there: CHROMIUM=/path/to/chromium"
)


def find() -> str | None:
    """The path of a Chromium: the one that the variable CHROMIUM names, the system's, or Playwright's own."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    for name in NAMES:
        if path := shutil.which(name):
            return path
    if _MAC.exists():
        return str(_MAC)
    return _of_playwright()


def _of_playwright() -> str | None:
    """Playwright's own, where it has been installed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def installers() -> list[list[str]]:
    """The commands that may bring a Chromium, in the order in which they are tried."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    apt = [*as_root, "apt-get", "install", "--yes", "--no-install-recommends", PACKAGE]
    found = []
    if shutil.which("apt-get") and (not as_root or shutil.which("sudo")):
        found += [[*as_root, "apt-get", "update"], apt]
    return [*found, [sys.executable, "-m", "playwright", "install", "chromium"]]


def install() -> str | None:
    """Try the installers until there is a Chromium. Returns its path, None where none of them worked."""
    for command in installers():
        print("chromium: " + " ".join(command), file=sys.stderr)
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"chromium: {error}", file=sys.stderr)
        if path := find():
            return path
    return None


def main() -> int:
    path = find() or (None if "--check" in sys.argv else install())
    if path is None:
        print(HELP, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
