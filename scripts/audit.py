"""Ask for known vulnerabilities of what is deployed, and of what developing needs.

    python -m scripts.audit [PIP_AUDIT]   PIP_AUDIT is the command, from an environment of its own

Exit codes: 0 nothing known; 1 something is known, by package; 2 the advisories could not be reached, which says nothing
about the packages.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.generated import ROOT

LOCKS = ("shared/requirements.txt", "requirements-dev.txt", "requirements-cfn-lint.txt", "requirements-docs.txt")
OPTIONS = ("--format", "json", "--progress-spinner", "off", "--no-deps", "--disable-pip")
SECONDS = 300


class Unreachable(Exception):
    """There was no answer about vulnerabilities."""


def known(command: str, lock: Path) -> list[str]:
    """The known vulnerabilities of the packages in a lock file: ``name version: id, fixed in …``.

    Raises:
        Unreachable: the command gave no report.
    """
    call = [command, *OPTIONS, "--requirement", str(lock)]
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=SECONDS, check=False)
        report: dict[str, Any] = json.loads(done.stdout)
        return [line for package in report["dependencies"] for line in _lines(package)]
    except FileNotFoundError:
        raise Unreachable(f"there is no {command}: run make audit, which installs it") from None
    except subprocess.TimeoutExpired:
        raise Unreachable(f"no answer within {SECONDS} s") from None
    except (ValueError, KeyError, TypeError):
        last = done.stderr.strip().splitlines()
        raise Unreachable(last[-1] if last else f"{command} reported nothing") from None


def _lines(package: dict[str, Any]) -> list[str]:
    found = []
    for one in package.get("vulns", ()):
        fixed = ", ".join(one.get("fix_versions", ())) or "no version yet"
        found.append(f"{package['name']} {package['version']}: {one['id']}, fixed in {fixed}")
    return found


def main(arguments: Sequence[str] = ()) -> int:
    """Audit every lock file; see the module's docstring for the exit codes."""
    command = arguments[0] if arguments else "pip-audit"
    code = 0
    for name in LOCKS:
        try:
            found = known(command, ROOT / name)
        except Unreachable as error:
            print(f"{name}: the advisories cannot be reached, so nothing is known either way: {error}", file=sys.stderr)
            return 2
        print(f"{name}: {len(found)} known vulnerabilities")
        for line in found:
            print(f"  {line}")
        code = code or int(bool(found))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
