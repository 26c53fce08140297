"""The stack that `stillmotion use` saved as the default: a small TOML file in the user's configuration folder."""

import json
import os
import tomllib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from stillmotion_cli.errors import BadInput

NAMES = ("stack", "profile", "region")


@dataclass(frozen=True, slots=True)
class SavedStack:
    """The name of a CloudFormation stack, with the profile and region to find it with, where they were given."""

    stack: str
    profile: str | None = None
    region: str | None = None


def path() -> Path:
    """Where the default is kept: $XDG_CONFIG_HOME/stillmotion/config.toml, without that variable below ~/.config."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "stillmotion" / "config.toml"


def read() -> SavedStack | None:
    """The saved default, None where nothing is saved. Raises BadInput for a file with other content."""
    file = path()
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(str(error)) from error
    given = {name: values[name] for name in NAMES if name in values}
    if wrong := [f"{name} = {value!r}" for name, value in given.items() if not isinstance(value, str) or not value]:
        raise _unreadable(f"{', '.join(wrong)} is no name")
    if "stack" not in given:
        return None
    return SavedStack(**given)


def write(saved: SavedStack) -> None:
    """Keep a default in place of the one before."""
    file = path()
    # A JSON text is a TOML text as well, whatever characters a name has.
    lines = [f"{name} = {json.dumps(value)}" for name, value in asdict(saved).items() if value is not None]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text("# Written by: stillmotion use\n" + "\n".join(lines) + "\n", encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise BadInput(
            f"{file} cannot be written: {error.strerror}. Set STILLMOTION_STACK instead, or another XDG_CONFIG_HOME."
        ) from error


def forget() -> bool:
    """Remove the default. Returns whether there was one."""
    with suppress(FileNotFoundError):
        path().unlink()
        return True
    return False


def _unreadable(why: str) -> BadInput:
    return BadInput(
        f"{path()} cannot be read: {why}. Save it again: stillmotion use NAME. Or remove it: stillmotion use --none"
    )
