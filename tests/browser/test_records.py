"""What the page makes of records that take long or luck to come by: answers of the API are put in its way."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Request, Route, expect

from local.paths import ROOT
from tests.browser.support import Open, button, choose, wait_for_price, wait_until

ID = "vid_0123456789abcdefghjkmnpqrs"
type Answer = Any | Callable[[Request], Any]


def record(**changes: Any) -> dict[str, Any]:
    """A job as GET /videos/{id} shows it."""
    job: dict[str, Any] = {
        "id": ID,
        "status": "completed",
        "request": {"model": "google/veo-3.1-lite", "prompt": "A slow zoom", "duration": 4, "aspect_ratio": "16:9"},
        "source": {"type": "http"},
        "provider": {"job_id": "gen-1"},
        "polls": 3,
        "usage": {"cost_usd": 0.12},
        "estimated_cost_usd": 0.2,
        "video": [
            {"bucket": "out", "key": f"videos/{ID}.mp4", "bytes": 842547, "content_type": "video/mp4"}
            | {"s3_uri": f"s3://out/videos/{ID}.mp4", "url": "https://out.example/clip?X-Amz-Signature=1"}
        ],
        "metadata": {},
        "warnings": [],
        "created_at": "2026-11-22T12:00:00.000Z",
        "updated_at": "2026-11-22T12:01:30.000Z",
        "completed_at": "2026-11-22T12:01:30.000Z",
    }
    return job | changes


def entry(number: int, **changes: Any) -> dict[str, Any]:
    """A job as a list shows it."""
    job = {"id": f"vid_{number:026}", "status": "failed", "model": "a/model", "source": {"type": "http"}}
    return job | {"created_at": "2026-11-22T12:00:00.000Z", "error": {"message": f"Reason {number}"}} | changes


def answer_calls(page: Page, routes: dict[str, Answer], calls: list[Request]) -> None:
    """Answer calls of the API by the pattern of their path and query, and add them to `calls`."""

    def answer_with(given: Answer) -> Callable[[Route], None]:
        def answer(route: Route) -> None:
            calls.append(route.request)
            body = given(route.request) if callable(given) else given
            route.fulfill(status=200, content_type="application/json", body=json.dumps(body))

        return answer

    for pattern, given in routes.items():
        page.route(re.compile(pattern), answer_with(given))


def show(
    open_page: Open,
    area: str,
    routes: dict[str, Answer],
    prepare: Callable[[Page], None] = lambda page: None,
    **options: Any,
) -> tuple[Page, list[Request]]:
    """An area of the page with answers put in its way."""
    document = json.loads((ROOT / "functions/docs/openapi.json").read_text())
    common = {r"/api/openapi\.json$": document, r"/api/models($|\?)": {"data": []}}
    calls: list[Request] = []

    def before(opened: Page) -> None:
        answer_calls(opened, common | routes, calls)
        prepare(opened)

    page = open_page(before=before, **options)
    page.evaluate("(area) => { location.hash = area; }", area)
    return page, calls


def test_facts_and_likeness_of_an_inspected_clip_are_shown(open_page: Open) -> None:
    inspection = {
        "facts": {"container": "mp4", "codec": "h264", "width": 1280, "height": 720, "frames": 96, "fps": 24.0}
        | {"duration_seconds": 4.0, "sound": None, "faststart": True, "decodes_to_end": True, "bit_rate": 1685094},
        "likeness": [
            {"frame": "first_frame", "psnr_db": 41.37, "ssim": 0.9876, "framing": "whole", "lost_share": 0.0},
            {"frame": "last_frame", "psnr_db": 12.5, "ssim": 0.41, "framing": "centre_crop", "lost_share": 0.25},
        ],
        "warnings": ["The last frame does not look like its picture."],
    }
    page, _ = show(open_page, f"watch/{ID}", {rf"/api/videos/{ID}$": record(inspection=inspection)})
    for text in (
        "41.4 dB · SSIM 0.988",
        "12.5 dB · SSIM 0.410 · 25 % of the picture cropped",
        "1280 × 720",
        "1.7 Mbit/s",
    ):
        expect(page.get_by_text(text)).to_be_visible()
    expect(page.get_by_text("The last frame does not look like its picture.")).to_be_visible()
    expect(page.locator(".timeline li", has_text="Inspected")).to_be_visible()
    expect(page.locator(".facts div", has_text="Sound").locator("dd")).to_have_text("none")


def test_an_inspection_that_comes_after_the_clip_is_waited_for(open_page: Open) -> None:
    ended = datetime.now(UTC).isoformat()
    found = {"inspected_at": ended, "videos": [{"problem": "Its index is damaged.", "warnings": []}]}
    answer = record(completed_at=ended)
    page, _ = show(open_page, f"watch/{ID}", {rf"/api/videos/{ID}$": lambda _: answer})
    expect(page.locator(".timeline .now", has_text="Inspecting")).to_be_visible()
    answer["inspection"] = found
    expect(page.locator(".timeline .done", has_text="Inspected").locator("time")).not_to_be_empty()
    expect(page.get_by_text("Its index is damaged.")).to_be_visible()
    expect(page.locator(".timeline .now")).to_have_count(0)


def test_a_clip_that_could_not_be_inspected_says_why(open_page: Open) -> None:
    inspection = {"problem": "Its index is damaged.", "warnings": []}
    page, _ = show(open_page, f"watch/{ID}", {rf"/api/videos/{ID}$": record(inspection=inspection)})
    expect(page.get_by_text("Its index is damaged.")).to_be_visible()


def test_a_clip_without_a_link_says_why(open_page: Open) -> None:
    [video] = record()["video"]
    unlinked = record(video=[video | {"url": None, "url_reason": "It is in an earlier output bucket."}])
    page, _ = show(open_page, f"watch/{ID}", {rf"/api/videos/{ID}$": unlinked})
    expect(page.get_by_text("It is in an earlier output bucket.")).to_be_visible()
    expect(page.locator(".clip video")).to_have_count(0)


def test_how_long_such_jobs_took_is_said(open_page: Open) -> None:
    before = [
        entry(n, status="completed", completed_at=f"2026-11-22T12:{n:02}:00.000Z")
        for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    ]
    running = record(status="in_progress", video=[], completed_at=None)
    routes = {rf"/api/videos/{ID}$": running, r"/api/videos\?": {"data": before, "next_token": None}}
    page, calls = show(open_page, f"watch/{ID}", routes)
    expect(page.get_by_text("last 10 took 5:00 (median), nine in ten within 9:00")).to_be_visible()
    assert any("model=google%2Fveo-3.1-lite" in call.url and "status=completed" in call.url for call in calls)


def test_a_job_that_timed_out_can_be_resumed(open_page: Open) -> None:
    routes = {
        rf"/api/videos/{ID}$": record(status="timed_out", video=[], resumable=True),
        rf"/api/videos/{ID}/resume$": record(status="in_progress", video=[]),
    }
    page, calls = show(open_page, f"watch/{ID}", routes)
    page.get_by_role("button", name="Resume").click()
    page.wait_for_timeout(100)
    assert [call.method for call in calls if call.url.endswith("/resume")] == ["POST"]


def test_an_operator_settles_a_job_of_unknown_outcome(open_page: Open) -> None:
    unknown = record(
        status="submit_unknown",
        video=[],
        provider={},
        usage={},
        error={"code": "SubmitOutcomeUnknown", "message": "No answer."},
    )
    routes = {rf"/api/videos/{ID}$": unknown, rf"/api/videos/{ID}/settle$": record(status="in_progress")}
    page, calls = show(open_page, f"watch/{ID}", routes)
    expect(page.get_by_text("at most $0.20")).to_be_visible()
    page.get_by_label("ModelGates’ id of the job").fill("gen-7")
    page.get_by_role("button", name="It is there: adopt it").click()
    page.get_by_role("button", name="It is not: give it up").click()
    page.get_by_role("button", name="Give it up", exact=True).click()
    page.wait_for_timeout(200)
    sent = [call.post_data_json for call in calls if call.url.endswith("/settle")]
    assert sent == [{"provider_job_id": "gen-7"}, {"abandon": True}]


def test_text_of_a_record_never_becomes_markup(open_page: Open) -> None:
    bad = "<img src=x onerror=alert(1)>"
    error = {"code": bad, "message": bad, "provider_message": bad}
    failed = record(status="failed", video=[], error=error, request={"model": bad, "prompt": bad}, metadata={bad: bad})
    page, _ = show(open_page, f"watch/{ID}", {rf"/api/videos/{ID}$": failed})
    expect(page.locator(".prompt")).to_have_text(bad)
    assert page.locator("main img").count() == 0


def test_the_gallery_pages_and_filters(open_page: Open) -> None:
    def page_of(request: Request) -> Any:
        if "next_token=two" in request.url:
            return {"data": [entry(13)], "next_token": None}
        return {"data": [entry(n) for n in range(1, 13)], "next_token": "two"}

    page, calls = show(open_page, "gallery", {r"/api/videos\?": page_of})
    expect(page.locator(".card")).to_have_count(12)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".card")).to_have_count(13)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    expect(page.get_by_text("Reason 13")).to_be_visible()
    page.get_by_label("Since").select_option("day")
    expect(page.locator(".card")).to_have_count(12)
    assert any("created_after=" in call.url and "limit=12" in call.url for call in calls)


def test_what_the_gallery_still_loads_ends_with_it(open_page: Open) -> None:
    jobs = [entry(number, status="completed", error=None) for number in range(3)]
    pictures = {"poster_url": "https://out.example/poster", "preview_url": "https://out.example/preview"}
    with_pictures = record(id=jobs[0]["id"], video=[record()["video"][0] | pictures])
    routes = {r"/api/videos\?": {"data": jobs, "next_token": None}, f"/api/videos/{jobs[0]['id']}": with_pictures}
    held: set[str] = set()
    ended: set[str] = set()

    def hold(route: Route) -> None:
        held.add(route.request.url)

    def prepare(page: Page) -> None:
        page.on("requestfailed", lambda request: ended.add(request.url))
        for url in (f"**/api/videos/{jobs[1]['id']}", f"**/api/videos/{jobs[2]['id']}", "**/media/**"):
            page.route(url, hold)

    page, _ = show(open_page, "gallery", routes, prepare=prepare)
    expect(page.locator(".card img")).to_be_visible()
    wait_until(page, lambda: len(held) == 3)
    page.get_by_role("link", name="Read").click()
    wait_until(page, lambda: held <= ended)


def test_batches_show_their_progress_and_filter_the_gallery(open_page: Open) -> None:
    jobs = [entry(1, source={"type": "batch", "batch_id": "autumn"}), entry(2)]
    batch = {"id": "autumn", "status": "completed", "items": 8, "counts": {"done": 5, "failed": 2, "skipped": 1}}
    routes = {r"/api/videos\?": {"data": jobs, "next_token": None}, "/api/batches/autumn": batch}
    page, _ = show(open_page, "gallery", routes)
    expect(page.get_by_text("completed · 6 of 8, 2 failed")).to_be_visible()
    assert page.get_by_role("progressbar", name="Batch autumn").evaluate("(bar) => bar.value / bar.max") == 1
    page.get_by_label("Batch", exact=True).select_option("autumn")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.get_by_text("Reason 1", exact=True).first).to_be_visible()


def test_the_button_never_submits_what_is_no_longer_shown(open_page: Open) -> None:
    """The limits of a first wish arrive when a second one is shown already."""
    held: list[Route] = []
    page = open_page(before=lambda opened: opened.route("**/api/limits", lambda route: held.append(route)))
    choose(page)
    page.get_by_role("textbox", name="Prompt").fill("a cat")
    wait_until(page, lambda: len(held) == 1)
    page.get_by_role("textbox", name="Prompt").fill("a dog")
    wait_until(page, lambda: len(held) == 2)
    limits = {"status": 200, "content_type": "application/json", "body": '{"stopped": true}'}
    with suppress(Error):  # whoever asked for it may have left
        held[0].fulfill(**limits)
    page.wait_for_timeout(500)
    assert button(page).get_attribute("aria-disabled") == "true"
    with page.expect_request(re.compile(r"/api/videos$")) as submitted:
        held[1].fulfill(**limits)
        wait_for_price(page)
        button(page).click()
    assert submitted.value.post_data_json["prompt"] == "a dog"


@pytest.mark.parametrize("area", ["constructor", "watch/%", "main"])
def test_an_address_that_is_none_opens_the_page_all_the_same(open_page: Open, area: str) -> None:
    page = open_page()
    page.goto(f"{page.url.partition('#')[0]}#{area}")
    page.reload()
    expect(page.locator("#main > *").first).to_be_visible()
    page.get_by_role("link", name="Gallery").click()
    expect(page.get_by_role("region", name="Clips")).to_be_visible()


def test_todays_spend_is_added_up_by_model(open_page: Open) -> None:
    jobs = [
        entry(1, model="a/dear", usage={"cost_usd": 1.5}),
        entry(2, model="b/cheap", usage={"cost_usd": 0.125}),
        entry(3, model="a/dear", usage={"cost_usd": 0.25}),
        entry(4, model="c/open"),
    ]
    answers = {r"/api/videos\?": {"data": jobs, "next_token": None}, r"/api/usage\?": {}}
    page, _ = show(open_page, "gallery", answers)
    expect(page.locator(".panel .price")).to_have_text("$1.88")
    expect(page.locator(".panel .facts").first.locator("div")).to_have_text(["a/dear$1.75", "b/cheap$0.125"])


def test_todays_spend_is_what_the_api_sums_up(open_page: Open) -> None:
    sums = [
        {"key": "a/dear", "jobs": 2, "charged_usd": "1.5", "reserved_usd": "0.25", "may_have_cost_usd": "0"},
        {"key": "b/cheap", "jobs": 1, "charged_usd": "0", "reserved_usd": "0", "may_have_cost_usd": "0.125"},
    ]
    jobs = {"data": [], "next_token": None}
    page, _ = show(open_page, "gallery", {r"/api/videos\?": jobs, r"/api/usage\?": {"data": sums, "next_token": None}})
    expect(page.locator(".panel .price")).to_have_text("$1.88")
    expect(page.locator(".panel .facts").first.locator("div")).to_have_text(["a/dear$1.75", "b/cheap$0.125"])


def test_unknown_and_stuck_jobs_are_brought_before_a_person(open_page: Open) -> None:
    def listed(request: Request) -> Any:
        if "status=submit_unknown" in request.url:
            return {"data": [entry(1, status="submit_unknown")], "next_token": None}
        stuck = [entry(2, status="in_progress", error=None)] if "status=in_progress" in request.url else []
        return {"data": stuck, "next_token": None}

    page, _ = show(open_page, "gallery", {r"/api/videos\?": listed})
    panel = page.get_by_role("region", name="Needs a person")
    expect(panel.get_by_role("link")).to_have_count(2)
    expect(panel.get_by_text("open for more than an hour, perhaps orphaned")).to_be_visible()
