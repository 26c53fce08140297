"""Make docs/gallery.md with its pictures, and the animated picture at the head of README.md.

python -m scripts.gallery    needs no cloud: the simulator's encoder renders every clip in this process
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from threading import Event

from PIL import Image, ImageDraw

from local.paths import SAMPLE
from local.simulator.catalogue import RECORDED
from local.simulator.pictures import landscape
from local.simulator.shapes import frame_size
from local.simulator.studio import Recipe, render
from scripts import gallery_pictures
from scripts.generated import ROOT

sys.path.insert(0, str(ROOT / "shared"))

IMAGES = ROOT / "docs" / "images"
PAGE = ROOT / "docs" / "gallery.md"
HERO = IMAGES / "still-to-clip.webp"
HERO_BYTES = 1_000_000
HERO_SIDE, HERO_STEP, HERO_MILLISECONDS, HERO_REST = (512, 288), 2, 83, 1200
MODEL, LINES, SECONDS = "bytedance/seedance-2.0", "480p", 4
PANEL_HEIGHT, PANEL_WIDTH = 300, 480
# EXIF's word for "turn by 90° clockwise to see it upright".
ORIENTATION, TURNED = 0x0112, 6

HEAD = f"""\
# Gallery: pictures and the clips they become

Every clip here is made by the simulator of ModelGates that `make run` and `make local` use. It moves slowly over the
given picture, or dissolves from the first picture to the last; a real model invents the motion in between. The first
frame is the given picture, and so is the last one where a last picture is given.

None of these requests named a shape, so Stillmotion chose the one nearest to the first picture from those that the
model lists (here `{MODEL}`). Where the shapes differ, the page says which share of the picture lies outside the frame;
the answer to such a request has a warning. *Likeness* is the PSNR between the given picture, laid into the frame, and
the decoded frame, measured as the [inspection](inspection.md) measures it for every clip: above 40 dB differences are
hard to see.

`make gallery` makes this page and its pictures anew.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One pair of pictures: `name` is that of its file, `text` says what is special about it."""

    name: str
    title: str
    text: str
    first: Callable[[], bytes]
    last: Callable[[], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a case: the ratio that was chosen, the frame's size, and the likeness at both ends in dB."""

    ratio: str
    size: tuple[int, int]
    lost: float
    first_db: float
    last_db: float | None
    panels: Image.Image


def painted(name: str, width: int, height: int) -> bytes:
    """A landscape as a JPEG file."""
    return _file(landscape(name, width, height), "JPEG", quality=92)


def turned() -> bytes:
    """A portrait as a phone stores it: the sensor's rows, and an EXIF note that says how to turn them."""
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    stored = landscape("harbour", 900, 1200).transpose(Image.Transpose.ROTATE_90)
    return _file(stored, "JPEG", quality=92, exif=exif.tobytes())


def cut_out() -> bytes:
    """A round picture in a transparent square, as PNG."""
    picture = landscape("island", 900, 900).convert("RGBA")
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).ellipse((60, 60, 840, 840), fill=255)
    picture.putalpha(mask)
    return _file(picture, "PNG")


