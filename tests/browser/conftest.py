"""One local cloud, one console and one Chromium for all browser tests of a session."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.cloud import LocalCloud
from scripts import chromium
from stillmotion_cli.stack import Stack
from tests.browser.support import SLOW, Open, console
from tests.e2e.support import SimulatorControl

type Before = Callable[[Page], object]

expect.set_options(timeout=SLOW)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A deployed stack on a local cloud."""
    with LocalCloud("browser", seconds_to_ready=0.2) as running:
        yield running.stack


@pytest.fixture(scope="session")
def simulator(stack: Stack) -> SimulatorControl:
    """The simulated ModelGates."""
    assert stack.simulator_url
    return SimulatorControl(stack.simulator_url)


@pytest.fixture(scope="session")
def address(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that the console prints, with its token."""
    with console(stack, tmp_path_factory.mktemp("console")) as printed:
        yield printed


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = chromium.find()
    assert path, chromium.HELP
    with sync_playwright() as playwright:
        # Without a renderer in reserve for each page, which is started and never used.
        options = ["--disable-features=SpareRendererForSitePerProcess"]
        running = playwright.chromium.launch(executable_path=path, args=options)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Opens the console in a browser profile of its own: `open_page(area, width=…, before=…, **context)`.

    `before` is called with the page before anything is fetched. At the end no script may have failed and
    the page's policy may have refused nothing.
    """
    faults: list[str] = []
    contexts = []

    def opened(
        area: str = "make", width: int = 1440, height: int = 900, before: Before | None = None, **options: object
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
        context.set_default_timeout(SLOW)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if "Policy" in message.text else None)
        if before:
            before(page)
        page.goto(address)
        page.wait_for_url("**/#make")
        if area != "make":
            page.goto(f"{address.partition('#')[0]}#{area}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def page(open_page: Open) -> Page:
    """The console at desktop width."""
    return open_page()


@pytest.fixture
def not_a_picture(tmp_path: Path) -> Path:
    """A page that was saved as a picture."""
    path = tmp_path / "still.jpg"
    path.write_text("<!doctype html><title>403</title>")
    return path
