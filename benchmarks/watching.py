"""One inspection in a process of its own.

``python -m benchmarks.watching WHAT CLIP PICTURE GAP`` does one of `inspect` (facts, likeness, pictures), `decode`
(PyAV alone, every frame) or `import`. GAP is how many bytes the clip is stretched by in its middle, without memory.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.stretching import Bytes, stretched


def inspect(clip: bytes, picture: bytes, gap: int) -> None:
    from stillmotion.inspection.clip import Limits, watch
    from stillmotion.inspection.likeness import compare
    from stillmotion.inspection.pictures import animated_preview, jpeg

    watched = watch(stretched(clip, gap) if gap else Bytes(clip), Limits())
    for name, frame in (("first_frame", watched.first), ("last_frame", watched.last)):
        if frame is not None:
            compare(name, frame, picture)
            jpeg(frame)
    animated_preview(watched.preview, watched.preview_fps)


def decode(clip: bytes) -> None:
    import io

    import av

    with av.open(io.BytesIO(clip)) as container:
        for frame in container.decode(video=0):  # type: ignore[union-attr]
            frame.to_ndarray(format="rgb24")


def main(what: str, clip: str, picture: str, gap: str) -> None:
    import av  # noqa: F401
    from PIL import Image  # noqa: F401

    if what == "inspect":
        inspect(Path(clip).read_bytes(), Path(picture).read_bytes(), int(gap))
    elif what == "decode":
        decode(Path(clip).read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
