"""Opening a stored clip, or its picture, in the user's browser."""

import webbrowser
from typing import Any

from stillmotion_cli.client import Job
from stillmotion_cli.errors import BadInput
from stillmotion_cli.generation import next_step
from stillmotion_cli.shown import one_line
from stillmotion_cli.terminal import Terminal
from stillmotion_cli.trust import require_link

_WORDS = {"url": "clip", "poster_url": "picture of its first frame"}


def link_of(job: Job, name: str, api_url: str) -> str:
    """The presigned link of the job's first video that has this name. Raises BadInput where there is none."""
    video: dict[str, Any] = next(iter(job.get("video") or []), {})
    link = video.get(name)
    if isinstance(link, str) and link.startswith(("https://", "http://")):
        return require_link(link, api_url)
    error = BadInput(f"{job['id']} is {one_line(job['status'])}: there is no {_WORDS[name]} to open.")
    if job["status"] == "completed":
        reason = video.get("url_reason") if name == "url" else "It is there once the clip is inspected."
        error = BadInput(f"{job['id']} has no link to the {_WORDS[name]}. {one_line(reason or '')}".rstrip())
    else:
        error.hint = next_step(job)
    raise error


def open_link(terminal: Terminal, link: str) -> None:
    """Open a link; where no browser can be started, print it."""
    if not webbrowser.open(link):
        terminal.insist(f"No browser could be started. Open this link yourself: {link}")
