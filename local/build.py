"""`sam build` for this machine, done once for every state of the sources."""

import fcntl
import hashlib
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from local import environment
from local.paths import ROOT, STATE, TEMPLATE, TOOLS
from local.processes import LocalCloudError, run_logged

BUILDS = STATE / "builds"
BUILD_TIMEOUT = 300
KEPT = 3
ATTEMPTS = 3
_INPUTS = ("functions", "layers", "observability", "shared", "workflows")


def architecture() -> str:
    """This machine's architecture as Lambda names it."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def build() -> Path:
    """The built template. Built anew only when the sources changed; safe to call from several processes."""
    if not TEMPLATE.is_file():
        raise LocalCloudError(f"There is no {TEMPLATE.name} in {ROOT}.")
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for _ in range(ATTEMPTS):
            target = BUILDS / _fingerprint()
            if not target.exists():
                part = _sam_build()
                if _fingerprint() != target.name:
                    # A file changed meanwhile: the build is neither of the old state nor of the new one.
                    continue
                # At the same folder depth, so that relative paths inside stay right.
                part.rename(target)
                _forget_old(target)
            target.touch()
            return target / "template.yaml"
    raise LocalCloudError(f"The sources changed during each of {ATTEMPTS} builds. Try again when they stay unchanged.")


def _sam_build() -> Path:
    """The folder of a finished build, to be moved to its place."""
    part = BUILDS / "part"
    shutil.rmtree(part, ignore_errors=True)
    command = [
        *[str(TOOLS / "sam"), "build", "--template-file", str(TEMPLATE), "--build-dir", str(part)],
        *["--cached", "--cache-dir", str(BUILDS / "cache"), "--parallel"],
        *["--parameter-overrides", f"Architecture={architecture()}"],
    ]
    log = BUILDS / "build.log"
    log.unlink(missing_ok=True)
    # PyAV and Pillow get the wheels for this machine, not those for Lambda.
    run_logged(command, environment.sam_build() | {"INSPECTION_PLATFORM": "local"}, ROOT, log, BUILD_TIMEOUT)
    return part


def _fingerprint() -> str:
    digest = hashlib.sha256(architecture().encode())
    for path in _sources():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    yield TEMPLATE
    yield ROOT / "requirements-dev.txt"
    for name in _INPUTS:
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith((".pyc", ".tmp")):
                yield path


def _forget_old(current: Path) -> None:
    others = [path for path in BUILDS.iterdir() if len(path.name) == 16 and path != current]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
