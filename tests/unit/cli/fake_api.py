"""A stand-in for a deployed stack: the API's routes, S3's, CloudFormation's and the log's, on one port in a thread."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CLIP = b"a clip of no great length " * 4000
JOB_ID = "vid_0123456789abcdefghjkmnpqrs"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived. `route` is its method and path, `body` its JSON or its bytes."""

    route: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """An answer; `status` 0 closes the connection without one."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, code: str, detail: str = "No.", **more: Any) -> Reply:
    """A problem document."""
    headers = more.pop("headers", {})
    body = {"type": f"urn:stillmotion:problem:{code}", "title": f"Title of {code}", "status": status, "code": code}
    return Reply(status, body | {"detail": detail} | more, {"Content-Type": "application/problem+json"} | headers)


def job(status: str = "in_progress", **changes: Any) -> dict[str, Any]:
    """A record as the API shows it."""
    record: dict[str, Any] = {
        "id": JOB_ID,
        "status": status,
        "request": {"model": "google/veo-3.1-lite", "prompt": "A slow zoom", "duration": 4},
        "source": {"type": "http"},
        "provider": {"job_id": "job_1"},
        "polls": 2,
        "usage": {"cost_usd": 0.12},
        "video": [],
        "metadata": {},
        "created_at": "2026-11-22T12:00:00.000Z",
        "updated_at": "2026-11-22T12:01:00.000Z",
    }
    return record | changes


def model(name: str, cost: float | None = None, **changes: Any) -> dict[str, Any]:
    """An entry of GET /models."""
    stated = {"supported_durations": [4, 6, 8], "supported_resolutions": ["720p"], "supported_aspect_ratios": None}
    more = {"supported_sizes": None, "supported_frame_images": ["first_frame", "last_frame"], "generate_audio": None}
    entry = {"id": name, "name": name, "seed": None, "pricing_skus": {}, "estimated_cost_usd": cost}
    return entry | {"price": price(cost)} | stated | more | changes


def price(cost: float | None, *notes: str) -> dict[str, Any]:
    """The price object of an answer."""
    amount = None if cost is None else f"{cost:.2f}"
    reason = "its price list has no rate for it" if cost is None else None
    return {"at_most_usd": amount, "at_least_usd": amount, "basis": [], "open": list(notes), "reason": reason}


def choice(name: str, duration: int, cost: float, *notes: str) -> dict[str, Any]:
    """The model that the stack would choose."""
    chosen = {"model": name, "duration": duration, "estimated_cost_usd": cost, "price": price(cost, *notes)}
    return chosen | {"reason": "the cheapest of 2 models that state a first frame; next is b with 0.50 USD for 4 s"}


type Answer = Reply | Callable[[Seen], Reply]


class FakeApi:
    """What the stack answers is set in its attributes; `on` overrides a route, for a number of times or for good."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self.warnings = ["Mind the gap."]
        self.states: list[dict[str, Any]] = [job("completed")]
        self.models = [model("cheap/one", 0.12), model("dear/one", 1.6)]
        self.choice: dict[str, Any] | None = choice("cheap/one", 4, 0.12)
        self.max_bytes = 10_000
        self.expired: set[str] = set()
        self.clip = CLIP
        self.log_events: list[dict[str, Any]] = []
        self.outputs: dict[str, str] = {"ApiUrl": f"{url}/v1"}
        self.stack_status = "CREATE_COMPLETE"
        self.parameters: dict[str, str] = {}
        self.key_versions: dict[str, list[str]] = {"v1": ["AWSCURRENT"]}
        self._links = 0
        self._overrides: list[tuple[str, Answer, int]] = []

    def on(self, route: str, *answers: Answer, times: int = 1) -> None:
        """Answer a route, for example `GET /v1/videos`, with each of these in turn before the ordinary answers."""
        self._overrides += [(route, answer, times) for answer in answers]

    def calls(self, route: str) -> list[Seen]:
        """The requests that this route got."""
        return [seen for seen in self.seen if seen.route.startswith(route)]

    def video(self, **changes: Any) -> dict[str, Any]:
        """The record's entry of the stored clip, with a link that nobody had before."""
        self._links += 1
        checksum = f"sha256:{hashlib.sha256(self.clip).hexdigest()}"
        entry = {"bucket": "out", "key": f"videos/{JOB_ID}.mp4", "bytes": len(self.clip), "content_type": "video/mp4"}
        link = {"s3_uri": f"s3://out/videos/{JOB_ID}.mp4", "url": f"{self.url}/s3/clip?link={self._links}"}
        return entry | {"checksum": checksum} | link | changes

    def answer(self, seen: Seen) -> Reply:
        """What the fake answers to a request; a dry run has a route of its own."""
        if seen.query.get("dry_run") == ["true"]:
            seen = replace(seen, route=f"DRY {seen.route}")
        self.seen.append(seen)
        for index, (route, answer, times) in enumerate(self._overrides):
            if seen.route == route:
                self._overrides[index : index + 1] = [(route, answer, times - 1)] if times > 1 else []
                return answer(seen) if callable(answer) else answer
        if "X-Amz-Target" in seen.headers:
            if seen.headers["X-Amz-Target"].endswith("DescribeSecret"):
                return Reply(200, {"ARN": "arn:secret", "VersionIdsToStages": self.key_versions})
            return Reply(200, {"events": self.log_events})
        name = seen.route.replace(" ", "_").replace("/v1", "").replace("/", "_").replace(JOB_ID, "ID").lower()
        return getattr(self, f"_{name}", lambda _: Reply(404, {"message": "Missing Authentication Token"}))(seen)

    def _dry_post__videos(self, seen: Seen) -> Reply:
        dry = {
            "dry_run": True,
            "model": seen.body["model"],
            "estimated_cost_usd": 0.12,
            "price": price(0.12),
            "warnings": self.warnings,
            "chosen": {"aspect_ratio": "9:16"},
        }
        return Reply(200, dry)

    def _post__videos(self, seen: Seen) -> Reply:
        return Reply(202, job("queued", polls=0, request=seen.body, usage={}))

    def _get__videos_id(self, _seen: Seen) -> Reply:
        record = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if record["status"] == "completed":
            return Reply(200, {"video": [self.video()], **{k: v for k, v in record.items() if k != "video" or v}})
        return Reply(200, record, {"Retry-After": "0"})

    def _get__videos(self, seen: Seen) -> Reply:
        start, limit = int(seen.query.get("next_token", ["0"])[0]), int(seen.query["limit"][0])
        page = self.states[start : start + limit]
        token = str(start + limit) if start + limit < len(self.states) else None
        return Reply(200, {"data": page, "next_token": token})

    def _delete__videos_id(self, _seen: Seen) -> Reply:
        error = {"code": "GenerationCancelled", "message": "ModelGates may still charge for it."}
        return Reply(200, job("cancelled", error=error))

    def _post__videos_id_resume(self, _seen: Seen) -> Reply:
        return Reply(202, job("in_progress"))

    def _post__videos_id_settle(self, seen: Seen) -> Reply:
        return Reply(200, job("failed")) if "abandon" in seen.body else Reply(202, job("in_progress"))

    def _get__models(self, _seen: Seen) -> Reply:
        return Reply(200, {"data": self.models, "choice": self.choice})

    def _post__uploads(self, _seen: Seen) -> Reply:
        number = len(self.calls("POST /v1/uploads"))
        place = {"url": f"{self.url}/s3/in", "fields": {"key": f"uploads/{number}", "policy": "p"}}
        more = {"max_bytes": self.max_bytes, "expires_at": "2026-11-22T12:15:00Z"}
        return Reply(201, place | {"s3_uri": f"s3://in/uploads/{number}.jpg"} | more)

    def _post__s3_in(self, _seen: Seen) -> Reply:
        return Reply(204)

    def _get__s3_clip(self, seen: Seen) -> Reply:
        if seen.query["link"][0] in self.expired:
            return Reply(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
        return Reply(200, self.clip)

    def _post__(self, seen: Seen) -> Reply:
        if b"Action=GetCallerIdentity" in seen.body:
            who = "<Arn>arn:aws:iam::123456789012:user/ada</Arn><Account>123456789012</Account><UserId>A</UserId>"
            return Reply(200, f"<R><GetCallerIdentityResult>{who}</GetCallerIdentityResult></R>".encode())
        if b"Action=DescribeStackResource&" in seen.body:
            detail = "<PhysicalResourceId>functions-log</PhysicalResourceId>"
            detail = f"<StackResourceDetail>{detail}</StackResourceDetail>"
            return Reply(200, f"<R><DescribeStackResourceResult>{detail}</DescribeStackResourceResult></R>".encode())
        members = "".join(
            f"<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>"
            for name, value in self.outputs.items()
        )
        given = "".join(
            f"<member><ParameterKey>{name}</ParameterKey><ParameterValue>{value}</ParameterValue></member>"
            for name, value in self.parameters.items()
        )
        stack = (
            f"<Parameters>{given}</Parameters><StackName>s</StackName><StackStatus>{self.stack_status}</StackStatus>"
        )
        stack += "<CreationTime>2026-01-01T00:00:00Z"
        stack += f"</CreationTime><Outputs>{members}</Outputs>"
        text = f"<Stacks><member>{stack}</member></Stacks>"
        return Reply(200, f"<R><DescribeStacksResult>{text}</DescribeStacksResult></R>".encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: FakeApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        is_json = "json" in self.headers.get("Content-Type", "") and content
        body = json.loads(content) if is_json else content
        seen = Seen(f"{self.command} {parts.path}", parse_qs(parts.query), dict(self.headers.items()), body)
        self._send(self.server.api.answer(seen))

    do_POST = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815
    do_PUT = do_GET  # noqa: N815

    def _send(self, reply: Reply) -> None:
        if reply.status == 0:
            self.close_connection = True
            return
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        content = b"" if reply.body is None else content
        self.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(content))} | reply.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serve() -> Iterator[FakeApi]:
    """A running stand-in."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.api = FakeApi(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.api
    finally:
        server.shutdown()
        server.server_close()
