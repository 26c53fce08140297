"""Makes .venv: Python 3.13 with everything from requirements-dev.txt and the stillmotion command.

Run by the Makefile with whatever Python the machine has, so this file alone keeps to the standard library and to
syntax that Python 3.8 reads. Python 3.13 is taken from the machine where it is there and runs; otherwise uv fetches it.
"""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
from typing import Optional

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STATE = os.path.join(ROOT, ".local")
LOCK = os.path.join(ROOT, "requirements-dev.txt")
PROBE = "import sys, venv, ensurepip; print(sys.executable) if sys.version_info[:2] == (3, 13) else sys.exit(1)"


def say(text: str) -> None:
    print("set-up: " + text, file=sys.stderr, flush=True)


def run(*command: str) -> None:
    """Runs a command with its output on the terminal's error stream; ends with a message when it fails."""
    result = subprocess.run(command, cwd=ROOT, stdout=sys.stderr)
    if result.returncode != 0:
        raise SystemExit("set-up: %s\nfailed with exit code %d." % (" ".join(command), result.returncode))


def find_python() -> Optional[str]:
    """The path of a Python 3.13 that really runs, or None: a pyenv shim may be on PATH and still refuse."""
    pyenv = os.path.join(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"), "versions", "3.13*")
    for name in ["python3.13", "python3", sys.executable, *sorted(glob.glob(os.path.join(pyenv, "bin", "python3.13")))]:
        try:
            answer = subprocess.run([name, "-c", PROBE], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        except OSError:
            continue
        if answer.returncode == 0:
            return answer.stdout.decode().strip()
    return None


def pinned(name: str) -> str:
    """The requirement of one package as the lock file states it."""
    with open(LOCK) as lines:
        for line in lines:
            if line.startswith(name + "=="):
                return line.split(";")[0].strip()
    raise SystemExit("set-up: requirements-dev.txt names no version of %s." % name)


def venv_is_usable() -> bool:
    python = os.path.join(VENV, "bin", "python3.13")
    try:
        return (
            subprocess.run([python, "-c", PROBE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        )
    except OSError:
        return False


def make_venv() -> None:
    """Makes .venv from the machine's Python 3.13, or from one that uv fetches."""
    if os.path.isdir(VENV):
        say(".venv does not run Python 3.13: making it again")
        shutil.rmtree(VENV)
    python = find_python()
    if python:
        say("making .venv with " + python)
        run(python, "-m", "venv", VENV)
        return
    say("no Python 3.13 on this machine: fetching it with uv")
    helper = os.path.join(STATE, "bootstrap")
    try:
        run(sys.executable, "-m", "venv", "--clear", helper)
        run(os.path.join(helper, "bin", "python"), "-m", "pip", "install", "--quiet", pinned("uv"))
        uv = os.path.join(helper, "bin", "uv")
        run(uv, "python", "install", "3.13")
        run(uv, "venv", "--quiet", "--seed", "--python", "3.13", VENV)
    except SystemExit as error:
        raise SystemExit("%s\nInstall Python 3.13 (with its venv module), then call make again." % error)
    finally:
        shutil.rmtree(helper, ignore_errors=True)


def install() -> None:
    """Fills .venv with exactly what the lock names, then with the stillmotion command from this checkout."""
    python = os.path.join(VENV, "bin", "python3.13")
    uv = os.path.join(VENV, "bin", "uv")
    if not os.path.exists(uv):
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pinned("uv"))
    run(uv, "pip", "sync", "--quiet", "--python", python, LOCK)
    run(
        *[uv, "pip", "install", "--quiet", "--python", python, "--no-deps"],
        *["--no-build-isolation", "--editable", os.path.join(ROOT, "cli")],
    )


def main() -> None:
    if sys.version_info < (3, 8):
        raise SystemExit("set-up: Python 3.8 or newer is needed to set things up, this is %s." % sys.version.split()[0])
    os.makedirs(STATE, exist_ok=True)
    with open(os.path.join(STATE, "bootstrap.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not venv_is_usable():
            make_venv()
        install()
        with open(os.path.join(VENV, ".installed"), "w") as stamp:
            stamp.write("made from requirements-dev.txt\n")
    say("ready")


if __name__ == "__main__":
    main()
