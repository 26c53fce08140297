"""Who may use the console's server, and what it sends on."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from stillmotion_cli.console import guard, media
from stillmotion_cli.console.api import MAX_BODY, api_path
from stillmotion_cli.console.guard import Keys
from stillmotion_cli.console.media import Links
from stillmotion_cli.console.server import FILES, HOST, Shown, build_app, listen, server_config
from stillmotion_cli.errors import BadInput
from stillmotion_cli.image_types import image_type
from tests.unit.cli.fake_api import CLIP, JOB_ID, FakeApi, Reply, Seen, problem, serve
from tests.unit.cli.support import JPEG, Run, local_stack


class Console:
    """A running console, called over real HTTP as its page does it unless a test says otherwise."""

    def __init__(self, port: int, keys: Keys) -> None:
        self.port, self.keys = port, keys
        self.origin = f"http://{HOST}:{port}"

    def call(
        self, method: str, path: str, body: bytes | None = None, *, without: tuple[str, ...] = (), **changes: str
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {"Host": f"{HOST}:{self.port}", "Origin": self.origin, guard.TOKEN_HEADER: self.keys.token}
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        headers = {name: value for name, value in headers.items() if name not in without}
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body is not None and "Content-Length" not in headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def code(self, *arguments: Any, **options: Any) -> tuple[int, str]:
        """The status and the problem's code of a call that is refused."""
        status, headers, body = self.call(*arguments, **options)
        assert headers["content-type"] == "application/problem+json"
        return status, json.loads(body)["code"]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[FakeApi, Starlette, Console]]:
    """A stand-in stack and a console of it: starting them for every test would take longer than the tests."""
    keys = Keys()
    with pytest.MonkeyPatch.context() as patch, serve() as api, listen(0) as listener:
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                patch.delenv(name)
        port = listener.getsockname()[1]
        app = build_app(local_stack(api), keys, port, Shown("a stack", "--stack-name a"))
        server = uvicorn.Server(server_config(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield api, app.app, Console(port, keys)
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def api(running: tuple[FakeApi, Starlette, Console]) -> FakeApi:
    """The stand-in as new."""
    api, app, _ = running
    vars(api).update(vars(FakeApi(api.url)))
    app.state.links = Links(app.state.client)
    return api


@pytest.fixture
def console(api: FakeApi, running: tuple[FakeApi, Starlette, Console]) -> Console:
    """The running console, whose stand-in is as new."""
    return running[2]


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/videos/x", "/session", "/nothing"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""])
def test_another_host_name_is_refused_everywhere(console: Console, api: FakeApi, path: str, host: str) -> None:
    assert console.code("GET", path, Host=host.format(port=console.port)) == (421, "WrongHost")
    assert api.seen == []


def test_both_names_of_this_machine_are_taken(console: Console) -> None:
    named = f"localhost:{console.port}"
    assert console.call("GET", "/api/videos/" + JOB_ID)[0] == 200
    assert console.call("GET", "/api/videos/" + JOB_ID, Host=named, Origin=f"http://{named}")[0] == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://localhost:{port}"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_another_origin_is_refused_even_with_the_token(
    console: Console, api: FakeApi, method: str, origin: str
) -> None:
    given = origin.format(port=console.port)
    assert console.code(method, f"/api/videos/{JOB_ID}", Origin=given) == (403, "WrongOrigin")
    assert api.seen == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_may_change_something_needs_an_origin(console: Console, api: FakeApi, method: str) -> None:
    assert console.code(method, f"/api/videos/{JOB_ID}", without=("Origin",)) == (403, "WrongOrigin")
    assert api.seen == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/", f"/api/videos/{JOB_ID}"])
def test_a_request_made_by_another_site_is_refused(console: Console, path: str, site: str) -> None:
    answer = console.code("GET", path, without=("Origin",), Sec_Fetch_Site=site)
    assert answer == (403, "WrongOrigin")


@pytest.mark.parametrize("token", ["", "wrong", "\xe9\xff"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[("GET", "/api/videos"), ("POST", "/api/videos"), ("POST", "/upload"), ("POST", "/session")],
        *[("GET", "/nothing"), ("GET", f"/media/wrong/{JOB_ID}/0/video"), ("GET", "/media/")],
    ],
)
def test_nothing_but_the_page_is_given_without_the_token(
    console: Console, api: FakeApi, method: str, path: str, token: str
) -> None:
    assert console.code(method, path, **{guard.TOKEN_HEADER: token}) == (401, "NoToken")
    assert api.seen == []


def test_the_media_key_opens_media_only(console: Console) -> None:
    key = {guard.TOKEN_HEADER: console.keys.media}
    assert console.code("GET", f"/api/videos/{JOB_ID}", **key) == (401, "NoToken")
    assert console.call("GET", f"/media/{console.keys.media}/{JOB_ID}/0/video", without=(guard.TOKEN_HEADER,))[0] == 200


def test_a_code_is_exchanged_for_the_token_once(console: Console) -> None:
    code = {guard.TOKEN_HEADER: console.keys.new_code()}
    assert console.code("GET", "/api/videos", **code) == (401, "NoToken")
    status, _, body = console.call("POST", "/session", **code)
    assert (status, json.loads(body)["token"]) == (200, console.keys.token)
    assert console.code("POST", "/session", **code) == (401, "NoToken")


def test_a_code_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys()
    code = keys.new_code()
    monkeypatch.setattr(guard, "monotonic", lambda: float("inf"))
    assert not keys.redeem(code)


def test_every_start_has_keys_of_its_own() -> None:
    first, second = Keys(), Keys()
    assert len({first.token, first.media, second.token, second.media}) == 4
    assert min(map(len, (first.token, first.media))) >= 43
    assert first.token not in repr(first)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/api/videos"])
def test_other_methods_are_refused(console: Console, api: FakeApi, method: str, path: str) -> None:
    status, headers, _ = console.call(method, path)
    assert (status, headers["content-type"]) == (405, "application/problem+json")
    assert api.seen == []


@pytest.mark.parametrize(
    "path",
    [
        *["/static/../server.py", "/static/..%2fserver.py", "/static/%2e%2e/guard.py", "/static//etc/passwd"],
        *["/static/....//guard.py", "/static/app.js%00", "/static/", "/static/index.html", "//etc/passwd"],
    ],
)
def test_no_path_leads_out_of_the_page_files(console: Console, path: str) -> None:
    status, _, body = console.call("GET", path)
    assert status == 404
    assert b"import" not in body


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ("/api/videos", "/videos"),
        ("/api/videos/vid_1/resume", "/videos/vid_1/resume"),
        ("/api/openapi.json", "/openapi.json"),
        ("/api/batches/autumn%20one", "/batches/autumn%20one"),
        ("/api/..", None),
        ("/api/videos/../../other", None),
        ("/api/videos/%2e%2e/x", None),
        ("/api/videos/a%2fb", None),
        ("/api/videos/a%5cb", None),
        ("/api/videos/%252e%252e", None),
        ("/api//videos", None),
        ("/api/videos/%00", None),
        ("/api/", None),
    ],
)
def test_only_addresses_of_the_api_are_called(raw: str, sent: str | None) -> None:
    assert api_path(raw) == sent


