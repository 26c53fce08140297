"""The pictures of a clip for people: its first and last frame, and a short animated preview."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

JPEG_QUALITY = 88
PREVIEW_BYTES = 500_000
LARGEST_JPEG_SIDE = 65_535

# Tried one after the other until the preview is small enough: quality, every nth frame, share of the size.
_ATTEMPTS = ((70, 1, 1.0), (50, 1, 1.0), (40, 2, 1.0), (35, 2, 0.7), (30, 3, 0.5), (20, 6, 0.35))


def jpeg(image: Image.Image) -> bytes:
    """A picture as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return file.getvalue()


def animated_preview(frames: Sequence[Image.Image], fps: float, limit: int = PREVIEW_BYTES) -> bytes:
    """The frames as an animated WebP of at most `limit` bytes that plays at their own speed, over and over."""
    content = b""
    for quality, step, scale in _ATTEMPTS:
        content = _webp(frames[::step], step / fps, quality, scale)
        if len(content) <= limit:
            return content
    return _webp(frames[:1], 1 / fps, 10, 0.35)


def _webp(frames: Sequence[Image.Image], seconds_a_frame: float, quality: int, scale: float) -> bytes:
    width, height = frames[0].size
    size = max(1, round(width * scale)), max(1, round(height * scale))
    first, *others = (frame.resize(size) if frame.size != size else frame for frame in frames)
    file = io.BytesIO()
    options = {"append_images": others, "duration": round(1000 * seconds_a_frame), "loop": 0, "method": 3}
    first.save(file, "WEBP", save_all=True, quality=quality, **options)
    return file.getvalue()
