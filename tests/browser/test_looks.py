"""How the page looks: nothing overlaps, nothing sticks out, and axe-core finds nothing serious."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from local.paths import SAMPLE
from stillmotion_cli.stack import Stack
from tests.browser.support import (
    WIDTHS,
    Open,
    button,
    choose,
    layout_faults,
    plays,
    serious_faults,
    state,
    submit,
    wait_for_price,
    wait_until_inspected,
)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The job that the tests here look at, made by the first that needs it."""
    return {}


def job_of(open_page: Open, made: dict[str, str]) -> str:
    if "job" not in made:
        page = open_page()
        made["job"] = submit(page, "A slow push in over the hills while the light goes and the first rain begins")
        state(page, "completed")
    return made["job"]


def settled(page: Page) -> None:
    """Wait until nothing is being fetched any more."""
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("looking…")).to_have_count(0)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overlaps_or_sticks_out(open_page: Open, made: dict[str, str], tmp_path: Path, width: int) -> None:
    job = job_of(open_page, made)
    page = open_page(width=width)
    picture = tmp_path / ("a-picture-with-a-rather-long-name-" * 3 + ".png")
    Image.new("RGB", (700, 1200), "teal").save(picture)
    choose(page, picture)
    choose(page, SAMPLE, "Last frame")
    page.get_by_role("spinbutton", name="Duration").fill("8")
    wait_for_price(page)
    page.get_by_text(re.compile(r"\d+ cannot do this")).click()
    faults = {"make": layout_faults(page)}
    for area in (f"watch/{job}", "watch", "gallery", "read"):
        page.evaluate("(area) => { location.hash = area; }", area)
        settled(page)
        if area == "read":
            page.locator("summary", has_text=re.compile("^POST/videos[^/]")).click()
        faults[area] = layout_faults(page)
    assert faults == {"make": [], f"watch/{job}": [], "watch": [], "gallery": [], "read": []}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: Open, made: dict[str, str], scheme: str) -> None:
    job = job_of(open_page, made)
    page = open_page(color_scheme=scheme)
    choose(page)
    wait_for_price(page)
    page.get_by_text(re.compile(r"\d+ cannot do this")).click()
    found = serious_faults(page)
    page.get_by_role("spinbutton", name="Seed").fill("-1")
    expect(page.locator(".problems .failure")).to_be_visible()
    found += serious_faults(page)
    for area in (f"watch/{job}", "watch", "gallery", "read"):
        page.evaluate("(area) => { location.hash = area; }", area)
        settled(page)
        if area == "read":
            page.locator("summary", has_text=re.compile("^POST/videos[^/]")).click()
        found += serious_faults(page)
    assert found == []


def test_the_whole_way_works_on_a_phone(open_page: Open) -> None:
    page = open_page(width=360, height=740, has_touch=True, is_mobile=True, device_scale_factor=2)
    choose(page)
    page.get_by_role("textbox", name="Prompt").fill("On the way")
    wait_for_price(page)
    expect(button(page)).to_be_in_viewport()
    button(page).tap()
    state(page, "completed")
    page.locator(".clip video").evaluate("(clip) => clip.play()")
    assert plays(page, page.locator(".clip video"))
    page.get_by_role("link", name="Gallery").tap()
    expect(page.get_by_role("link", name="On the way").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_nothing_moves_while_a_picture_and_its_price_arrive(page: Page) -> None:
    page.locator("input[name=model]").first.wait_for()
    page.evaluate(
        """() => { window.shift = 0; new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (!one.hadRecentInput) window.shift += one.value;
        }).observe({ type: 'layout-shift', buffered: true }); }"""
    )
    choose(page)
    wait_for_price(page)
    assert page.evaluate("window.shift") < 0.02


def test_previews_stay_still_for_those_who_want_less_motion(
    open_page: Open, made: dict[str, str], stack: Stack
) -> None:
    job = job_of(open_page, made)
    wait_until_inspected(stack, job)
    page = open_page("gallery", reduced_motion="reduce")
    card = page.locator(f".card[href='#watch/{job}']")
    preview = card.locator("img")
    preview.wait_for()
    card.hover()
    page.wait_for_timeout(500)
    expect(preview).to_have_attribute("src", re.compile("poster"))