def test_a_call_is_signed_and_brings_nothing_else_along(console: Console, api: FakeApi) -> None:
    request = json.dumps({"model": "a/b"}).encode()
    extra = {"Cookie": "c=1", "Authorization": "Basic x", "Idempotency-Key": "k-1", "Content-Type": "application/json"}
    status, _, body = console.call("POST", "/api/videos?limit=2&b=x%20y", request, **extra)
    assert (status, json.loads(body)["id"]) == (202, JOB_ID)
    [seen] = api.calls("POST /v1/videos")
    assert seen.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
    sent = {name.lower(): value for name, value in seen.headers.items()}
    assert sent["idempotency-key"] == "k-1"
    assert seen.query == {"limit": ["2"], "b": ["x y"]}
    assert not set(sent) & {"cookie", "origin", "referer", guard.TOKEN_HEADER.lower()}


def test_a_refusal_of_the_api_is_passed_on_word_for_word(console: Console, api: FakeApi) -> None:
    api.on("GET /v1/videos", problem(429, "Throttled", "Slower.", headers={"Retry-After": "7", "Set-Cookie": "a=b"}))
    status, headers, body = console.call("GET", "/api/videos")
    assert (status, json.loads(body)["detail"], headers["retry-after"]) == (429, "Slower.", "7")
    assert "set-cookie" not in headers


def test_markup_from_the_api_does_not_become_a_page(console: Console, api: FakeApi) -> None:
    api.on("GET /v1/docs", Reply(200, b"<script>alert(1)</script>", {"Content-Type": "text/html"}))
    _, headers, body = console.call("GET", "/api/docs")
    assert (headers["content-type"], body) == ("text/plain; charset=utf-8", b"<script>alert(1)</script>")


