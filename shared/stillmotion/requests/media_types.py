"""Media types of what is uploaded: their usual names, the others they go by, and file name extensions."""

from __future__ import annotations

from typing import Any, Literal

UploadType = Literal[
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
    "image/avif",
    "image/heic",
    "image/heif",
    "text/csv",
    "application/jsonl",
    "application/json",
]
MANIFEST_EXTENSIONS = {"text/csv": "csv", "application/jsonl": "jsonl", "application/json": "json"}
_EXTENSIONS = {"image/jpeg": "jpg", "image/svg+xml": "svg", "audio/mpeg": "mp3", "video/quicktime": "mov"}
_ALIASES = {
    **dict.fromkeys(("image/jpg", "image/pjpeg", "image/jfif"), "image/jpeg"),
    **dict.fromkeys(("image/x-png", "image/apng"), "image/png"),
    **dict.fromkeys(("image/x-bmp", "image/x-ms-bmp", "image/x-windows-bmp"), "image/bmp"),
    "image/avif-sequence": "image/avif",
    "image/heic-sequence": "image/heic",
    "image/heif-sequence": "image/heif",
    # The first is what Windows calls a CSV file where Excel is installed.
    **dict.fromkeys(
        ("application/vnd.ms-excel", "application/csv", "text/x-csv", "text/comma-separated-values"), "text/csv"
    ),
    **dict.fromkeys(
        ("application/x-ndjson", "application/ndjson", "application/jsonlines", "application/x-jsonlines"),
        "application/jsonl",
    ),
    "text/json": "application/json",
}
"""Media types as browsers and tools write them too."""


def plain_upload_type(content_type: Any) -> Any:
    """A media type without parameters, in lower case and by its usual name; anything else as it is."""
    if not isinstance(content_type, str):
        return content_type
    plain = content_type.split(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def extension_of(content_type: str) -> str:
    """The file name extension for a media type, for example ``jpg`` for ``image/jpeg``."""
    return _EXTENSIONS.get(content_type, content_type.split("/")[1])
