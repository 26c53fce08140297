"""Which keys of the input bucket an entry point may name, and where a caller's own uploads are.

HTTP, and batches ordered there      the caller's own uploads, the shared prefix
bus event, and its batches           the shared prefix
dropped picture or manifest          its own folder and below, the shared prefix
workflow, and its batches            everything but videos/ and failed/
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UPLOADS = "uploads/"
WITHOUT_OWNER = "stack"
_OURS = ("videos/", "failed/")
_OWNER_CHARACTERS = 26


@dataclass(frozen=True, slots=True)
class Names:
    """Keys of the input bucket that begin with one of ``prefixes``, except those that begin with one of ``but``."""

    prefixes: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def admit(self, key: str) -> bool:
        return key.startswith(self.prefixes) and not key.startswith(self.but)


def names_of(source: Mapping[str, Any], owner: str | None) -> Names:
    """What a request may name beside the shared prefix, by the source on its record.

    A batch's rows have been checked by what their batch may name, and only workflows start them.
    """
    match source.get("type"):
        case "http":
            return Names() if owner is None else Names((upload_prefix(owner),))
        case "drop":
            return Names((folder_of(str(source["key"])),))
        case "workflow" | "batch":
            return Names(("",), but=_OURS)
    return Names()


def upload_prefix(owner: str | None) -> str:
    """Where a caller's pictures are put: ``uploads/`` and 26 base-32 characters of its ARN's SHA-256."""
    if owner is None:
        return f"{UPLOADS}{WITHOUT_OWNER}/"
    digest = base64.b32encode(hashlib.sha256(owner.encode()).digest()).decode().lower()
    return f"{UPLOADS}{digest[:_OWNER_CHARACTERS]}/"


def folder_of(key: str) -> str:
    """The folder of a key, with its slash; empty at the top."""
    folder, slash, _ = key.rpartition("/")
    return folder + slash
