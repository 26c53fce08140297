"""What is trusted of that which others may have written: files of this machine, addresses, and names from the stack."""

import os
import re
import stat
from pathlib import Path
from urllib.parse import urlsplit

from stillmotion_cli.errors import CommandError, NoCredentials, NoStack

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# What ids are made of. A point alone or at the beginning is a hidden file or a folder, a dash an option.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
# Names that Windows keeps for devices, whatever follows a point.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Unfit(CommandError):
    """What the stack gave is used neither as a name nor as an address."""

    exit_code = 6


def read_own(path: Path) -> str:
    """The text of a file that tells where to send things.

    Raises:
        NoStack: the file, or the folder that it is in, is another user's or may be changed by others.
        OSError, UnicodeError: it cannot be read.
    """
    with path.open(encoding="utf-8") as file:
        # Of the open file, so that it cannot be exchanged between the look and the reading.
        for what, found in ((path, os.fstat(file.fileno())), (path, path.lstat()), (path.parent, path.parent.stat())):
            _check_owner(what, found)
        return file.read()


def _check_owner(path: Path, found: os.stat_result) -> None:
    why = None
    if found.st_uid != os.geteuid():
        why = "belongs to another user"
    elif not stat.S_ISLNK(found.st_mode) and found.st_mode & _shared_bits(found):
        why = f"may be changed by others (mode {stat.S_IMODE(found.st_mode):04o})"
    if why:
        raise NoStack(
            f"{path} {why}, so it is not trusted: it names the addresses that calls go to. If it is yours: chmod go-w "
            f"{path}. Otherwise name a stack: --stack-name NAME."
        )


def _shared_bits(found: os.stat_result) -> int:
    """The bits of a mode that let others write. A group that is the user's own and no one else's is no others."""
    private = found.st_gid == os.getegid() and found.st_gid == found.st_uid
    return stat.S_IWOTH if private else _OTHERS_MAY_WRITE


def is_loopback(url: str | None) -> bool:
    """Whether an address is one of this very machine."""
    try:
        parts = urlsplit(url or "")
        return parts.scheme in ("http", "https") and parts.hostname in LOOPBACK and parts.username is None
    except ValueError:
        return False


def may_carry_credentials(url: str) -> bool:
    """Whether a call that is signed with real credentials may go to this address of a stack on AWS.

    Only over https; http where CloudFormation itself is played by this machine, as the user's environment says.
    """
    try:
        parts = urlsplit(url)
        encrypted = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False
    named = os.environ.get("AWS_ENDPOINT_URL_CLOUDFORMATION") or os.environ.get("AWS_ENDPOINT_URL")
    return encrypted or (is_loopback(url) and is_loopback(named))


def require_signable(url: str) -> None:
    """Raises NoCredentials where a signed call to this address would show real credentials to others."""
    if not may_carry_credentials(url):
        raise NoCredentials(
            f"The stack's address {url} is not an https address, so no call is signed for it with your credentials. "
            "Check the stack's output ApiUrl."
        )


def require_link(link: object, api_url: str) -> str:
    """A link that the stack gave, if it may be followed: over https, or on this machine for a stack that is there too.

    Raises:
        Unfit: it may not.
    """
    if isinstance(link, str):
        try:
            parts = urlsplit(link)
            if (parts.scheme == "https" and parts.hostname) or (is_loopback(link) and is_loopback(api_url)):
                return link
        except ValueError:
            pass
    raise Unfit(f"The stack gave a link that is not followed, because it is no https address: {str(link)[:100]!r}.")


def is_device(name: str) -> bool:
    """Whether some file system takes a file of this name for a device."""
    return _DEVICES.match(name) is not None


def file_name(name: object) -> str:
    """A name that the stack gave, if a file may be called by it.

    Raises:
        Unfit: it may not.
    """
    if isinstance(name, str) and _ID.fullmatch(name) and ".." not in name and not is_device(name):
        return name
    raise Unfit(
        f"The stack answered with the id {str(name)[:100]!r}, which is none: no file is called by it, and no command "
        "names it. Check that the stack's ApiUrl leads to it and no proxy is in between."
    )