def test_a_stack_that_is_gone_is_said_in_words(console: Console, api: FakeApi) -> None:
    api.on("GET /v1/videos", Reply(0))
    status, _, body = console.call("GET", "/api/videos")
    assert (status, json.loads(body)["code"]) == (502, "Unreachable")
    assert "make local" in json.loads(body)["detail"]


def test_a_call_with_too_long_a_body_is_refused(console: Console, api: FakeApi) -> None:
    assert console.code("POST", "/api/videos", b"x" * (MAX_BODY + 1)) == (413, "BodyTooLarge")
    assert api.seen == []


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/videos/" + JOB_ID, "/nothing"])
def test_every_answer_has_the_security_headers(console: Console, path: str) -> None:
    _, headers, _ = console.call("GET", path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_the_page_has_no_inline_script_or_style() -> None:
    markup = FILES["/"].read_text()
    assert "<style" not in markup
    assert " style=" not in markup
    assert " on" not in markup.replace(" on ", "")
    assert markup.count("<script") == markup.count('<script type="module" src="/static/')


def test_no_answer_shows_credentials(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [console.call("GET", path) for path in [*FILES, f"/api/videos/{JOB_ID}"]]
    answers.append(console.call("POST", "/session"))
    for _, headers, body in answers:
        text = json.dumps(headers) + body.decode()
        assert "AWS4-HMAC" not in text
        assert "SecretAccessKey" not in text
    assert set(json.loads(answers[-1][2])["stack"]) == {"name", "options", "region", "api_url", "is_local"}


def test_a_picture_is_streamed_into_the_input_bucket(console: Console, api: FakeApi) -> None:
    status, _, body = console.call("POST", "/upload", JPEG)
    assert (status, json.loads(body)) == (201, {"s3_uri": "s3://in/uploads/1.jpg", "content_type": "image/jpeg"})
    assert api.calls("POST /v1/uploads")[0].body == {"content_type": "image/jpeg"}
    [form] = api.calls("POST /s3/in")
    head, _, rest = form.body.partition(b'name="file"')
    assert b'name="key"\r\n\r\nuploads/1\r\n' in head
    assert JPEG in rest
    assert rest.endswith(b"--\r\n")
    assert int(form.headers["Content-Length"]) == len(form.body)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "image/heic"),
        (b"\0\0\0\x18ftypheix\0\0\0\0mif1heix", "image/heic"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "image/avif"),
        (b"\0\0\0\x14ftypavis\0\0\0\0mif1", "image/avif"),
        (b"\0\0\0\x14ftypmp42\0\0\0\0isomheic", None),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_a_picture_is_what_its_first_bytes_say(head: bytes, kind: str | None) -> None:
    assert image_type(head) == kind


def test_a_large_picture_arrives_whole(console: Console, api: FakeApi) -> None:
    api.max_bytes = 20_000_000
    picture = JPEG + bytes(range(256)) * 40_000
    assert console.call("POST", "/upload", picture)[0] == 201
    assert picture in api.calls("POST /s3/in")[0].body


@pytest.mark.parametrize("content", [b"", b"<html>403</html>", b"%PDF-1.7", b"\0\0\0\x18ftypmp42"])
def test_what_is_no_picture_is_refused_before_it_is_sent(console: Console, api: FakeApi, content: bytes) -> None:
    status, _, body = console.call("POST", "/upload", content)
    assert (status, json.loads(body)["code"]) == (422, "ImageNotUsable")
    assert json.loads(body)["detail"].isprintable()
    assert api.seen == []


def test_a_picture_over_the_limit_is_refused_in_words(console: Console, api: FakeApi) -> None:
    status, _, body = console.call("POST", "/upload", JPEG + bytes(200_000))
    assert (status, json.loads(body)["code"]) == (422, "ImageNotUsable")
    assert "10,000 bytes" in json.loads(body)["detail"]
    assert api.calls("POST /s3/in") == []


def test_what_s3_says_against_a_picture_is_passed_on(console: Console, api: FakeApi) -> None:
    api.on("POST /s3/in", Reply(403, b"<Error><Message>Policy expired.</Message></Error>"))
    status, _, body = console.call("POST", "/upload", JPEG)
    assert (status, json.loads(body)["code"]) == (502, "UploadRefused")
    assert "Policy expired." in json.loads(body)["detail"]


def media_path(console: Console, part: str = "video", output: int = 0) -> str:
    return f"/media/{console.keys.media}/{JOB_ID}/{output}/{part}"


def test_a_clip_is_streamed_with_its_length_and_type(console: Console, api: FakeApi) -> None:
    api.on("GET /s3/clip", Reply(200, CLIP, {"Content-Type": "video/mp4", "x-amz-request-id": "1"}))
    status, headers, body = console.call("GET", media_path(console))
    assert (status, body, headers["content-type"]) == (200, CLIP, "video/mp4")
    assert headers["content-length"] == str(len(CLIP))
    assert "x-amz-request-id" not in headers


def test_a_range_is_passed_on(console: Console, api: FakeApi) -> None:
    def part(seen: Seen) -> Reply:
        assert {name.lower(): value for name, value in seen.headers.items()}["range"] == "bytes=5-9"
        return Reply(206, CLIP[5:10], {"Content-Range": f"bytes 5-9/{len(CLIP)}", "Content-Type": "video/mp4"})

    api.on("GET /s3/clip", part)
    status, headers, body = console.call("GET", media_path(console), Range="bytes=5-9")
    assert (status, body, headers["content-range"]) == (206, CLIP[5:10], f"bytes 5-9/{len(CLIP)}")


def test_an_expired_link_is_asked_for_anew(console: Console, api: FakeApi) -> None:
    assert console.call("GET", media_path(console))[0] == 200
    api.expired.add("1")
    assert console.call("GET", media_path(console))[2] == CLIP
    assert len(api.calls(f"GET /v1/videos/{JOB_ID}")) == 2


@pytest.mark.parametrize(("part", "output"), [("poster", 0), ("video", 1), ("secret", 0)])
def test_a_part_that_a_job_does_not_have_is_404(console: Console, part: str, output: int) -> None:
    assert console.code("GET", media_path(console, part, output)) == (404, "NotFound")


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xml", ""])
def test_a_stored_object_never_becomes_a_page(console: Console, api: FakeApi, kind: str) -> None:
    api.on("GET /s3/clip", Reply(200, b"<script>", {"Content-Type": kind}))
    _, headers, _ = console.call("GET", media_path(console))
    assert headers["content-type"] == "application/octet-stream"


def test_a_clip_can_be_saved_under_the_name_of_its_job(console: Console) -> None:
    _, headers, _ = console.call("GET", media_path(console) + "?download")
    assert headers["content-disposition"] == f'attachment; filename="{JOB_ID}.mp4"'


def test_links_are_kept_for_a_bounded_number_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "KEPT_RECORDS", 2)

    class Client:
        def job(self, job_id: str) -> dict[str, Any]:
            return {"video": [{"url": f"https://x/{job_id}"}]}

    links = media.Links(Client())  # type: ignore[arg-type]
    assert [links.find(name, 0, "video") for name in "abc"] == ["https://x/a", "https://x/b", "https://x/c"]
    assert len(links._kept) == 2


