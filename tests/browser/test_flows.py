"""What people do with the console, in a real Chromium against a deployed local stack."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from local.paths import SAMPLE
from stillmotion_cli.client import ApiClient
from stillmotion_cli.stack import Stack
from stillmotion_cli.units import money
from tests.browser.support import button, choose, plays, state, submit, wait_for_price, wait_until_inspected
from tests.e2e.support import SimulatorControl


def test_from_a_picture_to_the_clip_in_the_gallery(page: Page, stack: Stack, simulator: SimulatorControl) -> None:
    before = len(simulator.jobs())
    choose(page)
    page.get_by_role("textbox", name="Prompt").fill("A slow push in")
    price = wait_for_price(page)
    expect(page.locator(".note", has_text="whole at 16:9")).to_be_visible()

    button(page).dblclick()
    page.wait_for_url(re.compile(r"#watch/vid_"))
    job_id = page.url.rpartition("/")[2]
    state(page, "completed")
    clip = page.locator(".clip video")
    clip.evaluate("(clip) => clip.play()")
    assert plays(page, clip)
    job = ApiClient(stack).job(job_id)
    assert money(job["usage"]["cost_usd"]) == price
    assert len(simulator.jobs()) == before + 1
    expect(page.get_by_text(f"stillmotion download {job_id}")).to_be_visible()
    expect(page.get_by_text(job["video"][0]["s3_uri"], exact=True)).to_be_visible()

    expect(page.locator(".timeline li", has_text="Inspected")).to_be_visible()
    expect(page.locator(".likeness li", has_text="First frame")).to_contain_text("dB · SSIM")
    wait_until_inspected(stack, job_id)
    page.get_by_role("link", name="Gallery").click()
    card = page.get_by_role("link", name="A slow push in").first
    preview = card.locator("img")
    expect(preview).to_have_attribute("src", re.compile("poster"))
    card.hover()
    expect(preview).to_have_attribute("src", re.compile("preview"))
    page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=preview.element_handle())
    expect(page.locator(".panel .price")).not_to_have_text("$0.00")
    card.click()
    expect(page.locator(".status code")).to_have_text(job_id)


def test_the_clip_is_what_was_stored(page: Page, stack: Stack) -> None:
    job_id = submit(page, "Rain begins")
    state(page, "completed")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the clip").click()
    [stored] = ApiClient(stack).job(job_id)["video"]
    assert download.value.suggested_filename == f"{job_id}.mp4"
    assert Path(download.value.path()).stat().st_size == stored["bytes"]


def test_a_refused_picture_says_why(page: Page, not_a_picture: Path) -> None:
    choose(page, not_a_picture)
    expect(page.locator(".note", has_text="neither JPEG, PNG")).to_be_visible()
    expect(page.locator(".bar .beside")).to_have_text("A picture cannot be used. Choose another one.")
    expect(button(page)).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Remove the first frame").click()
    choose(page)
    wait_for_price(page)


def test_a_fault_is_shown_beside_its_field(page: Page) -> None:
    choose(page)
    wait_for_price(page)
    page.get_by_role("spinbutton", name="Seed").fill("-1")
    expect(page.locator(".settings .fault", has_text="greater than or equal to 0")).to_be_visible()
    expect(button(page)).to_have_attribute("aria-disabled", "true")
    page.get_by_role("spinbutton", name="Seed").fill("7")
    wait_for_price(page)
    expect(page.locator(".problems .failure")).to_have_count(0)


def test_a_failed_job_says_why_in_the_records_words(page: Page, stack: Stack, simulator: SimulatorControl) -> None:
    with simulator.settings(fail_with={"status": "failed", "error": "Refused by the content policy."}):
        job_id = submit(page, "Something else")
        state(page, "failed")
    error = ApiClient(stack).job(job_id)["error"]
    expect(page.get_by_text(error["message"], exact=True)).to_be_visible()
    expect(page.locator(".below", has_text="Refused by the content policy.")).to_be_visible()
    page.get_by_role("link", name="Gallery").click()
    page.get_by_label("Status").select_option("failed")
    expect(page.get_by_role("link", name=error["message"][:40]).first).to_be_visible()
    expect(page.locator(".card .state:not(.failed)")).to_have_count(0)


def test_a_job_can_be_cancelled_after_a_question(page: Page, stack: Stack, simulator: SimulatorControl) -> None:
    with simulator.settings(seconds_to_ready=60):
        job_id = submit(page, "Snow")
        state(page, "generating")
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Go back").click()
        assert ApiClient(stack).job(job_id)["status"] == "in_progress"
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Cancel the job").click()
        state(page, "cancelled")
    assert ApiClient(stack).job(job_id)["status"] == "cancelled"


def test_models_that_cannot_say_why_and_what_is_cheaper_is_offered(page: Page) -> None:
    choose(page)
    wait_for_price(page)
    page.get_by_role("spinbutton", name="Duration").fill("5")
    page.get_by_text(re.compile(r"\d+ cannot do this")).click()
    expect(page.get_by_text("makes 4, 6, 8 s, not 5 s").first).to_be_visible()
    page.get_by_role("spinbutton", name="Duration").fill("8")
    page.get_by_role("radio", name="google/veo-3.1-lite").check()
    dear = float(wait_for_price(page).removeprefix("$"))
    page.get_by_role("button", name=re.compile(r"^6 s: \$")).click()
    expect(page.get_by_role("spinbutton", name="Duration")).to_have_value("6")
    assert float(wait_for_price(page).removeprefix("$")) < dear


@pytest.mark.parametrize(
    ("size", "shape", "words"),
    [
        ((900, 900), "16:9", "44 % is lost at 16:9"),
        ((400, 800), "1:1", "50 % is lost at 1:1"),
        ((1600, 900), "", "whole at 16:9"),
    ],
)
def test_the_lost_edge_is_shaded(page: Page, tmp_path: Path, size: tuple[int, int], shape: str, words: str) -> None:
    picture = tmp_path / "picture.png"
    Image.new("RGB", size, "teal").save(picture)
    choose(page, picture)
    choose(page, picture, "Last frame")
    page.get_by_label("Shape").select_option(shape)
    expect(page.locator(".note", has_text=words)).to_have_count(2)
    kept = page.locator(".edges").first.evaluate(
        """(one) => { const inner = getComputedStyle(one, '::before');
        return parseFloat(inner.width) / parseFloat(inner.height); }"""
    )
    lost = 0 if size == (1600, 900) else 2
    expect(page.locator(".warning", has_text=re.compile("^The (first|last) frame is "))).to_have_count(lost)
    wide, high = (int(side) for side in (shape or "16:9").split(":"))
    assert kept == pytest.approx(wide / high, rel=0.02)


def test_a_turned_photograph_is_shown_as_the_stack_sees_it(page: Page, tmp_path: Path) -> None:
    picture = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (1600, 900), "teal").save(picture, exif=exif)
    choose(page, picture)
    expect(page.locator(".note", has_text="900 × 1600")).to_be_visible()
    expect(page.locator(".note", has_text="whole at 9:16")).to_be_visible()


def test_pictures_can_be_dropped_and_pasted(page: Page) -> None:
    transfer = page.evaluate_handle(
        """(bytes) => { const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], 'dropped.jpg', { type: 'image/jpeg' })); return data; }""",
        list(SAMPLE.read_bytes()),
    )
    page.dispatch_event(".frame >> nth=0 >> .drop", "drop", {"dataTransfer": transfer})
    expect(page.locator(".note", has_text="dropped.jpg, 1600 × 900")).to_be_visible()
    page.evaluate(
        "(data) => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }))",
        transfer,
    )
    expect(page.locator(".note", has_text="dropped.jpg, 1600 × 900")).to_have_count(2)
    wait_for_price(page)


def test_the_document_can_be_read_and_tried(page: Page) -> None:
    page.get_by_role("link", name="Read").click()
    page.locator("summary", has_text="/models").click()
    form = page.get_by_role("form", name="Try GET /models")
    form.get_by_label("duration").fill("5")
    form.get_by_role("button", name="Send, signed").click()
    expect(form.locator(".answer strong")).to_have_text("200")
    expect(form.locator("pre")).to_contain_text('"supported_durations"')
    page.locator("summary", has_text=re.compile("^GET/videos/{id}")).click()
    one = page.get_by_role("form", name="Try GET /videos/{id}")
    one.get_by_role("button", name="Send, signed").click()
    expect(one.get_by_text("Give a value.")).to_be_visible()
    one.get_by_label("id").fill("vid_00000000000000000000000000")
    one.get_by_role("button", name="Send, signed").click()
    expect(one.locator(".answer strong")).to_have_text("404")


def test_a_key_is_enough(page: Page, stack: Stack) -> None:
    def go_to(name: str, most: int = 30) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate(_FOCUSED, name):
                return
        raise AssertionError(f"Tab does not lead to {name}")

    page.locator("input[name=model]").first.wait_for()
    go_to("First frame: choose a picture")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(SAMPLE)
    go_to("Prompt")
    page.keyboard.type("By keys alone")
    wait_for_price(page)
    go_to("model")
    first = page.locator("input[name=model]:checked").get_attribute("value")
    page.keyboard.press("ArrowDown")
    expect(page.locator("input[name=model]:checked")).not_to_have_attribute("value", str(first))
    page.keyboard.press("ArrowUp")
    wait_for_price(page)
    go_to("Make the clip")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"#watch/vid_"))
    state(page, "completed")
    assert ApiClient(stack).job(page.url.rpartition("/")[2])["request"]["prompt"] == "By keys alone"
    page.locator(".clip video").focus()
    page.keyboard.press("Space")
    assert plays(page, page.locator(".clip video"))


_FOCUSED = """(name) => { const one = document.activeElement;
  const label = one.getAttribute('aria-label') || one.labels?.[0]?.textContent || one.textContent;
  return one.name === name || (label || '').trim() === name; }"""


def test_a_page_without_the_token_gets_nothing(page: Page, address: str) -> None:
    page.reload()
    expect(button(page)).to_be_visible()
    stranger = page.context.new_page()
    stranger.goto(address.partition("#")[0])
    expect(stranger.get_by_text("Open the address that the terminal printed.")).to_be_visible()


def test_a_page_of_another_origin_cannot_call(page: Page, address: str) -> None:
    root, _, token = address.partition("/#token=")
    other = page.context.new_page()
    other.goto(root.replace("127.0.0.1", "localhost") + "/static/icon.svg")
    call = """([url, token]) => fetch(url, { headers: { 'X-Stillmotion-Token': token } })
      .then((answer) => answer.status, () => 'no')"""
    assert other.evaluate(call, [f"{root}/api/videos", token]) == "no"
    assert other.evaluate(call, [f"{root.replace('127.0.0.1', 'localhost')}/api/videos", token]) == 200
