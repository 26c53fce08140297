"""Laying pictures side by side: the panels of the gallery, and the animated picture at the head of README.md.

Everything stands on a card of its own colour, so that it reads the same on a light page and on a dark one.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

CARD, WORDS, FAINT, ACCENT = (22, 28, 27), (236, 238, 234), (148, 158, 154), (64, 190, 150)
GAP, CAPTION, TEXT = 16, 28, 15
CHECK, LIGHT, DARK = 12, (226, 226, 226), (168, 168, 168)


def on_checks(picture: Image.Image) -> Image.Image:
    """A picture as RGB; where it is transparent, over the usual grey checks."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    board = Image.new("RGB", picture.size, LIGHT)
    draw = ImageDraw.Draw(board)
    for top in range(0, picture.height, CHECK):
        for left in range((top // CHECK % 2) * CHECK, picture.width, 2 * CHECK):
            draw.rectangle((left, top, left + CHECK - 1, top + CHECK - 1), fill=DARK)
    board.paste(picture.convert("RGBA"), mask=picture.convert("RGBA").getchannel("A"))
    return board


def panels(pictures: Sequence[tuple[str, Image.Image]], height: int, widest: int) -> Image.Image:
    """Pictures beside each other, each with a caption below it, at most `height` high and `widest` wide in pixels."""
    small = [(caption, _inside(picture, widest, height)) for caption, picture in pictures]
    tall = max(picture.height for _, picture in small)
    card = Image.new("RGB", (sum(p.width for _, p in small) + GAP * (len(small) + 1), tall + CAPTION + 2 * GAP), CARD)
    left = GAP
    for caption, picture in small:
        card.paste(picture, (left, GAP + (tall - picture.height) // 2))
        _write(card, caption, left + picture.width // 2, GAP + tall + CAPTION // 2 + 4)
        left += picture.width + GAP
    return card


def still_to_clip(
    first: Image.Image, last: Image.Image, frames: Sequence[Image.Image], captions: tuple[str, str, str]
) -> list[Image.Image]:
    """One picture a frame: the two stills one above the other, an arrow, and the clip. Captions in that order."""
    clip_width, clip_height = frames[0].size
    still = _inside(first, clip_width, (clip_height - GAP - CAPTION) // 2)
    other = last.resize(still.size, Image.Resampling.LANCZOS)
    arrow = 56
    size = (still.width + arrow + clip_width + 2 * GAP, clip_height + CAPTION + 2 * GAP)
    card = Image.new("RGB", size, CARD)
    right = GAP + still.width + arrow
    for caption, picture, top in ((captions[0], still, GAP), (captions[1], other, GAP * 2 + CAPTION + still.height)):
        card.paste(picture, (GAP, top))
        _write(card, caption, GAP + still.width // 2, top + still.height + CAPTION // 2)
    _write(card, captions[2], right + clip_width // 2, GAP + clip_height + CAPTION // 2)
    _arrow(card, GAP + still.width + 14, GAP + clip_height // 2, arrow - 28)
    shown = []
    for number, frame in enumerate(frames):
        one = card.copy()
        one.paste(frame, (right, GAP))
        done = (number + 1) * clip_width // len(frames)
        ImageDraw.Draw(one).rectangle((right, GAP + clip_height, right + done, GAP + clip_height + 2), fill=ACCENT)
        shown.append(one)
    return shown


def animation(frames: Sequence[Image.Image], milliseconds: int, rest: int, limit: int) -> bytes:
    """An animated WebP of at most `limit` bytes, over and over; the last frame stays `rest` milliseconds longer.

    Raises ValueError where no quality makes it small enough.
    """
    times = [milliseconds] * (len(frames) - 1) + [milliseconds + rest]
    for quality in (90, 80, 70, 60, 50, 40):
        file = BytesIO()
        options = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0, "method": 4}
        frames[0].save(file, "WEBP", quality=quality, **options)
        if file.tell() <= limit:
            return file.getvalue()
    raise ValueError(f"{len(frames)} frames of {frames[0].size} do not fit into {limit:,} bytes")


def _inside(picture: Image.Image, width: int, height: int) -> Image.Image:
    scale = min(width / picture.width, height / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _write(card: Image.Image, text: str, x: int, y: int) -> None:
    draw = ImageDraw.Draw(card)
    draw.text((x, y), text, fill=FAINT if text.startswith("(") else WORDS, font=_font(), anchor="mm")


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # Pillow brings this font along, so the pictures do not depend on what a machine has.
    return ImageFont.load_default(TEXT)


def _arrow(card: Image.Image, left: int, middle: int, length: int) -> None:
    draw = ImageDraw.Draw(card)
    draw.line((left, middle, left + length - 6, middle), fill=ACCENT, width=4)
    tip = left + length
    draw.polygon([(tip, middle), (tip - 12, middle - 8), (tip - 12, middle + 8)], fill=ACCENT)
