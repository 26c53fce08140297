"""Merging a request from several sources by the meaning of its fields, so that no given value is lost."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from stillmotion.errors import Fault, InvalidRequest

METADATA = "metadata."
_FRAMES = ("first_frame", "last_frame")
_SHAPE = ("resolution", "aspect_ratio")
_GROUPS = ("metadata", "provider", "trace")
"""Fields that are objects: those of both sides are put together, name by name."""


def flattened(data: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as a request has them: ``first_frame``, ``last_frame`` and ``metadata.<name>`` are short for more.

    Fields that are ``null`` are not given, as empty cells are not: tables saved as JSON have them in every row.

    Raises:
        InvalidRequest: a field is given in both ways.
    """
    given = {name: value for name, value in data.items() if value is not None}
    frames = {name: given.pop(name) for name in _FRAMES if name in given}
    pairs = {
        name.removeprefix(METADATA): given.pop(name) for name in data if name.startswith(METADATA) and name in given
    }
    if frames and "frame_images" in given:
        detail = "is given together with first_frame or last_frame: give one or the others"
        raise InvalidRequest(f"frame_images {detail}.", faults=[Fault("#/frame_images", detail)])
    if frames:
        given["frame_images"] = [
            {"type": "image_url", "image_url": {"url": url}, "frame_type": name} for name, url in frames.items()
        ]
    metadata = given.get("metadata", {})
    if pairs and isinstance(metadata, dict):
        twice = next((name for name in pairs if name in metadata and metadata[name] != pairs[name]), None)
        if twice is not None:
            detail = f"has '{twice}' twice, as {METADATA}{twice} too: give it once"
            raise InvalidRequest(f"metadata {detail}.", faults=[Fault("#/metadata", detail)])
        given["metadata"] = metadata | pairs
    return given


def merged(defaults: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row merged with its defaults, both flattened, by the meaning of the fields.

    Frames join by their type, the fields of objects by their names. A size of the row's own disables the defaults'
    resolution and aspect ratio, and either of these the defaults' size.
    """
    kept = dict(defaults)
    if row.get("size") is not None:
        kept = {name: value for name, value in kept.items() if name not in _SHAPE}
    if any(row.get(name) is not None for name in _SHAPE):
        kept.pop("size", None)
    whole = kept | dict(row)
    for name in _GROUPS:
        if name in kept and name in row:
            whole[name] = _joined(kept[name], row[name])
    if "frame_images" in whole:
        whole["frame_images"] = _joined_frames(kept.get("frame_images"), row.get("frame_images"))
    return whole


def _joined(default: Any, own: Any) -> Any:
    """Two objects merged, nested ones too; where one of them is no object, the row's value."""
    if not isinstance(default, dict) or not isinstance(own, dict):
        return own
    return default | {name: _joined(default.get(name), own[name]) for name in own}


def _joined_frames(defaults: Any, own: Any) -> Any:
    """The row's frames, and the defaults' frames of other types; where one is no list of frames, the row's value."""
    if own is None or defaults is None:
        return deepcopy(defaults if own is None else own)  # copies, because addresses are completed in place
    types = [frame.get("frame_type") for frame in own if isinstance(frame, dict)] if isinstance(own, list) else []
    if not types or not isinstance(defaults, list):
        return own
    others = [frame for frame in defaults if not (isinstance(frame, dict) and frame.get("frame_type") in types)]
    frames = deepcopy([*own, *others])
    return sorted(frames, key=lambda frame: isinstance(frame, dict) and frame.get("frame_type") == "last_frame")