def _file(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


CASES = (
    Case("wide", "Wide", "The sample of `make run`.", SAMPLE.read_bytes),
    Case(
        "pair",
        "First and last",
        "Two pictures of one shape: the clip begins with one and ends with the other.",
        SAMPLE.read_bytes,
        lambda: painted("morning-5", 1600, 900),
    ),
    Case("portrait", "Portrait", "As a phone holds it upright.", lambda: painted("cliff", 1080, 1920)),
    Case(
        "square",
        "Square, with a last picture",
        "Both square, of different sizes.",
        lambda: painted("lake", 1024, 1024),
        lambda: painted("dune", 640, 640),
    ),
    Case(
        "panorama",
        "Panorama",
        "Three times as wide as high. No model offers that, so the nearest shape cuts off both sides.",
        lambda: painted("ridge", 2400, 800),
    ),
    Case("exif", "Turned by EXIF", "Stored on its side, with a note how to turn it. The clip is upright.", turned),
    Case(
        "alpha",
        "Transparent",
        "Models make transparency black. `stillmotion generate --flatten white` lays a picture over white first.",
        cut_out,
    ),
)


def make(case: Case) -> Made:
    """Render a case's clip and look at it, as the stack would."""
    from stillmotion.inspection.clip import Limits, watch
    from stillmotion.inspection.likeness import compare
    from stillmotion.requests.aspect_ratio import share_lost
    from stillmotion.requests.picture_header import read_header

    first, last = case.first(), case.last() if case.last else None
    header = read_header(first)
    assert header is not None
    ratio = min(_ratios(), key=lambda each: share_lost(header.size, each))
    size = frame_size(LINES, ratio)
    clip = render(Recipe(*size, SECONDS, audio=False, theme=case.name, first=first, last=last), Event())
    seen = watch(InMemory(clip), Limits())
    assert seen.last is not None
    at_first = compare("first_frame", seen.first, first)
    at_last = compare("last_frame", seen.last, last) if last else None
    given = [("given: first picture", first)] + ([("given: last picture", last)] if last else [])
    pictures = [(caption, gallery_pictures.on_checks(Image.open(BytesIO(content)))) for caption, content in given]
    shown = [*pictures, ("clip: first frame", seen.first), ("clip: last frame", seen.last)]
    return Made(
        ratio=ratio,
        size=size,
        lost=at_first.lost_share or 0.0,
        first_db=at_first.psnr_db or 0.0,
        last_db=at_last.psnr_db if at_last else None,
        panels=gallery_pictures.panels(shown, PANEL_HEIGHT, PANEL_WIDTH if len(shown) < 4 else PANEL_WIDTH * 3 // 4),
    )


def section(case: Case, made: Made) -> str:
    """A case's part of the page."""
    lost = f"{made.lost:.0%} of the picture is outside" if made.lost else "the whole picture is shown"
    likeness = f"{made.first_db:.0f} dB at the first frame"
    if made.last_db is not None:
        likeness += f", {made.last_db:.0f} dB at the last"
    width, height = made.size
    return (
        f"\n## {case.title}\n\n{case.text}\n\n"
        f"![{case.title}: the given picture beside the first and the last frame of its clip](images/{_name(case)})\n\n"
        f"Shape {made.ratio} ({width} × {height}), {lost}. Likeness: {likeness}.\n"
    )


def hero() -> bytes:
    """The animated picture: two stills, and the clip between them."""
    from stillmotion.inspection.clip import Limits, watch

    case = CASES[1]
    assert case.last is not None
    first, last = case.first(), case.last()
    size = frame_size(LINES, "16:9")
    clip = render(Recipe(*size, SECONDS, audio=False, theme="hero", first=first, last=last), Event())
    frames = [frame.resize(HERO_SIDE, Image.Resampling.LANCZOS) for frame in every_frame(clip)[::HERO_STEP]]
    seen = watch(InMemory(clip), Limits())
    assert seen.last is not None
    frames.append(seen.last.resize(HERO_SIDE, Image.Resampling.LANCZOS))
    captions = ("first picture", "last picture", "the clip (made by the simulator)")
    start, end = (Image.open(BytesIO(content)).convert("RGB") for content in (first, last))
    shown = gallery_pictures.still_to_clip(start, end, frames, captions)
    return gallery_pictures.animation(shown, HERO_MILLISECONDS, HERO_REST, HERO_BYTES)


def every_frame(clip: bytes) -> list[Image.Image]:
    """The decoded frames of a clip, as RGB."""
    import av

    with av.open(BytesIO(clip), "r") as container:
        return [frame.to_image() for frame in container.decode(video=0)]  # type: ignore[no-untyped-call]


class InMemory:
    """A clip as the inspection reads one."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self._content)

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to, and without, `end`."""
        return self._content[start:end]


def _ratios() -> list[str]:
    """The shapes of the model that the gallery is made with, as the recorded list states them."""
    models = json.loads(RECORDED.read_text())["data"]
    ratios: list[str] = next(model for model in models if model["id"] == MODEL)["supported_aspect_ratios"]
    return ratios


def _name(case: Case) -> str:
    return f"gallery-{case.name}.jpg"


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    text = HEAD
    for case in CASES:
        made = make(case)
        made.panels.save(IMAGES / _name(case), "JPEG", quality=85, optimize=True)
        text += section(case, made)
        print(f"wrote docs/images/{_name(case)}")
    PAGE.write_text(text)
    HERO.write_bytes(hero())
    print(f"wrote {PAGE.relative_to(ROOT)} and {HERO.relative_to(ROOT)} ({HERO.stat().st_size:,} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
