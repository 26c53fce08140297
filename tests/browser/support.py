"""The console as a process of its own, and what the browser tests do with its page."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Locator, Page, expect

from local.paths import SAMPLE
from stillmotion_cli.client import ApiClient
from stillmotion_cli.stack import Stack

type Open = Callable[..., Page]
"""Opens the console: an area, a width, and options of a browser context."""

READY = re.compile(rb"http://127\.0\.0\.1:\d+/#token=\S+")
WIDTHS = (360, 768, 1440)
# A clip takes seconds; machines that are busy with other tests take longer.
SLOW = 45_000

# Controls that lie on each other, and whether anything sticks out to the side. What sticks to the bottom is meant to
# cover what scrolls below it; what only screen readers get is one pixel large.
_LAYOUT = """() => {
  const looked = 'a, button, input, select, textarea, summary, h1, h2, label, p, time, dd, dt';
  const shown = [...document.querySelectorAll(looked)]
    .filter((one) => !one.closest('.bar, .unseen, .skip, dialog') && one.checkVisibility({ visibilityProperty: true }));
  const boxes = shown.map((one) => [one, one.getBoundingClientRect()])
    .filter(([, box]) => box.width > 1 && box.height > 1);
  const fixed = boxes.filter(([one]) => !one.closest('.models, .scroll, pre'));
  const overlaps = [];
  for (const [index, [one, a]] of fixed.entries()) {
    for (const [other, b] of fixed.slice(index + 1)) {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide <= 1 || high <= 1 || one.contains(other) || other.contains(one)) continue;
      overlaps.push(`${one.outerHTML.slice(0, 90)} on ${other.outerHTML.slice(0, 90)}`);
    }
  }
  const root = document.documentElement;
  return { sideways: root.scrollWidth - root.clientWidth, overlaps };
}"""


@contextmanager
def console(stack: Stack, folder: Path) -> Iterator[str]:
    """`stillmotion console` for a stack, run in a folder. Yields the address that it prints; it must end by Ctrl-C."""
    (folder / ".local").mkdir(parents=True)
    (folder / ".local" / "stack.json").write_text(stack.to_json())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STILLMOTION_"))}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder / "home")}
    command = [sys.executable, "-m", "stillmotion_cli", "console", "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE)
    assert process.stderr
    try:
        said = b""
        while not (found := READY.search(said)):
            line = process.stderr.readline()
            assert line, f"the console did not start: {said.decode()}"
            said += line
        yield found[0].decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def choose(page: Page, picture: Path | FilePayload = SAMPLE, which: str = "First frame") -> None:
    """Choose a picture, as the file dialog does."""
    page.get_by_label(f"{which}: choose a picture").set_input_files(picture)


def wait_for_price(page: Page) -> str:
    """The price beside the button, once the dry run has passed."""
    expect(button(page)).to_have_attribute("aria-disabled", "false")
    return page.locator(".bar .price").inner_text()


def button(page: Page) -> Locator:
    """The button that submits."""
    return page.get_by_role("button", name="Make the clip")


def submit(page: Page, prompt: str) -> str:
    """Make a clip of the sample picture. Returns the job's id."""
    choose(page)
    page.get_by_role("textbox", name="Prompt").fill(prompt)
    wait_for_price(page)
    button(page).click()
    page.wait_for_url(re.compile(r"#watch/vid_"))
    return page.url.rpartition("/")[2]


def state(page: Page, word: str) -> None:
    """Wait until the watched job has a state."""
    expect(page.locator(".status .state")).to_have_text(word)


def plays(page: Page, clip: Locator) -> bool:
    """Whether the clip has a picture and its time goes on."""
    handle = clip.element_handle()
    page.wait_for_function("(clip) => clip.videoWidth > 0 && clip.currentTime > 0.2", arg=handle)
    return True


def layout_faults(page: Page) -> list[str]:
    """What overlaps or sticks out sideways."""
    found: dict[str, Any] = page.evaluate(_LAYOUT)
    sideways = [f"{found['sideways']} px to the side"] if found["sideways"] > 0 else []
    return sideways + list(found["overlaps"])


def serious_faults(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical."""
    found: list[dict[str, Any]] = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def wait_until(page: Page, true: Callable[[], bool]) -> None:
    """Wait for something that the page's events tell of."""
    deadline = time.monotonic() + SLOW / 1000
    while not true():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def wait_until_inspected(stack: Stack, job_id: str) -> None:
    """Wait until the clip's pictures are there."""
    client, deadline = ApiClient(stack), time.monotonic() + SLOW / 1000
    while not client.job(job_id).get("inspection"):
        assert time.monotonic() < deadline, f"{job_id} was not inspected"
        time.sleep(0.3)
