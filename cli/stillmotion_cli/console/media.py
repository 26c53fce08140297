"""/media/{key}/{job id}/{output}/{part}: a clip or a picture of it, streamed from its presigned link.

Ranges are passed on, so that a browser can seek; links are asked for anew when they have expired.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import urllib3
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from stillmotion_cli.client import ApiClient
from stillmotion_cli.console.problems import failure, problem
from stillmotion_cli.console.threads import each_in_thread, in_thread
from stillmotion_cli.errors import CommandError, Unreachable
from stillmotion_cli.transport import new_pool
from stillmotion_cli.trust import require_link

# The part of a media address, and the field of an output that has its link.
LINKS = {"video": "url", "poster": "poster_url", "last": "last_frame_url", "preview": "preview_url"}
CHUNK = 256 * 1024
KEPT_SECONDS, KEPT_RECORDS = 300.0, 500
ASKED = ("range", "if-range")
ANSWERED = ("content-length", "content-range", "accept-ranges", "etag", "last-modified")
_TIMEOUT = urllib3.Timeout(connect=5, read=30)


class Links:
    """The presigned links of jobs, kept for a few minutes."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._kept: OrderedDict[str, tuple[float, list[dict[str, Any]]]] = OrderedDict()
        self._lock = threading.Lock()

    def require(self, link: str) -> None:
        """Raises CommandError where a link is not one to follow."""
        require_link(link, self._client.stack.api_url)

    def find(self, job_id: str, output: int, part: str, *, fresh: bool = False) -> str | None:
        """The link of a part, None where the job has none of it. Raises CommandError where the API refuses."""
        with self._lock:
            expires, outputs = self._kept.get(job_id, (0.0, []))
        link = _link(outputs, output, part)
        if fresh or link is None or expires < time.monotonic():
            outputs = self._client.job(job_id).get("video") or []
            link = _link(outputs, output, part)
            with self._lock:
                self._kept[job_id] = (time.monotonic() + KEPT_SECONDS, outputs)
                self._kept.move_to_end(job_id)
                while len(self._kept) > KEPT_RECORDS:
                    self._kept.popitem(last=False)
        return link


def _link(outputs: list[dict[str, Any]], output: int, part: str) -> str | None:
    link = outputs[output].get(LINKS[part]) if output < len(outputs) else None
    return link if isinstance(link, str) else None


async def media(request: Request) -> Response:
    """Stream a part of a job's output."""
    job_id, output, part = (request.path_params[name] for name in ("job_id", "output", "part"))
    if part not in LINKS:
        return problem(404, "NotFound", f"An output has the parts {', '.join(LINKS)}.")
    headers = {name: request.headers[name] for name in ASKED if name in request.headers}
    try:
        answer = await in_thread(_open, request.app.state.links, (job_id, output, part), headers)
    except CommandError as error:
        return failure(error)
    if answer is None:
        return problem(404, "NotFound", f"Output {output} of {job_id} has no {part}.")
    kept = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
    kept |= {
        "content-type": _safe_type(answer.headers.get("content-type", "")),
        "cache-control": "private, max-age=300",
    }
    if "download" in request.query_params:
        kept["content-disposition"] = f'attachment; filename="{job_id}{f"-{output}" if output else ""}.mp4"'
    return StreamingResponse(each_in_thread(_stream(answer)), answer.status, kept)


def _open(links: Links, wanted: tuple[str, int, str], headers: dict[str, str]) -> urllib3.BaseHTTPResponse | None:
    """The answer of S3 with its body still to be read, None where there is no such part."""
    for fresh in (False, True):
        link = links.find(*wanted, fresh=fresh)
        if link is None:
            return None
        links.require(link)
        try:
            answer = new_pool(link).request(
                "GET", link, headers=headers, preload_content=False, timeout=_TIMEOUT, retries=False, redirect=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"S3 gave no answer for {wanted[0]}: {type(error).__name__}. Try again.") from error
        if answer.status in (200, 206, 416):
            return answer
        answer.close()
    raise Unreachable(
        f"S3 answered {answer.status} for {wanted[0]}: its object may have been removed, or you may not read it."
    )


def _stream(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        yield from answer.stream(CHUNK, decode_content=False)
    finally:
        answer.close()


def _safe_type(given: str) -> str:
    """The type of a picture or a clip; everything else is bytes, so that it never becomes a page of this origin."""
    kind = given.partition(";")[0].strip().lower()
    return kind if kind.startswith(("image/", "video/")) and "svg" not in kind else "application/octet-stream"
