"""Addresses that are relative to the folder of the file that names them."""

from __future__ import annotations

import re
from typing import Any

from stillmotion.errors import Fault, InvalidRequest, pointer

_SCHEME = re.compile(r"data:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DRIVE = re.compile(r"[a-z]:[\\/]", re.IGNORECASE)


def whole_addresses(data: dict[str, Any], folder: str) -> dict[str, Any]:
    """A request with its relative addresses made whole.

    Args:
        data: a request that is not checked yet; changed in place.
        folder: an ``s3://`` address with a slash at its end.

    Raises:
        InvalidRequest: a path leads out of the folder, or belongs to another machine.
    """
    for field in ("frame_images", "input_references"):
        listed = data.get(field)
        for at, entry in enumerate(listed if isinstance(listed, list) else []):
            kind = entry.get("type", "image_url") if isinstance(entry, dict) else None
            media = entry.get(kind) if isinstance(kind, str) else None
            url = media.get("url") if isinstance(media, dict) else None
            if isinstance(media, dict) and isinstance(url, str) and url.strip() and not _SCHEME.match(url):
                media["url"] = folder + _inside(url, pointer(field, at, kind, "url"))
    return data


def _inside(path: str, place: str) -> str:
    """A path as a key below the folder: Windows' backslashes are slashes; colons and spaces belong to names."""
    plain = path.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if _DRIVE.match(path) or plain.startswith("/"):
        detail = "is a path on a machine: give a path relative to the folder, or an https:// or s3:// address"
    elif ".." in parts:
        detail = "leads out of its folder: give a path below the folder, or an https:// or s3:// address"
    elif not parts or plain.endswith("/"):
        detail = "names a folder: give the path of a picture"
    else:
        return "/".join(parts)
    raise InvalidRequest(
        f"{Fault(place, detail).place}: '{path[:200]}' {detail}. Nothing was submitted.",
        faults=[Fault(place, detail, given=path[:200])],
    )
