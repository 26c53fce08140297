"""/api/…: the stack's API, each call signed with the user's own credentials and sent once."""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from stillmotion_cli.client import ApiClient
from stillmotion_cli.console.problems import failure, problem
from stillmotion_cli.console.threads import in_thread
from stillmotion_cli.errors import CommandError

# API Gateway takes 10 MB; larger pictures are uploaded.
MAX_BODY = 10_000_000
FORWARDED = ("content-type", "idempotency-key")
ANSWERED = ("content-type", "retry-after", "location", "idempotent-replayed")
# What ids and route names are made of. Every decoded segment must match, so none can be ".." or hide a slash.
_SEGMENT = re.compile(r"(?!\.+$)[A-Za-z0-9._~: -]{1,256}")


def api_path(raw: str) -> str | None:
    """The path of a call below the API's root, encoded anew; None where a segment is not one of the API's.

    `raw` is the path as it was sent, without the query.
    """
    segments = [unquote(segment) for segment in raw.removeprefix("/api/").split("/")]
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        return None
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


async def forward(request: Request) -> Response:
    """Send a call on to the API and return its answer, with only the headers that the page needs."""
    client: ApiClient = request.app.state.client
    path = api_path(request.scope["raw_path"].decode("ascii", "replace"))
    if path is None:
        return problem(404, "NotFound", "This is not an address of the API. Its addresses are under Read.")
    body = await bounded_body(request)
    if body is None:
        return problem(413, "BodyTooLarge", f"A call may have {MAX_BODY:,} bytes. Upload pictures instead.")
    query = urlencode(sorted(parse_qsl(request.url.query, keep_blank_values=True)), quote_via=quote)
    headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
    try:
        answer = await in_thread(
            client.exchange, request.method, f"{path}?{query}" if query else path, body or None, headers
        )
    except CommandError as error:
        return failure(error)
    kept = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
    if "json" not in kept.get("content-type", ""):
        # No answer of the API is shown as a page of this origin.
        kept["content-type"] = "text/plain; charset=utf-8"
    return Response(answer.body, answer.status, kept)


async def bounded_body(request: Request) -> bytes | None:
    """The body, None where it is longer than the API takes."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            return None
    return bytes(content)
