"""Take the pictures of the console that the documents show: docs/images/console-*.png.

python -m scripts.screenshots    starts a local cloud of its own; the clips in the pictures are the simulator's
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from local.cloud import LocalCloud
from local.paths import ROOT, SAMPLE
from local.simulator.pictures import landscape
from scripts import chromium
from tests.browser.support import choose, console, state, wait_for_price
from tests.e2e.support import SimulatorControl

IMAGES = ROOT / "docs" / "images"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True}
DARK: dict[str, Any] = {**DESKTOP, "color_scheme": "dark"}
CLIPS = {
    "A slow push in on the moon": ("cliff", 1080, 1920),
    "The sun climbs over the hills": ("lake", 1600, 900),
    "Mist rises from the valley": None,
}
"""The prompts, with the picture that is drawn for each; None: the sample."""
PROMPTS = tuple(CLIPS)


@contextmanager
def opened(browser: Browser, address: str, options: dict[str, Any]) -> Iterator[Page]:
    """The page in a window of its own."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto(address)
    page.wait_for_url("**/#make")
    yield page
    context.close()


def take(page: Page, name: str) -> None:
    """Store what the window shows."""
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("looking…")).to_have_count(0, timeout=60_000)
    path = IMAGES / f"console-{name}.png"
    picture = Image.open(BytesIO(page.screenshot()))
    # A palette is enough for a page, and a third of the size.
    picture.convert("RGB").quantize(256).save(path, optimize=True)
    print(path.relative_to(ROOT))


def wish(page: Page, prompt: str) -> None:
    """A picture, a prompt and the price of both."""
    drawn = CLIPS.get(prompt)
    choose(page, picture(*drawn) if drawn else SAMPLE)
    page.get_by_role("textbox", name="Prompt").fill(prompt)
    wait_for_price(page)


def picture(name: str, width: int, height: int) -> FilePayload:
    """A landscape, as the file dialog hands it over."""
    file = BytesIO()
    landscape(name, width, height).save(file, "JPEG", quality=92)
    return {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def make(page: Page, prompt: str) -> None:
    """Make a clip and wait for the end."""
    page.get_by_role("link", name="Make", exact=True).click()
    wish(page, prompt)
    page.get_by_role("button", name="Make the clip").click()
    page.wait_for_url("**/#watch/*")


def inspected(page: Page) -> None:
    """Wait until the page shows what the stack found in the clip."""
    expect(page.locator(".timeline li", has_text="Inspected")).to_be_visible(timeout=60_000)


def play(page: Page) -> None:
    """Let the clip play for a moment, so that the picture shows it."""
    page.locator(".clip video").evaluate("(clip) => { clip.muted = true; return clip.play(); }")
    page.wait_for_timeout(1500)


def light(browser: Browser, address: str, simulator: SimulatorControl) -> None:
    """Desktop: make, watch, gallery, read, and a job that failed."""
    with opened(browser, address, DESKTOP) as page:
        for prompt in PROMPTS:
            make(page, prompt)
            state(page, "completed")
            inspected(page)
        play(page)
        take(page, "watch")
        with simulator.settings(fail_with={"status": "failed", "error": "Refused by the content policy."}):
            make(page, "Something that is refused")
            state(page, "failed")
        take(page, "failed")
        page.get_by_role("link", name="Gallery").click()
        page.locator(".card img").nth(2).wait_for()
        page.wait_for_timeout(1500)
        take(page, "gallery")
        page.get_by_role("link", name="Make", exact=True).click()
        choose(page, SAMPLE, "Last frame")
        page.get_by_role("spinbutton", name="Duration").fill("8")
        page.get_by_label("Shape").select_option("9:16")
        wait_for_price(page)
        page.get_by_text("Cheaper:").wait_for()
        take(page, "make")
        page.get_by_role("link", name="Read").click()
        page.locator("summary", has_text="/models").click()
        take(page, "read")


def others(browser: Browser, address: str, folder: Path) -> None:
    """Dark, phone, and a picture that cannot be used."""
    with opened(browser, address, DARK) as page:
        wish(page, PROMPTS[0])
        take(page, "dark")
    with opened(browser, address, PHONE) as page:
        wish(page, PROMPTS[0])
        take(page, "phone-make")
        page.get_by_role("link", name="Gallery").click()
        page.locator(".card img").first.wait_for()
        page.wait_for_timeout(1500)
        take(page, "phone-gallery")
        page.locator(".card", has_text=PROMPTS[1]).click()
        inspected(page)
        play(page)
        take(page, "phone-watch")
    bad = folder / "holiday.jpg"
    bad.write_text("<!doctype html><title>403</title>")
    with opened(browser, address, DESKTOP) as page:
        choose(page, bad)
        expect(page.locator(".note.bad")).to_be_visible()
        take(page, "error")


def main() -> int:
    path = chromium.find()
    if path is None:
        print(chromium.HELP, file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCloud("screenshots", seconds_to_ready=1) as cloud,
        console(cloud.stack, Path(folder) / "home") as address,
        sync_playwright() as playwright,
    ):
        simulator_url = cloud.stack.simulator_url
        assert simulator_url
        browser = playwright.chromium.launch(executable_path=path)
        light(browser, address, SimulatorControl(simulator_url))
        others(browser, address, Path(folder))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