def test_a_port_in_use_is_said() -> None:
    with listen(0) as taken, pytest.raises(BadInput, match="cannot be used") as raised:
        listen(taken.getsockname()[1])
    assert "Leave it out" in str(raised.value)


@pytest.mark.slow
def test_ctrl_c_ends_it_at_once_while_a_call_is_under_way(api: FakeApi, start: Callable[..., Any]) -> None:
    asked, release = threading.Event(), threading.Event()

    def slow(_seen: Seen) -> Reply:
        asked.set()
        release.wait(60)
        return Reply(0)

    api.on("GET /v1/models", slow)
    process = start("console", "--no-browser", stderr=subprocess.PIPE)
    try:
        address = process.stderr.readline().decode().split("http://")[1]
        port, token = address.partition(":")[2].partition("/#token=")[::2]
        keys = Keys(token=token.strip())
        threading.Thread(target=_call_in_vain, args=[Console(int(port), keys)], daemon=True).start()
        assert asked.wait(20)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert b"Jobs that it submitted keep running" in process.stderr.read()
    finally:
        release.set()
        process.kill()
        process.wait()


def _call_in_vain(console: Console) -> None:
    with suppress(HTTPException, OSError):
        console.call("GET", "/api/models")


def test_the_command_opens_the_page_with_a_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    result = run("console")
    assert result.code == 0
    [address] = opened
    assert "#code=" in address
    token = result.err.partition("#token=")[2].split()[0]
    assert len(token) >= 43
    assert token not in address
