"""The pictures of README.md and docs/gallery.md: what they are made from, and that the pages show them."""

from __future__ import annotations

import re
from io import BytesIO
from xml.etree import ElementTree

import pytest
from PIL import Image

from scripts import gallery, gallery_pictures
from stillmotion.requests.picture_header import read_header
from tests.support.template import ROOT

IMAGES = ROOT / "docs" / "images"
PICTURES = re.compile(r"!\[([^\]]+)\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", ["README.md", "docs/gallery.md", "docs/console.md"])
def test_every_picture_of_a_page_is_there_and_described(page: str) -> None:
    shown = PICTURES.findall((ROOT / page).read_text())
    assert shown
    for described, target in shown:
        assert ((ROOT / page).parent / target).is_file(), target
        assert described.strip(), target


def test_the_page_shows_every_case_with_what_the_inspection_measured() -> None:
    text = gallery.PAGE.read_text()
    for case in gallery.CASES:
        section = text.partition(f"\n## {case.title}\n")[2].partition("\n## ")[0]
        assert f"(images/gallery-{case.name}.jpg)" in section
        likeness = [int(figure) for figure in re.findall(r"(\d+) dB", section)]
        assert len(likeness) == (2 if case.last else 1)
        assert min(likeness) >= 30
    assert text.startswith(gallery.HEAD)


@pytest.mark.slow
def test_the_cases_are_of_several_shapes() -> None:
    shapes = {}
    for case in gallery.CASES:
        header = read_header(case.first())
        assert header is not None
        shapes[case.name] = header.width / header.height
    assert shapes["portrait"] < 0.6
    assert shapes["square"] == 1
    assert shapes["panorama"] == 3
    assert shapes["exif"] == 0.75
    with Image.open(BytesIO(gallery.turned())) as stored:
        assert stored.width > stored.height
    with Image.open(BytesIO(gallery.cut_out())) as picture:
        assert picture.getchannel("A").getextrema() == (0, 255)


@pytest.mark.slow
def test_a_clip_of_the_gallery_begins_with_its_picture() -> None:
    made = gallery.make(gallery.Case("test", "Test", "A test.", lambda: gallery.painted("lake", 320, 320)))
    assert (made.ratio, made.size, made.lost, made.last_db) == ("1:1", (480, 480), 0.0, None)
    assert made.first_db > 30
    width = 3 * gallery.PANEL_HEIGHT + 4 * gallery_pictures.GAP
    assert made.panels.width == width


def test_the_animated_picture_moves_and_is_small() -> None:
    assert gallery.HERO.stat().st_size <= gallery.HERO_BYTES
    with Image.open(gallery.HERO) as picture:
        assert picture.n_frames > 20
        first = picture.convert("RGB").copy()
        picture.seek(picture.n_frames - 1)
        assert picture.convert("RGB").getpixel((600, 60)) != first.getpixel((600, 60))


def test_an_animation_that_cannot_be_small_enough_is_refused() -> None:
    frames = [Image.effect_noise((64, 64), 90).convert("RGB") for _ in range(3)]
    assert gallery_pictures.animation(frames, 80, 0, 100_000)
    with pytest.raises(ValueError, match="3 frames of"):
        gallery_pictures.animation(frames, 80, 0, 500)


def test_the_drawing_of_the_architecture_names_what_there_is() -> None:
    root = ElementTree.parse(IMAGES / "architecture.svg").getroot()
    name = "{http://www.w3.org/2000/svg}"
    words = {"".join(text.itertext()) for text in root.iter(f"{name}text")}
    template = (ROOT / "template.yaml").read_text()
    for function in ("SubmitApi", "Submit", "Poll", "Deliver", "RecordFailure", "Sweep", "Inspect"):
        assert function in words
        assert re.search(rf"^  {function}(Task)?(Function)?:$", template, re.MULTILINE), function
    assert "GenerateVideo" in words
    style = "".join(root.find(f"{name}style").itertext())
    assert "prefers-color-scheme: dark" in style
    # Both themes define the same classes, so nothing keeps a light colour on a dark card.
    light, _, dark = style.partition("@media")
    coloured = re.compile(r"\.(card|part|step|data|other|group|words|faint|accent|line|tip) \{ [^}]*(?:#)")
    assert {found[1] for found in coloured.finditer(light)} == {found[1] for found in coloured.finditer(dark)}
