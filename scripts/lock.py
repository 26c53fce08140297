"""Resolve requirements-dev.in into requirements-dev.txt, the lock that every environment is made from.

python -m scripts.lock            resolves; versions that still fit stay (with --upgrade the newest ones are taken)
python -m scripts.lock --check    compares only: exit code 1 where the input changed since it was resolved; no network
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = "requirements-dev.txt"
INPUTS = ("requirements-dev.in", "shared/requirements.txt")
_MARK = "# Made by make lock from input "


def fingerprint(root: Path) -> str:
    """The SHA-256 of the inputs, 64 hex digits."""
    return hashlib.sha256("\0".join((root / name).read_text() for name in INPUTS).encode()).hexdigest()


def is_current(root: Path) -> bool:
    """Whether the lock was resolved from the inputs as they are now."""
    first, _, _ = (root / LOCK).read_text().partition("\n")
    return first == _MARK + fingerprint(root)


def resolve(root: Path, upgrade: bool) -> None:
    """Resolve the inputs and write the lock.

    Raises:
        subprocess.CalledProcessError: a requirement has no version that fits the others.
    """
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.13", "--no-header"]
    more = ["--no-annotate", *(["--upgrade"] if upgrade else []), INPUTS[0], "--output-file", LOCK]
    subprocess.run([*command, *more], cwd=root, check=True)
    lock = root / LOCK
    pins = [line for line in lock.read_text().splitlines() if not line.startswith(_MARK)]
    lock.write_text("\n".join([_MARK + fingerprint(root), *pins]) + "\n")


def main() -> int:
    if "--check" not in sys.argv:
        resolve(ROOT, upgrade="--upgrade" in sys.argv)
        return 0
    if is_current(ROOT):
        return 0
    print(f"{LOCK} was not resolved from {' and '.join(INPUTS)} as they are now. Run: make lock", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
